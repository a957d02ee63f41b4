"""Data that Keras' users have: its PyDataset gives its batches by number."""

from __future__ import annotations

import asyncio
from typing import Any

import keras
import nn
import numpy as np
import pytest

X = np.random.default_rng(0).normal(size=(10, 4))


class Batches(keras.utils.PyDataset):
    """Five batches of two samples, which note how they are taken."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[int] = []
        self.begins = self.ends = 0

    def __len__(self) -> int:
        return 5

    def __getitem__(self, number: int) -> Any:
        self.taken.append(number)
        return X[2 * number : 2 * number + 2], X[2 * number : 2 * number + 2, :1]

    def on_epoch_begin(self) -> None:
        self.begins += 1

    def on_epoch_end(self) -> None:
        self.ends += 1


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_dataset_gives_its_batches_by_number_and_hears_of_epochs(shuffle: bool) -> None:
    data = Batches()
    model = nn.Sequential([nn.Input((4,)), nn.Dense(1)])
    model.compile("sgd", "mse")
    asyncio.run(model.fit(data, epochs=10, shuffle=shuffle))
    assert (data.begins, data.ends, len(data.taken)) == (10, 10, 50)
    epochs = [tuple(data.taken[i : i + 5]) for i in range(0, 50, 5)]
    assert all(sorted(epoch) == [*range(5)] for epoch in epochs)
    assert (len(set(epochs)) > 1) == shuffle
    assert shuffle or set(epochs) == {(0, 1, 2, 3, 4)}
