"""What feeds a training run: anything that gives batches, brought to one form."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from nn.data.dataset import Dataset
from nn.errors import EmptyError, ShapeError
from nn.types import Array


class Batch(NamedTuple):
    """One batch: a list with an item for each input and output of the model."""

    inputs: list[Array]
    targets: list[Any]
    weights: list[Any]
    size: int


class ArraySource:
    """Arrays in memory, whole.

    Args:
        inputs: a Dataset, or an array, for each input; shapes already fit.
        dtypes: the type that each input's batches should have.
        targets: an array, or None, for each output.
        weights: an array, or None, for each output.
    """

    def __init__(
        self,
        inputs: Sequence[Any],
        dtypes: Sequence[str],
        targets: Sequence[Any],
        weights: Sequence[Any],
        batch_size: int,
    ) -> None:
        self.inputs = list(inputs)
        self.targets = list(targets)
        self.weights = list(weights)
        self.batch_size = batch_size
        self.count = len(self.inputs[0])
        if not self.count:
            raise EmptyError("fit: expected at least 1 sample, received 0")
        for array in [*self.inputs, *self.targets, *self.weights]:
            if array is not None and len(array) != self.count:
                raise ShapeError(
                    f"expected {self.count} samples in every array, received {len(array)}"
                )
        self._dtypes = list(dtypes)
        self._buffers: list[Array | None] = [None] * len(self.inputs)

    @property
    def steps(self) -> int:
        """Batches in an epoch; the last may be smaller."""
        return -(-self.count // self.batch_size)

    def batches(self, rng: np.random.Generator | None) -> Iterator[Batch]:
        """Yield an epoch's batches, shuffled by `rng` unless None; arrays are valid until the
        next."""
        order = None if rng is None else rng.permutation(self.count).astype(np.intp)
        every = np.arange(self.count, dtype=np.intp) if order is None else order
        for start in range(0, self.count, self.batch_size):
            indices = every[start : start + self.batch_size]
            rows: Any = indices if order is not None else slice(start, start + len(indices))
            yield Batch(
                [self._input(i, indices, rows) for i in range(len(self.inputs))],
                [None if t is None else t[rows] for t in self.targets],
                [None if w is None else w[rows] for w in self.weights],
                len(indices),
            )

    def _input(self, i: int, indices: Array, rows: Any) -> Array:
        data = self.inputs[i]
        dtype = self._dtypes[i]
        if not isinstance(data, Dataset) and data.dtype == dtype and isinstance(rows, slice):
            view: Array = data[rows]
            return view
        buffer = self._buffers[i]
        if buffer is None:
            shape = data.shape if isinstance(data, Dataset) else data.shape[1:]
            size = min(self.batch_size, self.count)
            buffer = self._buffers[i] = np.empty((size, *shape), dtype)
        out = buffer[: len(indices)]
        if isinstance(data, Dataset):
            return data.batch(indices, out)
        if data.dtype == dtype:
            return np.take(data, indices, axis=0, out=out, mode="clip")
        np.copyto(out, data[rows], casting="unsafe")
        return out


class StreamSource:
    """A generator or async generator, or a function that makes one, of (x, y) or (x, y, weights).

    Args:
        adapt: turns an item into a Batch.
        steps: batches in an epoch; None is until the generator ends.
    """

    def __init__(self, stream: Any, adapt: Any, steps: int | None) -> None:
        self._stream = stream
        self._adapt = adapt
        self._steps = steps
        self._iterator: Any = None

    @property
    def steps(self) -> int | None:
        if self._steps is None and hasattr(self._stream, "__len__"):
            return len(self._stream)
        return self._steps

    async def batches(self, rng: np.random.Generator | None) -> AsyncIterator[Batch]:
        """Yield an epoch's batches; a generator is read on from where the last epoch left it."""
        if self._iterator is None:
            self._iterator = _iterate(self._stream)
        taken = 0
        while self.steps is None or taken < self.steps:
            item = await _next(self._iterator)
            if item is _END:
                # A function or a list starts again with the next epoch; a generator is spent.
                self._iterator = None if _repeats(self._stream) else self._iterator
                return
            taken += 1
            yield self._adapt(item)
        if _repeats(self._stream) and self._steps is None:
            self._iterator = None


_END: Any = object()


def _repeats(stream: Any) -> bool:
    return not hasattr(stream, "__next__") and not hasattr(stream, "__anext__")


def _iterate(stream: Any) -> Any:
    made = stream() if callable(stream) else stream
    return aiter(made) if hasattr(made, "__aiter__") else iter(made)


async def _next(iterator: Any) -> Any:
    if hasattr(iterator, "__anext__"):
        return await anext(iterator, _END)
    return next(iterator, _END)


async def each(batches: Any) -> AsyncIterator[Batch]:
    """Yield from a plain or an async iterator."""
    if hasattr(batches, "__aiter__"):
        async for batch in batches:
            yield batch
    else:
        for batch in batches:
            yield batch
