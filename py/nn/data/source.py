"""What feeds a training run: anything that gives batches, brought to one form."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
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
        limit: end an epoch after so many batches.

    Attributes:
        depth: how many batches in a row keep their arrays; 1 is the last one alone.
    """

    repeats = True

    def __init__(
        self,
        inputs: Sequence[Any],
        dtypes: Sequence[str],
        targets: Sequence[Any],
        weights: Sequence[Any],
        batch_size: int,
        limit: int | None = None,
    ) -> None:
        self.inputs = list(inputs)
        self.targets = list(targets)
        self.weights = list(weights)
        self.batch_size = batch_size
        self.depth = 1
        self.count = len(self.inputs[0])
        if not self.count:
            raise EmptyError("fit: expected at least 1 sample, received 0")
        for array in [*self.inputs, *self.targets, *self.weights]:
            if array is not None and len(array) != self.count:
                raise ShapeError(
                    f"expected {self.count} samples in every array, received {len(array)}"
                )
        self._dtypes = list(dtypes)
        self._limit = limit
        self._buffers: dict[tuple[int, int], Array] = {}

    @property
    def steps(self) -> int:
        """Batches in an epoch; the last may be smaller."""
        steps = -(-self.count // self.batch_size)
        return steps if self._limit is None else min(steps, self._limit)

    def awaits(self) -> bool:
        """Say whether batches are awaited, not computed."""
        return False

    def get_state(self) -> Any:
        """Return what the data sets carry from batch to batch, None where it is nothing."""
        states = [x.get_state() if isinstance(x, Dataset) else None for x in self.inputs]
        return states if any(s is not None for s in states) else None

    def set_state(self, state: Any) -> None:
        """Restore what `get_state` returned."""
        for data, kept in zip(self.inputs, state or [], strict=False):
            if kept is not None:
                data.set_state(kept)

    def batches(
        self, rng: np.random.Generator | None, skip: int = 0, before: int = 0
    ) -> Iterator[Batch]:
        """Yield an epoch's batches but the first `skip`, shuffled by `rng` unless None; arrays are
        valid until `depth` more were drawn."""
        order = None if rng is None else rng.permutation(self.count).astype(np.intp)
        every = np.arange(self.count, dtype=np.intp) if order is None else order
        # Data that draw from a generator of their own must be drawn to be passed over.
        first = 0 if self.get_state() is not None else skip
        for number in range(first, self.steps):
            start = number * self.batch_size
            indices = every[start : start + self.batch_size]
            rows: Any = indices if order is not None else slice(start, start + len(indices))
            inputs = [self._input(i, number, indices, rows) for i in range(len(self.inputs))]
            if number < skip:
                continue
            yield Batch(
                inputs,
                [None if t is None else t[rows] for t in self.targets],
                [None if w is None else w[rows] for w in self.weights],
                len(indices),
            )

    def _input(self, i: int, number: int, indices: Array, rows: Any) -> Array:
        data = self.inputs[i]
        dtype = self._dtypes[i]
        if not isinstance(data, Dataset) and data.dtype == dtype and isinstance(rows, slice):
            view: Array = data[rows]
            return view
        out = self._buffer(i, number % self.depth)[: len(indices)]
        if isinstance(data, Dataset):
            return data.batch(indices, out)
        if data.dtype == dtype:
            return np.take(data, indices, axis=0, out=out, mode="clip")
        np.copyto(out, data[rows], casting="unsafe")
        return out

    def _buffer(self, i: int, turn: int) -> Array:
        data = self.inputs[i]
        buffer = self._buffers.get((i, turn))
        if buffer is None:
            shape = data.shape if isinstance(data, Dataset) else data.shape[1:]
            size = min(self.batch_size, self.count)
            buffer = self._buffers[i, turn] = np.empty((size, *shape), self._dtypes[i])
        return buffer


class StreamSource:
    """A generator or async generator, or a function that makes one, of (x, y) or (x, y, weights).

    A stream with `get_state` and `set_state` (as `nn.data.Augmented`) is put back to where it was
    by a resumed run.

    Args:
        adapt: turns an item into a Batch.
        steps: batches in an epoch; None is until the generator ends.
    """

    def __init__(self, stream: Any, adapt: Any, steps: int | None) -> None:
        self._stream = stream
        self._adapt = adapt
        self._steps = steps
        self._iterator: Any = None
        self._fresh = True

    def awaits(self) -> bool:
        """Say whether batches are awaited, not computed."""
        if self._iterator is None:
            self._iterator = _iterate(self._stream)
        return hasattr(self._iterator, "__anext__")

    @property
    def steps(self) -> int | None:
        if self._steps is None and hasattr(self._stream, "__len__"):
            return len(self._stream)
        return self._steps

    @property
    def repeats(self) -> bool:
        """Whether it can be begun again: a generator cannot, a function or a list can."""
        stream = self._stream
        return not hasattr(stream, "__next__") and not hasattr(stream, "__anext__")

    def get_state(self) -> Any:
        """Return the stream's state, None where it tells of none."""
        return self._stream.get_state() if hasattr(self._stream, "get_state") else None

    def set_state(self, state: Any) -> None:
        """Restore what `get_state` returned."""
        if state is not None and hasattr(self._stream, "set_state"):
            self._stream.set_state(state)

    async def batches(
        self,
        rng: np.random.Generator | None,
        skip: int = 0,
        before: int = 0,
        draw: Any = None,
    ) -> AsyncIterator[Batch]:
        """Yield an epoch's batches; a generator is read on from where the last epoch left it.

        Args:
            rng: for the sake of `ArraySource`'s; streams have their own order.
            skip: batches of the epoch to pass over: drawn, but not adapted.
            before: batches of former epochs, to pass over where the stream cannot be begun again.
            draw: calls a function elsewhere, in a thread say, and returns an awaitable.
        """
        self.awaits()
        taken = -before if self._fresh and not self.repeats else 0
        self._fresh = False
        while self.steps is None or taken < self.steps:
            item = await _next(self._iterator, draw)
            if item is _END:
                # A function or a list starts again with the next epoch; a generator is spent.
                self._iterator = None if self.repeats else self._iterator
                return
            taken += 1
            if taken > skip:
                yield self._adapt(item)
        if self.repeats and self._steps is None:
            self._iterator = None


_END: Any = object()


def _iterate(stream: Any) -> Any:
    made = stream() if callable(stream) else stream
    return aiter(made) if hasattr(made, "__aiter__") else iter(made)


async def _next(iterator: Any, draw: Any) -> Any:
    if hasattr(iterator, "__anext__"):
        return await anext(iterator, _END)
    if draw is not None:
        return await draw(next, iterator, _END)
    return next(iterator, _END)


async def each(batches: Any) -> AsyncGenerator[Batch]:
    """Yield from a plain or an async generator, which is closed at the end."""
    if hasattr(batches, "__aiter__"):
        async with aclosing(batches):
            async for batch in batches:
                yield batch
    else:
        for batch in batches:
            yield batch
