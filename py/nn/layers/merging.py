"""Layers of several inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.context import Context
from nn.errors import ShapeError
from nn.layers.base import Layer
from nn.types import Array, Shape


class Merge(Layer):
    """Base of the elementwise ones: two inputs or more, all of one shape."""

    def build(self, *input_shapes: Shape) -> None:
        if len(input_shapes) < 2 or len({s[1:] for s in input_shapes}) > 1:
            raise ShapeError(
                f"{self.name}: expected 2 or more inputs of one shape, received {input_shapes}"
            )


class Add(Merge):
    """The sum of the inputs."""

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        y = np.add(inputs[0], inputs[1], out=ctx.buffer("y", inputs[0].shape))
        for x in inputs[2:]:
            y += x
        ctx.saved = len(inputs)
        return y

    def backward(self, ctx: Context, dy: Any) -> Any:
        return (dy,) * ctx.saved


class Multiply(Merge):
    """The product of the inputs."""

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        y = np.multiply(inputs[0], inputs[1], out=ctx.buffer("y", inputs[0].shape))
        for x in inputs[2:]:
            y *= x
        ctx.saved = inputs
        return y

    def backward(self, ctx: Context, dy: Any) -> Any:
        return tuple(self._others(ctx, i, dy) for i in range(len(ctx.saved)))

    @staticmethod
    def _others(ctx: Context, i: int, dy: Array) -> Array:
        dx = ctx.buffer(f"dx{i}", dy.shape)
        np.copyto(dx, dy)
        for j, x in enumerate(ctx.saved):
            if j != i:
                dx *= x
        return dx


class Concatenate(Layer):
    """The inputs side by side along `axis`."""

    fields: tuple[str, ...] = ("axis",)

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = axis

    def build(self, *input_shapes: Shape) -> None:
        rest = {self._without_axis(s) for s in input_shapes}
        if len(input_shapes) < 2 or len(rest) > 1:
            raise ShapeError(
                f"{self.name}: expected 2 or more inputs equal but for axis {self.axis}, "
                f"received {input_shapes}"
            )

    def _without_axis(self, shape: Shape) -> Shape:
        axis = self.axis % len(shape)
        return shape[:axis] + shape[axis + 1 :]

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        first = list(input_shapes[0])
        sizes = [s[self.axis] for s in input_shapes]
        known = [n for n in sizes if n is not None]
        first[self.axis] = sum(known) if len(known) == len(sizes) else None
        return tuple(first)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        ctx.saved = np.cumsum([x.shape[self.axis] for x in inputs])[:-1]
        return np.concatenate(inputs, axis=self.axis)

    def backward(self, ctx: Context, dy: Any) -> Any:
        return tuple(np.ascontiguousarray(d) for d in np.split(dy, ctx.saved, axis=self.axis))
