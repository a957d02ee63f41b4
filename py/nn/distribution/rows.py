"""Rows: which samples of a batch a part of a team computes, and what it draws for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def share(place: int, places: int, total: int) -> tuple[int, int]:
    """Return the first row of a part of a batch and the one after its last.

    The parts are as even as can be, the first ones larger. A part may be empty.
    """
    least, more = divmod(total, places)
    start = place * least + min(place, more)
    return start, start + least + (place < more)


class Start:
    """The states of the generators before a batch: every part of a batch draws from there."""

    def __init__(self) -> None:
        self.number = 0
        self._states: dict[int, tuple[np.random.Generator, Any]] = {}

    def begin(self) -> None:
        """Begin a batch."""
        self.number += 1
        self._states.clear()

    def of(self, rng: np.random.Generator) -> Any:
        """Return the state of a generator before the batch; to be asked before it draws."""
        kept = self._states.get(id(rng))
        if kept is None:
            kept = self._states[id(rng)] = rng, rng.bit_generator.state
        return kept[1]

    def end(self) -> None:
        """End the batch: it counts."""
        self._states.clear()

    def restore(self) -> None:
        """Put the generators back to where they were."""
        for rng, state in self._states.values():
            rng.bit_generator.state = state
        self._states.clear()


class Rows:
    """The rows of one part of a batch.

    Args:
        start: shared by all parts in this process.
        first: whether this part draws from the generators themselves; others draw from copies.

    Attributes:
        begin, count, total: the first row, how many, and those of the whole batch. A part without
            rows computes the batch's first row, and what it finds does not count.
        slice: the rows.
        share: the fraction of the batch.
    """

    def __init__(self, start: Start, first: bool) -> None:
        self._start, self._first = start, first
        self.begin, self.count, self.total = 0, 1, 1
        self.empty = False
        self.slice, self.share = slice(0, 1), 1.0
        self._copies: dict[int, tuple[np.random.Generator, int]] = {}

    def choose(self, begin: int, end: int, total: int) -> None:
        """Take these rows."""
        self.empty = begin == end
        self.begin, self.count, self.total = (
            (0, 1, total) if self.empty else (begin, end - begin, total)
        )
        self.slice = slice(self.begin, self.begin + self.count)
        self.share = 0.0 if self.empty else self.count / self.total

    def drawing(self, rng: np.random.Generator, axis: int | None) -> Any:
        """Return what a layer draws from; see `Context.generator`."""
        state = self._start.of(rng)
        if not self._first:
            rng = self._copy(rng, state)
        return rng if axis is None else Drawing(rng, axis, self)

    def _copy(self, rng: np.random.Generator, state: Any) -> np.random.Generator:
        number = self._start.number
        copy, latest = self._copies.get(id(rng), (None, -1))
        if copy is None:
            copy = np.random.Generator(type(rng.bit_generator)())
        if latest != number:
            copy.bit_generator.state = state
            self._copies[id(rng)] = copy, number
        return copy


class Drawing:
    """Draws for the whole batch and returns the rows of one part: the same numbers as one worker's.

    It has the methods of `numpy.random.Generator` that layers use.
    """

    def __init__(self, rng: np.random.Generator, axis: int, rows: Rows) -> None:
        self._rng, self._axis, self._rows = rng, axis, rows

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        return self._part(lambda whole: self._rng.random(whole, dtype=dtype), size, out)

    def standard_normal(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        return self._part(lambda whole: self._rng.standard_normal(whole, dtype=dtype), size, out)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        return self._part(lambda whole: self._rng.uniform(low, high, whole), size, None)

    def integers(self, low: Any, high: Any = None, size: Any = None) -> Any:
        return self._part(lambda whole: self._rng.integers(low, high, whole), size, None)

    def _part(self, draw: Any, size: int | Sequence[int] | None, out: Any) -> Any:
        if size is None:
            return draw(None)
        shape = [size] if isinstance(size, int) else list(size)
        rows, axis = self._rows, self._axis
        each = shape[axis] // rows.count  # several rows a sample, where steps are rows too
        shape[axis] = each * rows.total
        place = (slice(None),) * axis
        place += (slice(each * rows.begin, each * (rows.begin + rows.count)),)
        found = draw(tuple(shape))[place]
        if out is None:
            return np.ascontiguousarray(found)
        out[...] = found
        return out
