"""Variables, and the packed parameters of a model.

A layer creates its variables one by one. A compiled model *packs* them: their values become views
of one contiguous buffer and their gradients views of another. So an optimizer step is one kernel
call for the whole model, and exporting the parameters is one copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from operator import attrgetter, is_
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.errors import ShapeError
from nn.types import Array, Owner, prod

if TYPE_CHECKING:
    from nn.constraints import Constraint
    from nn.regularizers import Regularizer

HOME = attrgetter("home")


class Variable:
    """A named array that a layer owns.

    Attributes:
        value: the array. Packing replaces it by a view of the model's buffer, so keep the
            variable, not the array.
        trainable: whether an optimizer may change it (if the layer is trainable too).
        regularizer: adds to the loss, or None.
        constraint: applied to the value after each step, or None.
    """

    __slots__ = ("constraint", "home", "name", "owner", "regularizer", "trainable", "value")

    def __init__(
        self,
        value: Array,
        name: str = "variable",
        *,
        trainable: bool = True,
        owner: Owner | None = None,
        regularizer: Regularizer | None = None,
        constraint: Constraint | None = None,
    ) -> None:
        self.value = value
        self.name = name
        self.trainable = trainable
        self.owner = owner
        self.regularizer = regularizer
        self.constraint = constraint
        self.home: Parameters | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.value.dtype

    @property
    def size(self) -> int:
        return self.value.size

    @property
    def path(self) -> str:
        """The layer's name and the variable's, as in `dense/kernel`."""
        return f"{self.owner.path}/{self.name}" if self.owner else self.name

    def assign(self, value: Any) -> None:
        """Copy `value` into the variable.

        Raises:
            ShapeError: the shapes differ.
        """
        array = np.asarray(value)
        if array.shape != self.value.shape:
            raise ShapeError(f"{self.path}: expected shape {self.shape}, received {array.shape}")
        self.value[...] = array

    def numpy(self) -> Array:
        """Return a copy of the value."""
        return self.value.copy()

    def __repr__(self) -> str:
        return f"<Variable {self.path} {self.shape} {self.dtype}>"


class Parameters:
    """The packed trainable variables of a model; `values` and `gradients` are 1-D and parallel."""

    def __init__(self, variables: Iterable[Variable]) -> None:
        self.variables = tuple(variables)
        dtypes = {v.dtype for v in self.variables} or {np.dtype(np.float32)}
        if len(dtypes) > 1:
            raise ShapeError(
                f"a model's variables must share one dtype, received {sorted(map(str, dtypes))}"
            )
        total = sum(v.size for v in self.variables)
        self.values: Array = np.empty(total, dtypes.pop())
        self.gradients: Array = np.zeros_like(self.values)
        self.spans = tuple(_spans(self.variables))
        self.views = {
            v: self.gradients[span].reshape(v.shape)
            for v, span in zip(self.variables, self.spans, strict=True)
        }
        for variable, span in zip(self.variables, self.spans, strict=True):
            view = self.values[span].reshape(variable.shape)
            view[...] = variable.value
            variable.value = view
            variable.home = self

    def stale(self) -> bool:
        """Return whether another model has since packed one of the variables."""
        return not all(map(is_, map(HOME, self.variables), repeat(self)))


def _spans(variables: Sequence[Variable]) -> Iterator[slice]:
    start = 0
    for variable in variables:
        stop = start + prod(variable.shape)
        yield slice(start, stop)
        start = stop
