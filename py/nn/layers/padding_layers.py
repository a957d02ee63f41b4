"""Zero padding and cropping of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.context import Context
from nn.errors import ConfigError, ShapeError
from nn.layers.base import expect_rank
from nn.layers.data_format import Spatial
from nn.types import Array, Shape


def sides(value: Any, what: str, layer: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return an int, (h, w) or ((top, bottom), (left, right)) in the last form.

    Raises:
        ConfigError: the value is something else.
    """
    both = (value, value) if isinstance(value, int) else tuple(value)
    pairs = [(p, p) if isinstance(p, int) else tuple(p) for p in both]
    if len(pairs) != 2 or any(len(s) != 2 or min(s) < 0 for s in pairs):
        raise ConfigError(
            f"{layer}: {what} must be an int, two ints or two pairs, received {value!r}"
        )
    (top, bottom), (left, right) = pairs
    return (top, bottom), (left, right)


class ZeroPadding2D(Spatial):
    """Add zeros around images; padding is an int, (h, w) or ((top, bottom), (left, right))."""

    fields: tuple[str, ...] = ("padding", "data_format")

    def __init__(
        self, padding: Any = (1, 1), data_format: str | None = None, **options: Any
    ) -> None:
        super().__init__(data_format, **options)
        self.padding = sides(padding, "padding", self.name)

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        expect_rank(input_shapes[0], 4, self)
        n, h, w, c = self.seen_shape(input_shapes[0])
        (top, bottom), (left, right) = self.padding
        height = None if h is None else h + top + bottom
        return self.shown_shape((n, height, None if w is None else w + left + right, c))

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        around = (*self.padding, (0, 0))
        return np.pad(
            inputs[0], ((0, 0), *(around[2:] + around[:2] if self.channels_first else around))
        )

    def backward(self, ctx: Context, dy: Any) -> Any:
        return np.ascontiguousarray(inner(dy, self.padding, self.channels_first))


class Cropping2D(Spatial):
    """Remove the borders of images; cropping has the forms of `ZeroPadding2D`'s padding."""

    fields: tuple[str, ...] = ("cropping", "data_format")

    def __init__(
        self,
        cropping: Any = ((0, 0), (0, 0)),
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(data_format, **options)
        self.cropping = sides(cropping, "cropping", self.name)

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        expect_rank(input_shapes[0], 4, self)
        n, *sizes, c = self.seen_shape(input_shapes[0])
        left = [
            None if size is None else size - sum(cut)
            for size, cut in zip(sizes, self.cropping, strict=True)
        ]
        if any(size is not None and size < 1 for size in left):
            raise ShapeError(f"{self.name}: cropping {self.cropping} leaves nothing of {sizes}")
        return self.shown_shape((n, *left, c))

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        ctx.saved = inputs[0].shape
        return np.ascontiguousarray(inner(inputs[0], self.cropping, self.channels_first))

    def backward(self, ctx: Context, dy: Any) -> Any:
        dx = ctx.buffer("dx", ctx.saved)
        dx.fill(0)
        inner(dx, self.cropping, self.channels_first)[...] = dy
        return dx


def inner(x: Array, around: Any, channels_first: bool) -> Array:
    """Return a view of images (n, h, w, c) or (n, c, h, w) without their borders."""
    (top, bottom), (left, right) = around
    h, w = x.shape[2:] if channels_first else x.shape[1:3]
    place = slice(top, h - bottom), slice(left, w - right)
    return x[:, :, *place] if channels_first else x[:, *place]
