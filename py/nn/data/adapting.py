"""Data that a layer adapts to, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nn.data.dataset import Dataset
from nn.data.numeric import numeric
from nn.errors import DataError, EmptyError, ShapeError
from nn.types import Array

BATCH = 128


def batches(data: Any, where: str) -> Iterator[Array]:
    """Yield arrays of numbers, at least one.

    Args:
        data: an array or nested lists (one batch), a Dataset, or any iterable of arrays or of
            tuples whose first item is one.
        where: the layer, for messages.

    Raises:
        EmptyError: there are no samples.
        DataError: data of another kind.
    """
    return (numeric(batch, where) for batch in raw_batches(data, where))


def raw_batches(data: Any, where: str) -> Iterator[Any]:
    """Yield batches like `batches`, of anything."""
    none = True
    for batch in _batches(data, where):
        if 0 not in batch.shape if hasattr(batch, "shape") else batch != []:
            none = False
            yield batch
    if none:
        raise EmptyError(f"{where}: expected at least 1 sample, received none")


def _batches(data: Any, where: str) -> Iterator[Any]:
    if isinstance(data, Dataset):
        return _of_dataset(data)
    if hasattr(data, "__array__") or _is_nested(data):
        return iter([data])
    try:
        found = iter(data)
    except TypeError as error:
        raise DataError(
            f"{where}: expected an array, a Dataset or an iterable of batches, received "
            f"{type(data).__name__}"
        ) from error
    return (item[0] if isinstance(item, tuple) else item for item in found)


def moments(layer: Any, data: Any) -> tuple[Array, Array]:
    """Return the mean and the variance of data along the axes that a Normalization keeps none of.

    Raises:
        ShapeError: the shape of a batch does not fit the layer.
        EmptyError: there are no batches.
    """
    count, mean, variance = 0.0, np.zeros(()), np.zeros(())
    for batch in batches(data, layer.name):
        layer.ensure_built((None, *batch.shape[1:]))
        _expect_batch(layer, batch.shape)
        axes = tuple(i for i in range(batch.ndim) if i not in layer.kept)
        values = batch.astype(np.float64)
        own = values.mean(axis=axes)
        total = count + values.size / own.size
        # Chan, Golub and LeVeque 1979: the variance of two parts together.
        share = 1 - count / total
        moved = mean + (own - mean) * share
        variance = (variance + (mean - moved) ** 2) * (1 - share)
        variance = variance + (values.var(axis=axes) + (own - moved) ** 2) * share
        count, mean = total, moved
    return mean, variance


def _expect_batch(layer: Any, shape: tuple[int, ...]) -> None:
    fits = len(shape) == len(layer.spread)
    if not fits or any(shape[i] != layer.spread[i] for i in layer.kept):
        raise ShapeError(
            f"{layer.name}: expected data with axes {layer.kept} of {layer.spread}, "
            f"received {shape}"
        )


def _is_nested(data: Any) -> bool:
    """Return whether data are a list of numbers or texts, or of lists of them."""
    while isinstance(data, list) and data:
        data = data[0]
    return isinstance(data, bool | int | float | str | np.generic)


def _of_dataset(data: Dataset) -> Iterator[Array]:
    for start in range(0, len(data), BATCH):
        indices = np.arange(start, min(start + BATCH, len(data)))
        yield data.batch(indices, np.empty((len(indices), *data.shape), np.float32))
