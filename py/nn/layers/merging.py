"""Merging layers: several inputs, one output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn.context import Context
from nn.errors import ShapeError
from nn.layers.base import Layer
from nn.types import Array, Shape


class Merge(Layer):
    """Base of elementwise merging layers: two or more inputs of one shape."""

    supports_masking = True

    def compute_mask(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Any:
        known = [m for m in masks if m is not None]
        return np.logical_or.reduce(known) if len(known) == len(masks) else None

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
    """The product of the inputs; masked steps of an input count as 1."""

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        if any(m is not None for m in ctx.masks):
            return self._forward_masked(ctx, inputs)
        ctx.child("masks").saved = None
        y = np.multiply(inputs[0], inputs[1], out=ctx.buffer("y", inputs[0].shape))
        for x in inputs[2:]:
            y *= x
        ctx.saved = inputs
        return y

    def _forward_masked(self, ctx: Context, inputs: Sequence[Array]) -> Array:
        kept = [True if m is None else m[..., None] for m in ctx.masks]
        ctx.saved = [np.where(k, x, x.dtype.type(1)) for k, x in zip(kept, inputs, strict=True)]
        shown = np.logical_or.reduce(kept) if all(k is not True for k in kept) else True
        ctx.child("masks").saved = kept, shown
        return np.multiply.reduce(ctx.saved) * shown

    def backward(self, ctx: Context, dy: Any) -> Any:
        masks = ctx.child("masks").saved
        if masks is None:
            return tuple(self._others(ctx, i, dy) for i in range(len(ctx.saved)))
        kept, shown = masks
        return tuple(self._others(ctx, i, dy * shown) * k for i, k in enumerate(kept))

    @staticmethod
    def _others(ctx: Context, i: int, dy: Array) -> Array:
        dx = ctx.buffer(f"dx{i}", dy.shape)
        np.copyto(dx, dy)
        for j, x in enumerate(ctx.saved):
            if j != i:
                dx *= x
        return dx


class Concatenate(Layer):
    """The inputs concatenated along `axis`."""

    supports_masking = True

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

    def compute_mask(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Any:
        if all(m is None for m in masks):
            return None
        filled = [
            np.ones(x.shape[:2], bool) if m is None else m
            for x, m in zip(inputs, masks, strict=True)
        ]
        if self.axis % inputs[0].ndim == 1:
            return np.concatenate(filled, axis=1)
        return np.logical_or.reduce(filled)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        ctx.saved = np.cumsum([x.shape[self.axis] for x in inputs])[:-1]
        return np.concatenate(inputs, axis=self.axis)

    def backward(self, ctx: Context, dy: Any) -> Any:
        return tuple(np.ascontiguousarray(d) for d in np.split(dy, ctx.saved, axis=self.axis))
