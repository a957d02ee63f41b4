"""Pooling over images, channels last."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import kernels
from nn.context import Context
from nn.layers import padding as pads
from nn.layers.base import Layer, expect_rank, pair
from nn.types import Array, Shape


class Pooling2D(Layer):
    """Base of the two windowed poolings: geometry only."""

    fields: tuple[str, ...] = ("pool_size", "strides", "padding", "data_format")

    def __init__(
        self,
        pool_size: Any = (2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.pool_size = pair(pool_size, "pool_size", self.name)
        self.strides = pair(strides or self.pool_size, "strides", self.name)
        self.padding = pads.check(padding, self.name)
        self.data_format = pads.channels_last(data_format, self.name)
        self._plans: dict[tuple[int, ...], tuple[Any, Any]] = {}

    def build(self, *input_shapes: Shape) -> None:
        expect_rank(input_shapes[0], 4, self)

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        n, height, width, channels = input_shapes[0]
        sizes = [
            pads.output_size(size, k, s, 1, self.padding, self.name)
            for size, k, s in zip((height, width), self.pool_size, self.strides, strict=True)
        ]
        return (n, *sizes, channels)

    def plan(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        """Return (output shape, padding), computed once a shape."""
        plan = self._plans.get(shape)
        if plan is None:
            padding = pads.both(shape, self.pool_size, self.strides, (1, 1), self.padding)
            plan = self._plans[shape] = self.compute_output_shape(shape), padding
        return plan


class MaxPooling2D(Pooling2D):
    """The largest of each window: (n, h, w, c) -> (n, oh, ow, c)."""

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
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
        return y

    def backward(self, ctx: Context, dy: Any) -> Any:
        shape, padding, argmax = ctx.saved
        return kernels.max_pool2d_gradient(
            dy,
            argmax,
            shape,
            self.pool_size,
            strides=self.strides,
            padding=padding,
            out=ctx.buffer("dx", shape),
        )


class AveragePooling2D(Pooling2D):
    """The mean of each window, padding not counted: (n, h, w, c) -> (n, oh, ow, c)."""

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        shape, padding = self.plan(x.shape)
        padded = np.pad(x, ((0, 0), *padding, (0, 0))) if self.padding == "same" else x
        y = ctx.buffer("y", shape)
        y.fill(0)
        for rows, columns in self._places(shape):
            y += padded[:, rows, columns]
        counts = self._counts(x.shape, shape, padding).astype(x.dtype)
        y /= counts
        ctx.saved = x.shape, shape, padding, counts
        return y

    def backward(self, ctx: Context, dy: Any) -> Any:
        (n, h, w, c), shape, ((top, bottom), (left, right)), counts = ctx.saved
        padded = ctx.buffer("padded", (n, h + top + bottom, w + left + right, c))
        padded.fill(0)
        share = dy / counts
        for rows, columns in self._places(shape):
            padded[:, rows, columns] += share
        return np.ascontiguousarray(padded[:, top : top + h, left : left + w])

    def _places(self, shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
        """Return where each element of the windows lies."""
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


class GlobalPooling2D(Layer):
    """Base of the two global ones: (n, h, w, c) -> (n, c), or (n, 1, 1, c) with keepdims."""

    fields: tuple[str, ...] = ("data_format", "keepdims")

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **options: Any
    ) -> None:
        super().__init__(**options)
        self.data_format = pads.channels_last(data_format, self.name)
        self.keepdims = keepdims

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        expect_rank(input_shapes[0], 4, self)
        n, _, _, c = input_shapes[0]
        return (n, 1, 1, c) if self.keepdims else (n, c)


class GlobalAveragePooling2D(GlobalPooling2D):
    """The mean of each channel."""

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        ctx.saved = inputs[0].shape
        return np.asarray(inputs[0].mean(axis=(1, 2), keepdims=self.keepdims))

    def backward(self, ctx: Context, dy: Any) -> Any:
        n, h, w, c = ctx.saved
        dx = ctx.buffer("dx", ctx.saved)
        dx[...] = dy.reshape(n, 1, 1, c) / (h * w)
        return dx


class GlobalMaxPooling2D(GlobalPooling2D):
    """The maximum of each channel; its gradient is shared among equals, as JAX does."""

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        top = x.max(axis=(1, 2), keepdims=True)
        ctx.saved = x == top
        return top if self.keepdims else top[:, 0, 0]

    def backward(self, ctx: Context, dy: Any) -> Any:
        mask = ctx.saved
        share = dy.reshape(len(mask), 1, 1, -1) / mask.sum(axis=(1, 2), keepdims=True)
        return np.multiply(mask, share, out=ctx.buffer("dx", mask.shape))
