"""Variables, and the packed parameters of a model.

A layer creates its variables one by one. A compiled model *packs* them: their values become views
of one contiguous buffer and their gradients views of another. So an optimizer step is one kernel
call for the whole model, and exporting the parameters is one copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
_last_write = 0


def writes() -> int:
    """Return how often any variable was written in this process."""
    return _last_write


def _next_write() -> int:
    global _last_write
    _last_write += 1
    return _last_write


class Later:
    """An initial value that is computed when it is first read."""

    __slots__ = ("dtype", "make", "shape")

    def __init__(self, shape: tuple[int, ...], dtype: Any, make: Callable[[], Array]) -> None:
        self.shape = shape
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.make = make


class Variable:
    """A named array that a layer owns.

    Programs that predict keep what they computed from the value, and ask `version` whether it was
    written since. Assigning to `value` or by `assign` counts; after writing into the array in
    another way, as in `variable.value[0] = 1`, call `mark_written`.

    Attributes:
        value: the array. Packing replaces it by a view of the model's buffer, so keep the
            variable, not the array. Given as `Later`, it is computed when it is first read.
        trainable: whether an optimizer may change it (if the layer is trainable too).
        regularizer: adds to the loss, or None.
        constraint: applied to the value after each step, or None.
    """

    __slots__ = (
        "_written", "constraint", "home", "later", "name", "owner", "regularizer", "trainable",
        "value",
    )  # fmt: skip
    value: Array

    def __init__(
        self,
        value: Array | Later,
        name: str = "variable",
        *,
        trainable: bool = True,
        owner: Owner | None = None,
        regularizer: Regularizer | None = None,
        constraint: Constraint | None = None,
    ) -> None:
        self._written = 0
        self.later: Later | None = None
        if isinstance(value, Later):
            self.later = value
        else:
            self.value = value
        self.name = name
        self.trainable = trainable
        self.owner = owner
        self.regularizer = regularizer
        self.constraint = constraint
        self.home: Parameters | None = None

    @property
    def version(self) -> int:
        """A number that grows with every write of the value."""
        home = self.home
        return self._written if home is None else max(self._written, home.written)

    def mark_written(self) -> None:
        """Note that the elements of `value` were changed."""
        self._written = _next_write()

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name == "value":
            self.mark_written()

    if not TYPE_CHECKING:  # the type of no other attribute is to be lost

        def __getattr__(self, name: str) -> Any:
            """Compute `value`, which is missing until then."""
            if name != "value" or self.later is None:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            self.value, self.later = self.later.make(), None
            return self.value

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape if self.later is None else self.later.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.value.dtype if self.later is None else self.later.dtype

    @property
    def size(self) -> int:
        return prod(self.shape)

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
        if array.shape != self.shape:
            raise ShapeError(f"{self.path}: expected shape {self.shape}, received {array.shape}")
        if self.later is None:
            self.value[...] = array
            self.mark_written()
        else:
            self.value, self.later = np.array(array, self.dtype, order="C"), None

    def numpy(self) -> Array:
        """Return a copy of the value."""
        return self.value.copy()

    def __repr__(self) -> str:
        return f"<Variable {self.path} {self.shape} {self.dtype}>"


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
        self.written = _next_write()

    def stale(self) -> bool:
        """Return whether another model has since packed one of the variables."""
        return not all(map(is_, map(HOME, self.variables), repeat(self)))


def _spans(variables: Sequence[Variable]) -> Iterator[slice]:
    start = 0
    for variable in variables:
        stop = start + prod(variable.shape)
        yield slice(start, stop)
        start = stop
