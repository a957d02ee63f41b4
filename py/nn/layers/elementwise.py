"""Activation layers: a function of each element, or along one axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nn import activations, kernels
from nn.activations import Activation as Function
from nn.context import Context
from nn.data.numeric import numeric
from nn.errors import ConfigError, ShapeError
from nn.layers.base import Layer, of_shapes
from nn.types import Array, Shape, prod


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
        self.activation = activations.get(activation)

    @property
    def function(self) -> activations.Activation:  # type: ignore[override]
        return self.activation


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
        self.function = activations.relu_with(negative_slope, max_value, threshold)


class LeakyReLU(Elementwise):
    """x above zero, negative_slope * x below (Maas et al. 2013)."""

    fields: tuple[str, ...] = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.3, **options: Any) -> None:
        super().__init__(**options)
        self.negative_slope = negative_slope
        self.function = activations.leaky_relu_with(negative_slope)


class ELU(Elementwise):
    """x above zero, alpha * (exp(x) - 1) below (Clevert et al. 2015)."""

    fields: tuple[str, ...] = ("alpha",)

    def __init__(self, alpha: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.alpha = alpha
        self.function = activations.elu_with(alpha)


class ThresholdedReLU(Elementwise):
    """x above theta, 0 elsewhere (Konda et al. 2015). TensorFlow.js and Keras 2 have it."""

    fields: tuple[str, ...] = ("theta",)

    def __init__(self, theta: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.theta = theta
        self.function = activations.relu_with(threshold=theta)


class PReLU(Layer):
    """x above zero, alpha * x below, with a trained alpha for each feature (He et al. 2015).

    Args:
        shared_axes: the axes, from 1, along which one alpha serves all places.
    """

    supports_masking = True
    fields: tuple[str, ...] = (
        "alpha_initializer", "alpha_regularizer", "alpha_constraint", "shared_axes"
    )  # fmt: skip

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.set_options("alpha", alpha_initializer, alpha_regularizer, alpha_constraint)
        self.shared_axes = [shared_axes] if isinstance(shared_axes, int) else shared_axes

    def build(self, *input_shapes: Shape) -> None:
        shared = self.shared_axes or ()
        if any(axis not in range(1, len(input_shapes[0])) for axis in shared):
            raise ConfigError(
                f"{self.name}: expected shared axes from 1 to {len(input_shapes[0]) - 1}, "
                f"received {shared}"
            )
        shape = [1 if i in shared else n for i, n in enumerate(input_shapes[0])][1:]
        if None in shape:
            raise ShapeError(
                f"{self.name}: expected an input of known shape but for shared axes {shared}, "
                f"received {input_shapes[0]}"
            )
        self.alpha = self.add_named("alpha", [n for n in shape if n is not None])

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        ctx.saved = x = inputs[0]
        return np.where(x > 0, x, x * self.alpha.value)

    def backward(self, ctx: Context, dy: Any) -> Any:
        x, alpha = ctx.saved, self.alpha
        if ctx.trains(alpha):
            shared = [0, *(i for i, n in enumerate(alpha.shape, 1) if n == 1)]
            low = np.moveaxis(dy * np.minimum(x, 0), shared, range(len(shared)))
            sums = kernels.column_sums(low.reshape(-1, alpha.value.size))
            ctx.gradient(alpha, overwrite=True)[...] = sums.reshape(alpha.shape)
        return np.where(x > 0, dy, dy * alpha.value)


class Softmax(Elementwise):
    """Softmax over one axis, or over several together; axis 0 is the batch.

    Called on arrays with a mask, what it leaves out is 0; it is broadcast to their shape.
    """

    fields: tuple[str, ...] = ("axis",)

    def __init__(self, axis: int | Sequence[int] = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis: Any = list(axis) if isinstance(axis, list | tuple) else axis
        self.function = activations.SOFTMAX

    @property
    def last_activation(self) -> str:
        return "softmax" if self.axis == -1 else f"softmax over axis {self.axis}"

    def run_on(self, items: list[Any], training: Any, mask: Any) -> tuple[Context, Any]:
        if items and mask is not None:
            shape = numeric(items[0], self.name).shape
            with of_shapes(self, [shape]):
                mask = np.broadcast_to(mask, shape)
        return super().run_on(items, training, mask)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,), kept = inputs, ctx.mask
        masked = np.shape(kept) == x.shape
        if masked:
            x = np.where(kept, x, x.dtype.type(-1e9))  # Keras' number
        moved, back = self._together(x)
        y = super().forward(ctx, moved, training=training)
        if masked and not ctx.logits:
            y *= self._together(kept)[0]  # where a mask leaves out all
        return back(y)

    def backward(self, ctx: Context, dy: Any) -> Any:
        moved, back = self._together(dy)
        return back(super().backward(ctx, moved))

    def _together(self, x: Any) -> tuple[Array, Callable[[Array], Array]]:
        """Return an array with all the axes as its last one, and the function that moves back."""
        axes = self.axis if isinstance(self.axis, list) else [self.axis]
        last = range(-len(axes), 0)
        moved = np.moveaxis(x, axes, last)
        flat = moved.reshape(*moved.shape[: last[0]], prod(moved.shape[last[0] :]))
        return np.ascontiguousarray(flat), lambda y: np.ascontiguousarray(
            np.moveaxis(y.reshape(moved.shape), last, axes)
        )
