"""The weight of each sample by its class, on drawn labels, against Keras' own."""

from __future__ import annotations

import asyncio
from typing import Any

import keras
import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.src.trainers.data_adapters.data_adapter_utils import class_weight_to_sample_weights
from nn.training.data_adapter import one_batch

LABELS = st.lists(st.integers(-4, 4), min_size=1, max_size=8)
FACTORS = st.dictionaries(st.integers(-4, 4), st.floats(0, 10, width=32), max_size=6)
TYPES = st.sampled_from(["int8", "int32", "int64", "float32", "float64", "bool", "uint8"])
FORMS = st.sampled_from(["flat", "column", "one-hot"])


def model(size: int) -> nn.Model:
    made = nn.Sequential([nn.Input((1,)), nn.Dense(size)])
    made.compile("sgd", "mse")
    return made


MODELS = {size: model(size) for size in (1, 9)}


@settings(settings.get_profile("oracles"), max_examples=60)
@given(labels=LABELS, factors=FACTORS, kind=TYPES, form=FORMS)
def test_weighs_classes_as_keras(labels: Any, factors: Any, kind: str, form: str) -> None:
    y = np.array(labels)
    if form == "one-hot":
        y = np.eye(9)[y + 4]
    elif form == "column":
        y = y[:, None]
    y = (np.abs(y) if kind in ("bool", "uint8") else y).astype(kind)
    expected = class_weight_to_sample_weights(y, factors)
    x = np.zeros((len(y), 1))
    received = one_batch(MODELS[9 if form == "one-hot" else 1], x, y, None, factors).weights[0]
    np.testing.assert_array_equal(received, expected)
    halved = one_batch(MODELS[9 if form == "one-hot" else 1], x, y, x[:, 0] + 0.5, factors)
    np.testing.assert_array_equal(halved.weights[0], expected * np.float32(0.5))


@pytest.mark.parametrize("labels", [[-1, 1], [1.7e9, -1.7e9], [2**31 - 1, -(2**31)]])
def test_weighs_classes_of_any_size_as_keras_in_training(labels: Any) -> None:
    y = np.array([labels[0], labels[1], 0.0, 3.0])
    factors = {int(labels[0]): 3.0, int(labels[1]): 0.5}
    ours = nn.Sequential([nn.Input((1,)), nn.Dense(1)])
    theirs = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    theirs.set_weights(ours.get_weights())
    losses = []
    for made in (ours, theirs):
        made.compile("sgd", "hinge")
        losses.append(made.train_on_batch(np.ones((4, 1)), y, class_weight=factors))
    assert losses[0] == pytest.approx(float(losses[1]), rel=1e-5)


def test_a_large_label_costs_no_memory() -> None:
    asyncio.run(MODELS[1].fit(np.ones((4, 1)), np.full(4, 1e15), class_weight={0: 1.0}))
