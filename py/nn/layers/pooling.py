"""Pooling of images: maximum or mean, over windows or the whole image."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import kernels
from nn.context import Context
from nn.layers import padding as pads
from nn.layers.base import expect_rank, pair
from nn.layers.data_format import Spatial
from nn.types import Array, Shape


class Pooling2D(Spatial):
    """Base of pooling layers with windows: their geometry."""

    fields: tuple[str, ...] = ("pool_size", "strides", "padding", "data_format")

    def __init__(
        self,
        pool_size: Any = (2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(data_format, **options)
        self.pool_size = pair(pool_size, "pool_size", self.name)
        self.strides = pair(strides or self.pool_size, "strides", self.name)
        self.padding = pads.check(padding, self.name)
        self._plans: dict[tuple[int, ...], tuple[Any, Any]] = {}

    def build(self, *input_shapes: Shape) -> None:
        expect_rank(input_shapes[0], 4, self)

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        return self.shown_shape(self.output_shape(self.seen_shape(input_shapes[0])))

    def output_shape(self, shape: Shape) -> Shape:
        """Return the output's shape for an input shape, both channels last."""
        n, height, width, channels = shape
        sizes = [
            pads.output_size(size, k, s, 1, self.padding, self.name)
            for size, k, s in zip((height, width), self.pool_size, self.strides, strict=True)
        ]
        return (n, *sizes, channels)

    def plan(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        """Return (output shape, padding), cached per shape."""
        plan = self._plans.get(shape)
        if plan is None:
            padding = pads.both(shape, self.pool_size, self.strides, (1, 1), self.padding)
            plan = self._plans[shape] = self.output_shape(shape), padding
        return plan


class MaxPooling2D(Pooling2D):
    """Maximum of each window: (n, h, w, c) -> (n, oh, ow, c)."""

    def only_kernels(self, ctx: Context) -> bool:
        return not self.channels_first

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        x = self.seen(inputs[0])
        shape, padding = self.plan(x.shape)
        y, argmax = kernels.max_pool2d(
            x,
            self.pool_size,
            strides=self.strides,
            padding=padding,
            out=ctx.buffer("y", shape),
            argmax=ctx.buffer("argmax", shape, "uint8"),
        )
        ctx.saved = x.shape, padding, argmax
        return self.shown(y)

    def backward(self, ctx: Context, dy: Any) -> Any:
        shape, padding, argmax = ctx.saved
        dx = kernels.max_pool2d_gradient(
            self.seen(dy),
            argmax,
            shape,
            self.pool_size,
            strides=self.strides,
            padding=padding,
            out=ctx.buffer("dx", shape),
        )
        return self.shown(dx)


class AveragePooling2D(Pooling2D):
    """Mean of each window, without padding: (n, h, w, c) -> (n, oh, ow, c)."""

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        x = self.seen(inputs[0])
        shape, padding = self.plan(x.shape)
        padded = np.pad(x, ((0, 0), *padding, (0, 0))) if self.padding == "same" else x
        y = ctx.buffer("y", shape)
        y.fill(0)
        for rows, columns in self._places(shape):
            y += padded[:, rows, columns]
        counts = self._counts(x.shape, shape, padding).astype(x.dtype)
        y /= counts
        ctx.saved = x.shape, shape, padding, counts
        return self.shown(y)

    def backward(self, ctx: Context, dy: Any) -> Any:
        (n, h, w, c), shape, ((top, bottom), (left, right)), counts = ctx.saved
        padded = ctx.buffer("padded", (n, h + top + bottom, w + left + right, c))
        padded.fill(0)
        share = self.seen(dy) / counts
        for rows, columns in self._places(shape):
            padded[:, rows, columns] += share
        return self.shown(np.ascontiguousarray(padded[:, top : top + h, left : left + w]))

    def _places(self, shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
        """Return the positions of the elements of each window."""
        (sh, sw), (oh, ow) = self.strides, shape[1:3]
        return [
            (slice(i, i + (oh - 1) * sh + 1, sh), slice(j, j + (ow - 1) * sw + 1, sw))
            for i in range(self.pool_size[0])
            for j in range(self.pool_size[1])
        ]

    def _counts(self, shape: tuple[int, ...], out: tuple[int, ...], padding: Any) -> Array:
        ones = np.pad(np.ones((1, *shape[1:3], 1)), ((0, 0), *padding, (0, 0)))
        total: Array = sum(  # type: ignore[assignment]
            (ones[:, rows, columns] for rows, columns in self._places(out)), np.zeros(1)
        )
        return total


class GlobalPooling2D(Spatial):
    """Base of global pooling layers: (n, h, w, c) -> (n, c), or (n, 1, 1, c) with keepdims."""

    fields: tuple[str, ...] = ("data_format", "keepdims")

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **options: Any
    ) -> None:
        super().__init__(data_format, **options)
        self.keepdims = keepdims

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        expect_rank(input_shapes[0], 4, self)
        n, _, _, c = self.seen_shape(input_shapes[0])
        return self.shown_shape((n, 1, 1, c)) if self.keepdims else (n, c)

    @property
    def image_axes(self) -> tuple[int, int]:
        return (2, 3) if self.channels_first else (1, 2)


class GlobalAveragePooling2D(GlobalPooling2D):
    """The mean of each channel."""

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        ctx.saved = inputs[0].shape
        return np.asarray(inputs[0].mean(axis=self.image_axes, keepdims=self.keepdims))

    def backward(self, ctx: Context, dy: Any) -> Any:
        shape = ctx.saved
        dx = ctx.buffer("dx", shape)
        count = shape[self.image_axes[0]] * shape[self.image_axes[1]]
        dx[...] = (dy if self.keepdims else np.expand_dims(dy, self.image_axes)) / count
        return dx


class GlobalMaxPooling2D(GlobalPooling2D):
    """The maximum of each channel. Equal maxima share the gradient, as in JAX."""

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        top = x.max(axis=self.image_axes, keepdims=True)
        ctx.saved = x == top
        return top if self.keepdims else top.reshape(len(x), -1)

    def backward(self, ctx: Context, dy: Any) -> Any:
        mask = ctx.saved
        wide = dy if self.keepdims else np.expand_dims(dy, self.image_axes)
        share = wide / mask.sum(axis=self.image_axes, keepdims=True)
        return np.multiply(mask, share, out=ctx.buffer("dx", mask.shape))
