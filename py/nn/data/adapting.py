"""Data that a layer adapts to, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np

from nn.data.dataset import Dataset
from nn.data.numeric import numeric
from nn.errors import DataError, EmptyError
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
    if isinstance(data, Dataset):
        return _of_dataset(data, where)
    if hasattr(data, "__array__") or _is_nested(data):
        return iter([data])
    try:
        found = iter(data)
    except TypeError as error:
        raise DataError(
            f"{where}: expected an array, a Dataset or an iterable of batches, received "
            f"{type(data).__name__}"
        ) from error
    return _of_iterable(found, where)


def _is_nested(data: Any) -> bool:
    """Return whether data are a list of numbers or texts, or of lists of them."""
    while isinstance(data, list) and data:
        data = data[0]
    return isinstance(data, bool | int | float | str | np.generic)


def _of_dataset(data: Dataset, where: str) -> Iterator[Array]:
    if not len(data):
        raise EmptyError(f"{where}: expected at least 1 sample, received 0")
    for start in range(0, len(data), BATCH):
        indices = np.arange(start, min(start + BATCH, len(data)))
        yield data.batch(indices, np.empty((len(indices), *data.shape), np.float32))


def _of_iterable(found: Iterator[Any], where: str) -> Iterator[Any]:
    first = next(found, None)
    if first is None:
        raise EmptyError(f"{where}: expected at least 1 batch, received none")
    for item in chain([first], found):
        yield item[0] if isinstance(item, tuple) else item
