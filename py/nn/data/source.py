"""Batch sources: arrays, data sets and generators as an iterator over batches."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple
from warnings import warn

import numpy as np

from nn.data.dataset import Dataset
from nn.errors import EmptyError, ShapeError
from nn.types import Array


class Batch(NamedTuple):
    """One batch: lists with one item per input or output of the model."""

    inputs: list[Array]
    targets: list[Any]
    weights: list[Any]
    size: int


def numbers(count: int, limit: int | None, skip: int, before: int) -> range:
    """Return the numbers of an epoch's batches, counted in a pass over the data.

    An epoch of fewer batches than a pass goes on where the one before ended, as in Keras; the one
    that reaches the end of the data may be shorter.

    Args:
        count: batches in a pass.
        limit: batches in an epoch; None for a whole pass.
        skip: batches of this epoch to leave out.
        before: batches of former epochs.
    """
    first = before % count
    stop = count if limit is None else min(first + limit, count)
    return range(min(first + skip, stop), stop)


def warn_of_few(model: str, given: int, wanted: int | None) -> None:
    """Warn, as Keras does, of data that gave fewer batches than a caller wants."""
    if wanted is not None and given < wanted:
        warn(f"{model}: the data gave {given} of {wanted} batches", stacklevel=3)


class ArraySource:
    """A source of batches from arrays in memory.

    Args:
        inputs: a Dataset or array per input, already of the right shape.
        dtypes: dtype of the batches of each input.
        targets: an array or None per output.
        weights: an array or None per output.
        limit: maximum number of batches in an epoch.

    Attributes:
        depth: number of latest batches whose arrays stay valid.
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
            raise EmptyError("expected at least 1 sample, received 0")
        for array in [*self.inputs, *self.targets, *self.weights]:
            if array is not None and len(array) != self.count:
                raise ShapeError(
                    f"expected {self.count} samples in every array, received {len(array)}"
                )
        self.dtypes = list(dtypes)
        self.limit = limit
        self._buffers: dict[tuple[int, int], Array] = {}

    @property
    def steps(self) -> int:
        """Number of batches in an epoch; the last batch may be smaller."""
        return len(self.numbers())

    @property
    def _passing(self) -> int:
        return -(-self.count // self.batch_size)

    def numbers(self, skip: int = 0, before: int = 0) -> range:
        """Return the numbers of an epoch's batches, see `numbers`."""
        return numbers(self._passing, self.limit, skip, before)

    def goes_on(self, before: int) -> bool:
        """Return whether an epoch goes on with the order of the one before."""
        return before % self._passing > 0

    def awaits(self) -> bool:
        """Return whether batches are awaited rather than computed."""
        return False

    def restart(self) -> None:
        """Do nothing: every epoch begins with the first sample."""

    def get_state(self) -> Any:
        """Return the state that each data set carries from batch to batch, or None."""
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
        """Yield the batches of an epoch after the first `skip`, shuffled by `rng` if it is given.

        `before` counts the batches of former epochs, see `numbers`. The arrays of a batch are valid
        until `depth` more batches have been drawn.
        """
        order = self.order(rng)
        every = np.arange(self.count, dtype=np.intp) if order is None else order
        own = self.numbers(skip, before)
        # Data sets with a random generator must compute the skipped batches too.
        drawn = own if self.get_state() is None else self.numbers(0, before)
        for number in drawn:
            start = number * self.batch_size
            indices = every[start : start + self.batch_size]
            rows: Any = indices if order is not None else slice(start, start + len(indices))
            batch = self._batch(number, indices, rows)
            if number >= own.start:
                yield batch

    def order(self, rng: np.random.Generator | None) -> Array | None:
        """Return the order of an epoch's samples as `rng` draws it; None is that of the arrays."""
        return None if rng is None else rng.permutation(self.count).astype(np.intp)

    def take(self, indices: Array) -> Batch:
        """Return the batch of these samples; its arrays are valid until the next batch."""
        return self._batch(0, indices, indices)

    def _batch(self, number: int, indices: Array, rows: Any) -> Batch:
        turn, most = number % self.depth, min(self.batch_size, self.count)
        return Batch(
            [self.input(i, turn, indices, rows, most) for i in range(len(self.inputs))],
            [None if t is None else t[rows] for t in self.targets],
            [None if w is None else w[rows] for w in self.weights],
            len(indices),
        )

    def input(self, i: int, turn: int, indices: Array, rows: Any, most: int) -> Array:
        """Return rows of an input, in the `turn`th of its memories if they must be copied.

        Args:
            i: the number of the input.
            turn: which memory, of `most` rows at least.
            indices: of the rows.
            rows: the same, or a slice.
            most: rows that a new memory has.
        """
        data = self.inputs[i]
        dtype = self.dtypes[i]
        if not isinstance(data, Dataset) and data.dtype == dtype and isinstance(rows, slice):
            view: Array = data[rows]
            return view
        out = self._buffer(i, turn, most)[: len(indices)]
        if isinstance(data, Dataset):
            return data.batch(indices, out)
        if data.dtype == dtype:
            found: Array = data.take(indices, axis=0, out=out, mode="clip")
            return found
        np.copyto(out, data[rows], casting="unsafe")
        return out

    def _buffer(self, i: int, turn: int, most: int) -> Array:
        data = self.inputs[i]
        buffer = self._buffers.get((i, turn))
        if buffer is None or len(buffer) < most:
            shape = data.shape if isinstance(data, Dataset) else data.shape[1:]
            buffer = self._buffers[i, turn] = np.empty((most, *shape), self.dtypes[i])
        return buffer


class StreamSource:
    """A source of batches from a generator of (x, y) or (x, y, weights), sync or async.

    A stream with `get_state` and `set_state` (such as `nn.data.Augmented`) is restored when a run
    is resumed.

    Args:
        stream: a generator, or a function that returns one.
        adapt: converts an item to a Batch.
        steps: number of batches in an epoch; None means until the generator ends.
    """

    def __init__(self, stream: Any, adapt: Any, steps: int | None) -> None:
        self._stream = stream
        self._adapt = adapt
        self._steps = steps
        self._iterator: Any = None
        self._fresh = True

    def goes_on(self, before: int) -> bool:
        """Return False: a stream has an order of its own."""
        return False

    def awaits(self) -> bool:
        """Return whether batches are awaited rather than computed."""
        if self._iterator is None:
            self._iterator = _iterate(self._stream)
        return hasattr(self._iterator, "__anext__")

    @property
    def steps(self) -> int | None:
        """Number of batches in an epoch, or None if it is unknown."""
        if self._steps is None and hasattr(self._stream, "__len__"):
            return len(self._stream)
        return self._steps

    @property
    def repeats(self) -> bool:
        """Whether the stream can be restarted: a function or list can, a generator cannot."""
        stream = self._stream
        return not hasattr(stream, "__next__") and not hasattr(stream, "__anext__")

    def get_state(self) -> Any:
        """Return the state of the stream, or None if it has no `get_state`."""
        return self._stream.get_state() if hasattr(self._stream, "get_state") else None

    def set_state(self, state: Any) -> None:
        """Restore what `get_state` returned."""
        if state is not None and hasattr(self._stream, "set_state"):
            self._stream.set_state(state)

    def restart(self) -> None:
        """Begin with the first batch again, where the stream can."""
        if self.repeats:
            self._iterator = None

    async def batches(
        self,
        rng: np.random.Generator | None,
        skip: int = 0,
        before: int = 0,
        draw: Any = None,
    ) -> AsyncIterator[Batch]:
        """Yield the batches of an epoch. A generator continues where the last epoch ended.

        Args:
            rng: unused, as streams have their own order.
            skip: number of batches of this epoch to skip: drawn, but not adapted.
            before: number of batches of former epochs, skipped if the stream cannot be restarted.
            draw: runs a function elsewhere, for example in a thread, and returns an awaitable.
        """
        self.awaits()
        taken = -before if self._fresh and not self.repeats else 0
        self._fresh = ended = False
        while self.steps is None or taken < self.steps:
            item = await _next(self._iterator, draw)
            if item is _END:
                # A function or a list is restarted for the next epoch; a generator is exhausted.
                if self.repeats:
                    self._iterator = None
                if taken or ended or not self.repeats:
                    return
                ended = self.awaits() is not None  # the epoch before took the last batch
                continue
            taken += 1
            if taken > skip:
                yield self._adapt(item)
        if self.repeats and self._steps is None:
            self._iterator = None


class IndexedSource(StreamSource):
    """A source of batches from an object that gives them by number, as Keras' `PyDataset` does.

    Args:
        data: has `data[number]` and a length, and may have `on_epoch_begin` and `on_epoch_end`.
        adapt: converts an item to a Batch.
        limit: maximum number of batches in an epoch.
    """

    def __init__(self, data: Any, adapt: Any, limit: int | None) -> None:
        super().__init__(self._drawn, adapt, None)
        self.data = data
        self._limit = limit
        self._order: Iterator[int] = iter(())

    @property
    def steps(self) -> int:
        """Number of batches in an epoch."""
        return len(numbers(self._count(), self._limit, 0, 0))

    def goes_on(self, before: int) -> bool:
        """Return whether an epoch goes on with the order of the one before."""
        return before % self._count() > 0

    def _count(self) -> int:
        count = getattr(self.data, "num_batches", None)
        return len(self.data) if count is None else int(count)

    def _drawn(self) -> Iterator[Any]:
        for number in self._order:
            yield self.data[number]

    async def batches(
        self,
        rng: np.random.Generator | None,
        skip: int = 0,
        before: int = 0,
        draw: Any = None,
    ) -> AsyncIterator[Batch]:
        """Yield the batches of an epoch after the first `skip`, in an order that `rng` draws."""
        count = self._count()
        order = np.arange(count) if rng is None else rng.permutation(count)
        own = numbers(count, self._limit, skip, before)
        self._order = map(int, order[own.start : own.stop])
        self._iterator = None
        _call(self.data, "on_epoch_begin")
        async for batch in super().batches(None, draw=draw):
            yield batch
        _call(self.data, "on_epoch_end")


def _call(data: Any, name: str) -> None:
    hook = getattr(data, name, None)
    if hook is not None:
        hook()


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
    """Yield from a plain or async generator and close it at the end."""
    if hasattr(batches, "__aiter__"):
        async with aclosing(batches):
            async for batch in batches:
                yield batch
    else:
        for batch in batches:
            yield batch
