"""Networks of sequences that nn alone trains, beside what their matrix products allow.

The operations of a sample's products are counted by hand: twice the multiplications.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import nn
import numpy as np

BATCHES = {"gru": 128, "bidirectional": 128, "transformer": 32}


def recurrent(layer: Any) -> Any:
    """Return a network of one recurrent layer over 28 rows of 28 numbers."""
    return nn.Sequential([nn.Input((28, 28)), layer, nn.Dense(10, activation="softmax")])


def transformer() -> Any:
    """Return one block: 64 tokens of width 64, 4 heads, feed-forward 256, normalized after."""
    entry = nn.Input((64, 64))
    attention = nn.MultiHeadAttention(4, 16)(entry, entry)
    x = nn.LayerNormalization()(nn.Add()([entry, attention]))
    forward = nn.Dense(64)(nn.Dense(256, activation="relu")(x))
    x = nn.LayerNormalization()(nn.Add()([x, forward]))
    x = nn.GlobalAveragePooling1D()(x)
    return nn.Model(entry, nn.Dense(10, activation="softmax")(x))


@functools.cache
def trainer(network: str) -> Any:
    """Return a step of training on a batch that stays the same."""
    makers = {
        "gru": lambda: recurrent(nn.GRU(64)),
        "bidirectional": lambda: recurrent(nn.Bidirectional(nn.LSTM(64))),
        "transformer": transformer,
    }
    nn.set_random_seed(3)
    model, random = makers[network](), np.random.default_rng(1)
    model.compile(nn.Adam(1e-3), "sparse_categorical_crossentropy")
    count = BATCHES[network]
    x = random.random((count, *model.input_shape[1:]), np.float32)
    labels = random.integers(0, 10, count)
    for _ in range(6):
        model.train_on_batch(x, labels)
    return lambda: model.train_on_batch(x, labels)


def train(network: str, seconds: float) -> dict[str, Any]:
    """Train for so many seconds: samples a second."""
    step = trainer(network)
    count, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        step()
        count += 1
    return {"rate": count * BATCHES[network] / elapsed}
