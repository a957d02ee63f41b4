"""The packed parameters of a model.

A layer creates its variables one by one. A compiled model *packs* them: their values become views
of one contiguous buffer and their gradients views of another. So an optimizer step is one kernel
call for the whole model, and exporting the parameters is one copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from operator import attrgetter, is_

import numpy as np

from nn.errors import ShapeError
from nn.types import Array, prod
from nn.variables import Variable, next_write

HOME = attrgetter("home")


class Parameters:
    """The packed trainable variables of a model; `values` and `gradients` are 1-D and parallel.

    Attributes:
        written: the number of the last write of `values`; see `Variable.version`.
    """

    gradients: Array
    views: dict[Variable, Array]

    def __init__(self, variables: Iterable[Variable]) -> None:
        self.variables = tuple(variables)
        dtypes = {v.dtype for v in self.variables} or {np.dtype(np.float32)}
        if len(dtypes) > 1:
            raise ShapeError(
                f"a model's variables must share one dtype, received {sorted(map(str, dtypes))}"
            )
        total = sum(v.size for v in self.variables)
        self.values: Array = np.empty(total, dtypes.pop())
        self.spans = tuple(_spans(self.variables))
        self.written = 0
        for variable, span in zip(self.variables, self.spans, strict=True):
            view = self.values[span].reshape(variable.shape)
            view[...] = variable.value
            variable.value = view
            variable.home = self
        # After the variables gave up their own arrays, so that there are two at a time, not three.
        self.collect_gradients(np.zeros_like(self.values))
        self.mark_written()

    def collect_gradients(self, array: Array) -> None:
        """Let `gradients` be this array, of their number and type."""
        self.gradients = array
        self.views = {
            v: array[span].reshape(v.shape)
            for v, span in zip(self.variables, self.spans, strict=True)
        }

    def mark_written(self) -> None:
        """Note that elements of `values` were changed."""
        self.written = next_write()

    def stale(self) -> bool:
        """Return whether another model has since packed one of the variables."""
        return not all(map(is_, map(HOME, self.variables), repeat(self)))


def _spans(variables: Sequence[Variable]) -> Iterator[slice]:
    start = 0
    for variable in variables:
        stop = start + prod(variable.shape)
        yield slice(start, stop)
        start = stop
