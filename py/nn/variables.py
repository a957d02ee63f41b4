"""Variables: the named arrays of a layer. A compiled model packs them (`nn.parameters`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.config import floatx, of_arguments
from nn.errors import ConfigError, ShapeError
from nn.types import Array, Owner, prod

if TYPE_CHECKING:
    from nn.constraints import Constraint
    from nn.regularizers import Regularizer

_last_write = 0


def writes() -> int:
    """Return how often any variable was written in this process."""
    return _last_write


def next_write() -> int:
    """Return the number of a new write."""
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


def _array(value: Any) -> Array:
    """Return a number or a list as an array of the type that Keras gives it."""
    array = np.asarray(value)
    return array.astype({"f": floatx(), "i": "int32"}.get(array.dtype.kind, array.dtype))


class Variable:
    """A named array that a layer owns.

    Programs that predict keep what they computed from the value, and ask `version` whether it was
    written since. Assigning to `value` or by `assign` counts; after writing into the array in
    another way, as in `variable.value[0] = 1`, call `mark_written`.

    Attributes:
        value: the array, also where a number or a list was given. Packing replaces it by a view of
            the model's buffer, so keep the variable, not the array. Given as `Later`, it is
            computed when it is first read.
        trainable: whether an optimizer may change it (if the layer is trainable too).
        regularizer: adds to the loss, or None.
        constraint: applied to the value after each step, or None.
        home: the `nn.parameters.Parameters` that it is packed in, or None.
    """

    __slots__ = (
        "_written", "constraint", "home", "later", "name", "owner", "regularizer", "trainable",
        "value",
    )  # fmt: skip
    value: Array

    def __init__(
        self,
        value: Any,
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
            self.value = value if isinstance(value, np.ndarray) else _array(value)
        self.name = name
        self.trainable = trainable
        self.owner = owner
        self.regularizer = regularizer
        self.constraint = constraint
        self.home: Any = None

    @property
    def version(self) -> int:
        """A number that grows with every write of the value."""
        home = self.home
        return self._written if home is None else max(self._written, home.written)

    def mark_written(self) -> None:
        """Note that the elements of `value` were changed."""
        self._written = next_write()

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
    def ndim(self) -> int:
        return len(self.shape)

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

    def assign_add(self, value: Any) -> None:
        """Add `value` to the variable; as `assign`."""
        self.assign(self.value + value)

    def assign_sub(self, value: Any) -> None:
        """Subtract `value` from the variable; as `assign`."""
        self.assign(self.value - value)

    def numpy(self, dtype: Any = None, copy: Any = None) -> Array:
        """Return a copy of the value.

        Raises:
            ConfigError: a loss, penalty or activation asks, which would not train it.
        """
        if of_arguments.get():
            raise ConfigError(f"{self.path}: expected a regularizer, received a function of it")
        return np.array(self.value, dtype)

    __array__ = numpy

    def __repr__(self) -> str:
        return f"<Variable {self.path} {self.shape} {self.dtype}>"


def _computing(name: str) -> Callable[..., Any]:
    return lambda self, *others: getattr(self.numpy(), name)(*others)


# A variable computes as its value does; it equals itself alone, so that it may be a key.
for _name in (
    "abs", "add", "floordiv", "ge", "getitem", "gt", "le", "lt", "matmul", "mod", "mul", "neg",
    "pow", "radd", "rmul", "rpow", "rsub", "rtruediv", "sub", "truediv",
):  # fmt: skip
    setattr(Variable, f"__{_name}__", _computing(f"__{_name}__"))
