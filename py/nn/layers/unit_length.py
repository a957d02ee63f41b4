"""Scaling to length 1 along an axis, and the layer that does so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn.context import Context
from nn.layers.base import Layer
from nn.types import Array


def unit_length(x: Array, axis: Any, epsilon: float) -> tuple[Array, tuple[Array, Array]]:
    """Return x scaled to length 1, and (the factors, where they depend on x).

    A length below `epsilon` counts as `epsilon`.
    """
    with np.errstate(divide="ignore"):
        inverse = 1 / np.sqrt(np.square(x).sum(axis=axis, keepdims=True))
    free = inverse < 1 / epsilon
    inverse = np.where(free, inverse, x.dtype.type(1 / epsilon))
    return x * inverse, (inverse, free)


def unit_length_gradient(dy: Array, unit: Array, axis: Any, inverse: Array, free: Array) -> Array:
    """Return the gradient of x, given those of the scaled x, `unit`."""
    along = (dy * unit).sum(axis=axis, keepdims=True) * free
    return np.asarray((dy - unit * along) * inverse)


class UnitNormalization(Layer):
    """Scale each sample to length 1 along `axis`, or along several axes together."""

    supports_masking = True
    fields: tuple[str, ...] = ("axis",)

    def __init__(self, axis: int | Sequence[int] = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = axis if isinstance(axis, int) else list(axis)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        axis = self.axis if isinstance(self.axis, int) else tuple(self.axis)
        y, length = unit_length(inputs[0], axis, 1e-12)
        ctx.saved = y, axis, *length
        return y

    def backward(self, ctx: Context, dy: Any) -> Any:
        return unit_length_gradient(dy, *ctx.saved)
