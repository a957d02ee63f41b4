"""Dot: products of two inputs, sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn import config, kernels
from nn.context import Context
from nn.errors import ConfigError, ShapeError
from nn.layers.base import Layer, expect_axes
from nn.layers.unit_length import unit_length, unit_length_gradient
from nn.types import Array, Shape, prod


class Dot(Layer):
    """Sum of products over one axis of two inputs: (n, ..., k), (n, ..., k) -> (n, ..., ...).

    Args:
        axes: the axis of both inputs, or a pair of axes; the batch axis can't be one.
        normalize: scale both inputs to length 1 along that axis first: cosine proximity.
    """

    several_inputs = True

    fields: tuple[str, ...] = ("axes", "normalize")

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.axes = axes if isinstance(axes, int) else list(axes)
        self._pair = [axes, axes] if isinstance(axes, int) else list(axes)
        if len(self._pair) != 2:
            raise ConfigError(f"{self.name}: expected one axis or two, received {axes}")
        self.normalize = normalize

    def build(self, *input_shapes: Shape) -> None:
        if len(input_shapes) != 2:
            raise ShapeError(f"{self.name}: expected 2 inputs, received {len(input_shapes)}")
        first, second = self._places(input_shapes)
        sizes = input_shapes[0][first], input_shapes[1][second]
        if 0 in (first, second) or sizes[0] != sizes[1]:
            raise ShapeError(
                f"{self.name}: expected axes of one size besides the batch, received axes "
                f"{self.axes} of {list(input_shapes)}"
            )

    def _places(self, shapes: Sequence[Sequence[Any]]) -> tuple[int, int]:
        for axis, shape in zip(self._pair, shapes, strict=True):
            expect_axes(axis, len(shape), self.name)
        return self._pair[0] % len(shapes[0]), self._pair[1] % len(shapes[1])

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        first, second = self._places(input_shapes)
        x, y = input_shapes
        shape = (*x[:first], *x[first + 1 :], *y[1:second], *y[second + 1 :])
        return shape if len(shape) > 1 else (*shape, 1)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        axes = self._places([x.shape for x in inputs])
        lengths = None
        if self.normalize:
            pairs = [unit_length(x, a, config.epsilon()) for x, a in zip(inputs, axes, strict=True)]
            inputs, lengths = tuple(x for x, _ in pairs), [inverse for _, inverse in pairs]
        rows = [np.moveaxis(x, a, -1) for x, a in zip(inputs, axes, strict=True)]
        x, y = (r.reshape(len(r), prod(r.shape[1:-1]), r.shape[-1]) for r in rows)
        ctx.saved = x, y, [r.shape for r in rows], axes, inputs, lengths
        return kernels.batch_matmul(x, y.transpose(0, 2, 1)).reshape(self._shape(rows))

    def _shape(self, rows: Sequence[Array]) -> tuple[int, ...]:
        x, y = rows
        return (*x.shape[:-1], *y.shape[1:-1]) if x.ndim + y.ndim > 4 else (len(x), 1)

    def backward(self, ctx: Context, dy: Any) -> Any:
        x, y, shapes, axes, inputs, lengths = ctx.saved
        d = dy.reshape(len(x), x.shape[1], y.shape[1])
        parts = kernels.batch_matmul(d, y), kernels.batch_matmul(d.transpose(0, 2, 1), x)
        dx = [
            np.moveaxis(part.reshape(shape), -1, axis)
            for part, shape, axis in zip(parts, shapes, axes, strict=True)
        ]
        if lengths is not None:
            dx = [
                unit_length_gradient(d, unit, axis, *length)
                for d, unit, axis, length in zip(dx, inputs, axes, lengths, strict=True)
            ]
        return tuple(np.ascontiguousarray(d) for d in dx)
