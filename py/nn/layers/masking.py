"""Masking: mark the steps of a sequence that are padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn.context import Context
from nn.layers.base import Layer
from nn.types import Array


class Masking(Layer):
    """Mask the steps of (n, steps, features) whose features all equal `mask_value`.

    The values of masked steps become zero. Recurrent layers and the loss skip masked steps; layers
    between them pass the mask on if they keep the steps.
    """

    fields: tuple[str, ...] = ("mask_value",)
    supports_masking = begins_mask = True

    def __init__(self, mask_value: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.mask_value = mask_value

    def mask_after(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Any:
        return (inputs[0] != self.mask_value).any(axis=-1)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        ctx.saved = kept = (x != self.mask_value).any(axis=-1, keepdims=True)
        return np.multiply(x, kept, out=ctx.buffer("y", x.shape))

    def backward(self, ctx: Context, dy: Any) -> Any:
        return np.multiply(dy, ctx.saved, out=ctx.buffer("dx", dy.shape))
