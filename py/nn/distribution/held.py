"""Data that every member of a team holds, so that batches are numbers and no rows travel."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.data.dataset import Dataset
from nn.data.source import ArraySource, Batch
from nn.types import Array


class Held:
    """The arrays of a `fit`, of which a member takes the rows that it computes.

    Args:
        source: the arrays.

    Attributes:
        order: the order of the epoch's samples; None is that of the arrays.
        every: the numbers of all samples.
    """

    def __init__(self, source: ArraySource) -> None:
        self.source = source
        self.order: Array | None = None
        self.every = np.arange(source.count, dtype=np.intp)
        self._arrays = [x.x if isinstance(x, Dataset) else x for x in source.inputs]
        self.nbytes = sum(
            a.nbytes for a in [*self._arrays, *source.targets, *source.weights] if a is not None
        )

    @classmethod
    def of(cls, source: Any) -> Held | None:
        """Return what the members can hold of a source, or None: its rows must travel."""
        if not isinstance(source, ArraySource) or source.get_state() is not None:
            return None
        if any(isinstance(x, Dataset) and type(x) is not Dataset for x in source.inputs):
            return None  # a class of its own may compute its batches in its own way
        held = cls(source)
        arrays = [*held._arrays, *source.targets, *source.weights]
        return None if any(a is not None and a.dtype.hasobject for a in arrays) else held

    def message(self) -> dict[str, Any]:
        """Return what makes the same data at another member."""
        source = self.source
        scales = [(x.scale, x.offset) if isinstance(x, Dataset) else None for x in source.inputs]
        arrays = [self._arrays, source.targets, source.weights]
        return {
            "arrays": [
                [None if a is None else np.ascontiguousarray(a) for a in part] for part in arrays
            ],
            "scales": scales,
            "dtypes": source.dtypes,
            "batch": source.batch_size,
            "limit": source.limit,
        }

    @classmethod
    def from_message(cls, message: Any) -> Held:
        """Return the data that `message` described."""
        inputs, targets, weights = message["arrays"]
        scaled = [
            x if scale is None else Dataset(x, scale=scale[0], offset=scale[1])
            for x, scale in zip(inputs, message["scales"], strict=True)
        ]
        settings = message["dtypes"], targets, weights, message["batch"], message["limit"]
        return cls(ArraySource(scaled, *settings))

    def batch(self, number: int) -> Batch:
        """Return a batch of the epoch; rows of its inputs are taken when they are asked for."""
        source, order = self.source, self.order
        start = number * source.batch_size
        stop = min(start + source.batch_size, source.count)
        rows = slice(start, stop) if order is None else order[start:stop]
        inputs: list[Any] = [_Input(self, i, start, rows) for i in range(len(source.inputs))]
        targets, weights = (
            [None if a is None else a[rows] for a in part]
            for part in (source.targets, source.weights)
        )
        return Batch(inputs, targets, weights, stop - start)


class _Input:
    """An input of a batch: `input[place]` takes the rows of one shard, each into its own memory."""

    def __init__(self, held: Held, number: int, start: int, rows: Any) -> None:
        self._held, self._number, self._start, self._rows = held, number, start, rows

    def __getitem__(self, place: slice) -> Array:
        start, stop = place.start, place.stop
        if isinstance(self._rows, slice):
            rows: Any = slice(self._start + start, self._start + stop)
            indices = self._held.every[rows]
        else:
            rows = indices = self._rows[place]
        return self._held.source.input(self._number, start, indices, rows, stop - start)
