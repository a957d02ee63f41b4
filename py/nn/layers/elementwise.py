"""Activation layers: a function of each element, or along one axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import activations
from nn.activations import Activation as Function
from nn.context import Context
from nn.layers.base import Layer
from nn.types import Array


class Elementwise(Layer):
    """Base of layers that only apply an activation."""

    supports_masking = True
    function: Function

    @property
    def last_activation(self) -> str:
        return self.function.name

    def only_kernels(self, ctx: Context) -> bool:
        return self.function.kernel or ctx.logits

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        if ctx.logits:
            return x
        y = ctx.buffer("y", x.shape)
        self.function.forward(x, y)
        ctx.saved = y if self.function.from_output else x
        return y

    def backward(self, ctx: Context, dy: Any) -> Any:
        if ctx.logits:
            return dy
        dx = ctx.buffer("dx", dy.shape)
        self.function.gradient(dy, ctx.saved, dx)
        return dx


class Activation(Elementwise):
    """Applies the named activation."""

    fields: tuple[str, ...] = ("activation",)

    def __init__(self, activation: Any, **options: Any) -> None:
        super().__init__(**options)
        self.activation = self.function = activations.get(activation)


class ReLU(Elementwise):
    """max(x, 0), with Keras' options max_value, negative_slope and threshold."""

    fields: tuple[str, ...] = ("max_value", "negative_slope", "threshold")

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold
        plain = max_value is None and not negative_slope and not threshold
        self.function = (
            activations.RELU if plain else activations.relu(max_value, negative_slope, threshold)
        )


class LeakyReLU(Elementwise):
    """x above zero, negative_slope * x below (Maas et al. 2013)."""

    fields: tuple[str, ...] = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.3, **options: Any) -> None:
        super().__init__(**options)
        self.negative_slope = negative_slope
        self.function = activations.leaky_relu(negative_slope)


class ELU(Elementwise):
    """x above zero, alpha * (exp(x) - 1) below (Clevert et al. 2015)."""

    fields: tuple[str, ...] = ("alpha",)

    def __init__(self, alpha: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.alpha = alpha
        self.function = activations.elu(alpha)


class Softmax(Elementwise):
    """Softmax over one axis; axis 0 is the batch."""

    fields: tuple[str, ...] = ("axis",)

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = axis
        self.function = activations.SOFTMAX

    @property
    def last_activation(self) -> str:
        return "softmax" if self.axis == -1 else f"softmax over axis {self.axis}"

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        if self.axis == -1:
            return super().forward(ctx, *inputs, training=training)
        moved = np.ascontiguousarray(np.moveaxis(inputs[0], self.axis, -1))
        return np.moveaxis(super().forward(ctx, moved, training=training), -1, self.axis)

    def backward(self, ctx: Context, dy: Any) -> Any:
        if self.axis == -1:
            return super().backward(ctx, dy)
        moved = np.ascontiguousarray(np.moveaxis(dy, self.axis, -1))
        return np.ascontiguousarray(np.moveaxis(super().backward(ctx, moved), -1, self.axis))
