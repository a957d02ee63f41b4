"""Arithmetic of symbolic tensors, numbers and arrays: `a + b`, `1 - a`, `a / b`, `a[:, 0]`.

Each operator is a layer of the graph, which hands no masks on, as Keras' operations do not. Sums,
differences, products and quotients with a number are `Rescaling`, those of two tensors the merging
layers, an array being a `ConstantArray`; the rest is here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import kernels
from nn.context import Context
from nn.errors import ConfigError, ShapeError
from nn.graph import SymbolicTensor
from nn.layers import merging
from nn.layers.base import Layer
from nn.layers.constant import constant
from nn.layers.dot_product import Dot
from nn.layers.rescaling import Rescaling
from nn.layers.shaping import Reshape
from nn.types import Array, Shape, prod


class Divide(merging.Merge):
    """The first input divided by the second: (n, ...), (n, ...) -> (n, ...)."""

    two = True

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (a, b), y = self.raised(ctx, inputs)
        ctx.saved = a, b
        return np.divide(a, b, out=y)

    def backward(self, ctx: Context, dy: Any) -> Any:
        a, b = ctx.saved
        da = dy / b
        return self.narrowed(ctx, (da, -da * a / b))


class Power(Layer):
    """Each element to the power of a number."""

    supports_masking = True
    fields: tuple[str, ...] = ("exponent",)

    def __init__(self, exponent: float, **options: Any) -> None:
        super().__init__(**options)
        self.exponent = exponent

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        ctx.saved = x
        return np.power(x, x.dtype.type(self.exponent), out=ctx.buffer("y", x.shape))

    def backward(self, ctx: Context, dy: Any) -> Any:
        x = ctx.saved
        slope = np.power(x, x.dtype.type(self.exponent - 1))
        return np.multiply(dy, x.dtype.type(self.exponent) * slope, out=ctx.buffer("dx", dy.shape))


class Log(Layer):
    """The natural logarithm of each element."""

    supports_masking = True

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        ctx.saved = x
        return np.log(x, out=ctx.buffer("y", x.shape))

    def backward(self, ctx: Context, dy: Any) -> Any:
        return np.divide(dy, ctx.saved, out=ctx.buffer("dx", dy.shape))


class Matmul(Layer):
    """Products of matrices, for each sample and all axes before the last two:
    (n, ..., t, d), (n, ..., d, s) -> (n, ..., t, s). Axes of size 1 before the last two are
    repeated.

    Raises:
        ShapeError: other than two inputs, or shapes that do not fit.
    """

    several_inputs = True

    def build(self, *input_shapes: Shape) -> None:
        a, b = input_shapes if len(input_shapes) == 2 else ((), ())
        pairs = (
            [(a[-1], b[-2]), *zip(a[1:-2], b[1:-2], strict=False)] if len(a) > 2 < len(b) else []
        )
        fit = all(x == y or None in (x, y) or (n and 1 in (x, y)) for n, (x, y) in enumerate(pairs))
        if not pairs or len(a) != len(b) or not fit:
            raise ShapeError(
                f"{self.name}: expected (n, ..., t, d) and (n, ..., d, s), received "
                f"{list(input_shapes)}"
            )

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        a, b = input_shapes
        between = [y if x == 1 else x for x, y in zip(a[1:-2], b[1:-2], strict=True)]
        return (a[0], *between, a[-2], b[-1])

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        between = np.broadcast_shapes(*[x.shape[:-2] for x in inputs])
        a, b = (_matrices(np.broadcast_to(x, (*between, *x.shape[-2:]))) for x in inputs)
        ctx.saved = a, b, [x.shape for x in inputs]
        return kernels.batch_matmul(a, b).reshape(*between, a.shape[-2], b.shape[-1])

    def backward(self, ctx: Context, dy: Any) -> Any:
        (a, b, shapes), d = ctx.saved, _matrices(dy)
        da = kernels.batch_matmul(d, b.transpose(0, 1, 3, 2))
        db = kernels.batch_matmul(a.transpose(0, 1, 3, 2), d)
        whole = [part.reshape(*dy.shape[:-2], *part.shape[2:]) for part in (da, db)]
        return tuple(merging.narrowed(part, s) for part, s in zip(whole, shapes, strict=True))


def _matrices(x: Any) -> Any:
    return x.reshape(len(x), prod(x.shape[1:-2]), *x.shape[-2:])


class GetItem(Layer):
    """A part of each sample, as `x[:, 1:3, 0]`.

    Args:
        index: for each axis after the batch an int, or [start, stop, step].
    """

    fields: tuple[str, ...] = ("index",)

    def __init__(self, index: Any, **options: Any) -> None:
        super().__init__(**options)
        self.index = [list(i) if isinstance(i, list | tuple) else int(i) for i in index]

    @property
    def _places(self) -> tuple[Any, ...]:
        inner = [slice(*i) if isinstance(i, list) else i for i in self.index]
        return (slice(None), *inner)

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        if len(self.index) > len(shape) - 1:
            raise ShapeError(
                f"{self.name}: expected at most {len(shape) - 1} indices after the batch's, "
                f"received {len(self.index)}"
            )
        sizes: list[int | None] = [shape[0]]
        for axis, size in enumerate(shape[1:]):
            index = self.index[axis] if axis < len(self.index) else [None, None, None]
            if isinstance(index, int):
                if size is not None and not -size <= index < size:
                    raise ShapeError(
                        f"{self.name}: expected an index below {size}, received {index}"
                    )
            elif size is None:
                sizes.append(None)
            else:
                sizes.append(len(range(*slice(*index).indices(size))))
        return tuple(sizes)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        ctx.saved = x.shape
        try:
            return np.ascontiguousarray(x[self._places])
        except IndexError as error:  # on an axis whose size no graph knows
            raise ShapeError(f"{self.name}: expected inputs with {self.index}: {error}") from error

    def backward(self, ctx: Context, dy: Any) -> Any:
        dx = ctx.buffer("dx", ctx.saved)
        dx.fill(0)
        dx[self._places] = dy
        return dx


def binary(operator: str, a: Any, b: Any) -> Any:
    """Return a symbolic tensor: one of "+-*/" or "**" applied to tensors, numbers and arrays.

    Returns NotImplemented where one of them is none of these.
    """
    a, b = _operand(a, b), _operand(b, a)
    if not all(isinstance(value, SymbolicTensor) or _number(value) is not None for value in (a, b)):
        return NotImplemented
    if isinstance(a, SymbolicTensor) and isinstance(b, SymbolicTensor):
        if operator == "**":
            raise ConfigError(f"expected a number as exponent, received {b!r}")
        return _MERGES[operator](masking=False)([a, b])
    if isinstance(a, SymbolicTensor):
        return _by_number(operator, a, _number(b) or 0.0)
    number = _number(a) or 0.0
    if operator == "/":
        return _scaled(_powered(b, -1.0), number)
    if operator == "**":
        raise ConfigError(f"expected a number as exponent, received {b!r}")
    if operator == "-":
        return _scaled(b, -1.0, number)
    return _by_number(operator, b, number)


def _operand(value: Any, other: Any) -> Any:
    """Return an array of axes as a tensor of the graph of `other`, and all else as it is."""
    if not hasattr(value, "__array__") or not np.ndim(value):
        return value
    return constant(value, [other], f"the operand of {other!r}", len(other.shape))


def magnitude(tensor: SymbolicTensor) -> Any:
    """Return the absolute values: the larger of a value and its negative."""
    return merging.Maximum(masking=False)([tensor, _scaled(tensor, -1.0)])


def product(a: SymbolicTensor, b: Any) -> Any:
    """Return the matrix products of two tensors: (n, ..., t, d) @ (n, ..., d, s).

    Returns NotImplemented where `b` is not a tensor.
    """
    if not isinstance(b, SymbolicTensor):
        return NotImplemented
    three = len(a.shape) == len(b.shape) == 3  # what TensorFlow.js has
    return (Dot(axes=(2, 1)) if three else Matmul(masking=False))([a, b])


_MERGES = {"+": merging.Add, "-": merging.Subtract, "*": merging.Multiply, "/": Divide}


def _by_number(operator: str, tensor: SymbolicTensor, number: float) -> Any:
    if operator == "**":
        return _powered(tensor, number)
    if operator in "+-":
        return _scaled(tensor, 1.0, number if operator == "+" else -number)
    if operator == "/" and not number:
        raise ConfigError(f"expected a divisor other than 0 of {tensor!r}")
    return _scaled(tensor, number if operator == "*" else 1 / number)


def _scaled(tensor: Any, scale: float, offset: float = 0.0) -> Any:
    return Rescaling(scale, offset, masking=False)(tensor)


def _powered(tensor: Any, exponent: float) -> Any:
    return Power(exponent, masking=False)(tensor)


def _number(value: Any) -> float | None:
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return float(value)
    return float(value) if isinstance(value, np.ndarray) and not value.ndim else None


def part(tensor: SymbolicTensor, index: Any) -> Any:
    """Return `tensor[index]`: ints, slices and None for a new axis, the batch axis whole."""
    items = list(index) if isinstance(index, tuple) else [index]
    if items.count(Ellipsis) > 1:
        raise ConfigError(f"{tensor!r}: expected at most one ..., received {index!r}")
    if Ellipsis in items:
        place = items.index(Ellipsis)
        rest = len(tensor.shape) - len(items) + 1 + items.count(None)
        items[place : place + 1] = [slice(None)] * rest
    if items[0] != slice(None):
        raise ConfigError(f"{tensor!r}: expected the whole batch, as x[:, ...], received {index!r}")
    if not all(isinstance(i, int | slice | np.integer | None) for i in items):
        raise ConfigError(f"{tensor!r}: expected ints, slices and None, received {index!r}")
    kept = [i for i in items[1:] if i is not None]
    inner = [[i.start, i.stop, i.step] if isinstance(i, slice) else int(i) for i in kept]
    found = GetItem(inner)(tensor)
    if None not in items:
        return found
    sizes = iter(found.shape)
    shape = [1 if i is None else next(sizes) for i in items if isinstance(i, slice | None)]
    return Reshape([-1 if n is None else n for n in (*shape, *sizes)][1:])(found)
