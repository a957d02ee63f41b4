"""Zero padding and cropping of sequences, images and volumes."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import kernels
from nn.context import Context
from nn.errors import ConfigError, ShapeError
from nn.layers.data_format import Spatial
from nn.types import Array, Shape


def sides(value: Any, rank: int, what: str, layer: str) -> tuple[tuple[int, int], ...]:
    """Return an int, one int for each axis or one pair for each axis as pairs (before, after).

    Raises:
        ConfigError: the value is something else.
    """
    each = (value,) * rank if isinstance(value, int) else tuple(value)
    if rank == 1 and len(each) == 2 and all(isinstance(n, int) for n in each):
        each = (each,)
    pairs = tuple((p, p) if isinstance(p, int) else tuple(p) for p in each)
    if len(pairs) != rank or any(
        len(s) != 2 or not all(isinstance(n, int) and 0 <= n < 2**31 for n in s) for s in pairs
    ):
        raise ConfigError(
            f"{layer}: {what} must be an int, or an int or a pair for each of {rank} axes, "
            f"received {value!r}"
        )
    return pairs  # type: ignore[return-value]


class Edges(Spatial):
    """Base of layers that add to or take from both ends of each axis."""

    def edges(self) -> list[tuple[int, int]]:
        """Return the amounts before and after, for each axis of the input."""
        around: Any = getattr(self, self.fields[0])
        pairs = [tuple(around)] if self.rank == 1 else list(around)
        return [(0, 0), *([(0, 0), *pairs] if self.channels_first else [*pairs, (0, 0)])]

    def inner(self, x: Array) -> Array:
        """Return a view without the edges."""
        return x[tuple(slice(b, n - a) for n, (b, a) in zip(x.shape, self.edges(), strict=True))]

    def resized(self, shape: Shape, sign: int) -> Shape:
        """Return the shape with the edges added (sign 1) or taken away (-1)."""
        self.expect_axes(shape)
        return tuple(
            None if n is None else n + sign * sum(edge)
            for n, edge in zip(shape, self.edges(), strict=True)
        )


class ZeroPadding2D(Edges):
    """Add zeros around images; padding is an int, (h, w) or ((top, bottom), (left, right))."""

    fields: tuple[str, ...] = ("padding", "data_format")

    def __init__(self, padding: Any = 1, data_format: str | None = None, **options: Any) -> None:
        super().__init__(data_format, **options)
        pairs = sides(padding, self.rank, "padding", self.name)
        self.padding = pairs[0] if self.rank == 1 else pairs

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        return self.resized(input_shapes[0], 1)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        x = inputs[0]
        shape = tuple(n + sum(edge) for n, edge in zip(x.shape, self.edges(), strict=True))
        y = ctx.buffer("y", shape)
        if self.rank == 2 and not self.channels_first:
            return kernels.pad2d(x, self.padding, y)  # type: ignore[arg-type]
        y.fill(0)
        self.inner(y)[...] = x
        return y

    def backward(self, ctx: Context, dy: Any) -> Any:
        return np.ascontiguousarray(self.inner(dy))


class ZeroPadding1D(ZeroPadding2D):
    """Add zeros before and after sequences (n, steps, c); padding is an int or (before, after)."""

    rank = 1


class ZeroPadding3D(ZeroPadding2D):
    """Add zeros around volumes (n, d, h, w, c); padding is an int, three ints or three pairs."""

    rank = 3


class Cropping2D(Edges):
    """Remove the borders of images; cropping has the forms of `ZeroPadding2D`'s padding."""

    fields: tuple[str, ...] = ("cropping", "data_format")

    def __init__(self, cropping: Any = 0, data_format: str | None = None, **options: Any) -> None:
        super().__init__(data_format, **options)
        pairs = sides(cropping, self.rank, "cropping", self.name)
        self.cropping = pairs[0] if self.rank == 1 else pairs

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        shape = self.resized(input_shapes[0], -1)
        if any(n is not None and n < 1 for n in shape):
            raise ShapeError(
                f"{self.name}: cropping {self.cropping} leaves nothing of {input_shapes[0]}"
            )
        return shape

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        ctx.saved = inputs[0].shape
        self.compute_output_shape((None, *ctx.saved[1:]))  # of sizes that no graph knew
        return np.ascontiguousarray(self.inner(inputs[0]))

    def backward(self, ctx: Context, dy: Any) -> Any:
        dx = ctx.buffer("dx", ctx.saved)
        dx.fill(0)
        self.inner(dx)[...] = dy
        return dx


class Cropping1D(Cropping2D):
    """Remove the ends of sequences (n, steps, c); cropping is an int or (before, after)."""

    rank = 1
    fields: tuple[str, ...] = ("cropping",)

    def __init__(self, cropping: Any = 1, **options: Any) -> None:
        super().__init__(cropping, **options)


class Cropping3D(Cropping2D):
    """Remove the borders of volumes (n, d, h, w, c); cropping is an int, three ints or pairs."""

    rank = 3

    def __init__(self, cropping: Any = 1, data_format: str | None = None, **options: Any) -> None:
        super().__init__(cropping, data_format, **options)
