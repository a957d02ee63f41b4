"""Seeded runs and their losses, batch by batch: the same text on CPython and in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nn
import numpy as np

IMAGES, LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"


def read(folder: str) -> nn.Dataset:
    """Return the 10,000 test digits of MNIST."""
    return nn.Dataset.from_idx(*(Path(folder, name).read_bytes() for name in (IMAGES, LABELS)))


async def digits(folder: str, optimizer: Any) -> list[float]:
    """Train the seed network on 2,000 digits for two epochs: 32 losses of batches, 2 of
    validation."""
    data = read(folder)
    nn.set_random_seed(5)  # of 1 to 8, two have a relu or a window that rounding decides
    layers = [
        nn.Conv2D(8, 3, activation="relu"), nn.MaxPooling2D(), nn.Conv2D(16, 3, activation="relu"),
        nn.MaxPooling2D(), nn.Flatten(), nn.Dense(128, activation="relu"), nn.Dropout(0.2),
        nn.Dense(10, activation="softmax"),
    ]  # fmt: skip
    model = nn.Sequential([nn.Input((28, 28, 1)), *layers])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    held_out = data.slice(2000, 2500)
    return await _losses(model, data.take(2000), validation_data=held_out, batch_size=128)


async def words(folder: str) -> list[float]:
    """Train an embedding, an LSTM, a GRU and batch normalization on drawn sequences."""
    rng = np.random.default_rng(2)
    x = rng.integers(0, 20, (320, 9))
    y = (x.sum(axis=1) > 85).astype(np.float32)
    nn.set_random_seed(3)
    layers = [
        nn.Embedding(20, 8, mask_zero=True), nn.LSTM(12, return_sequences=True, dropout=0.1),
        nn.GRU(10), nn.BatchNormalization(), nn.Dense(1, activation="sigmoid"),
    ]  # fmt: skip
    model = nn.Sequential([nn.Input((9,)), *layers])
    schedule = nn.schedules.CosineDecay(0.0, 30, warmup_target=0.01, warmup_steps=5)
    model.compile(nn.AdamW(schedule, global_clipnorm=1.0), "binary_crossentropy")
    return await _losses(model, x, y, validation_split=0.2, batch_size=32)


async def _losses(model: Any, *data: Any, **options: Any) -> list[float]:
    seen: list[float] = []
    history = await model.fit(
        *data, epochs=2, on_batch_end=lambda _, logs: seen.append(logs["batch_loss"]), **options
    )
    return [*seen, *history.history["val_loss"]]


RUNS = {
    "digits by SGD": lambda folder: digits(folder, nn.SGD(0.03, momentum=0.9)),
    "digits by Adam": lambda folder: digits(folder, nn.Adam()),
    "words by AdamW": words,
}
