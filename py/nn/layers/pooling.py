"""Pooling over images, channels last."""

from __future__ import annotations

from typing import Any

from nn import kernels
from nn.context import Context
from nn.layers import padding as pads
from nn.layers.base import Layer, expect_rank, pair
from nn.types import Array, Shape


class Pooling2D(Layer):
    """Base of the two windowed poolings: geometry only."""

    fields = ("pool_size", "strides", "padding", "data_format")

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
