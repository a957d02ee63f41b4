"""Input, Dense, Activation and the layers that only apply a function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from nn import activations, kernels
from nn.activations import Activation as Function
from nn.arguments import LeftOut
from nn.context import Context
from nn.errors import ConfigError, ShapeError
from nn.graph import Node, SymbolicTensor
from nn.layers import formats
from nn.layers.base import Layer, positive
from nn.types import Array, Shape, prod

LORA: LeftOut = {
    "lora_rank": (None, "there are no low-rank adapters"),
    "lora_alpha": (None, "there are no low-rank adapters"),
    "quantization_config": (None, "nn.quantize is for files; layers compute in floats"),
}


class InputLayer(Layer):
    """The place where data enter a graph; made by `Input`."""

    fields: tuple[str, ...] = ("shape", "batch_size")
    left_out: ClassVar[LeftOut] = {
        "sparse": (None, "arrays are dense"),
        "ragged": (None, "arrays are rectangular"),
        "input_tensor": (None, "an input is data, not another tensor"),
        "optional": (False, "every input of a model is needed"),
    }

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        *,
        batch_shape: Sequence[int | None] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if (shape is None) == (batch_shape is None) or (batch_shape and batch_size):
            raise ConfigError(
                f"{self.name}: expected shape (and batch_size) or batch_shape, received "
                f"shape={shape}, batch_size={batch_size}, batch_shape={batch_shape}"
            )
        if batch_shape is not None:
            batch_size, *shape = batch_shape
        self.shape = tuple(shape or ())
        self.batch_size = batch_size
        self.built = True
        self.node = Node(self, [], [(batch_size, *self.shape)], self.dtype)

    @property
    def output(self) -> SymbolicTensor:
        return self.node.outputs[0]


def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    name: str | None = None,
    batch_shape: Sequence[int | None] | None = None,
) -> SymbolicTensor:
    """Return a symbolic tensor for data of `shape` (batch axis left out), or of `batch_shape`."""
    layer = InputLayer(shape, batch_size, batch_shape=batch_shape, dtype=dtype, name=name)
    return layer.output


def activate(function: Function, ctx: Context, z: Array) -> Array:
    """Apply an activation to `z`, a buffer of the caller's own, keeping what the gradient needs."""
    if function is activations.LINEAR or ctx.logits:
        return z
    y = z if function.from_output else ctx.buffer("activated", z.shape)
    function.forward(z, y)
    return y


def activate_backward(function: Function, ctx: Context, dy: Array, v: Array) -> Array:
    """Return dz; `v` is y or z, as the function's gradient wants."""
    if function is activations.LINEAR or ctx.logits:
        return dy
    dz = ctx.buffer("dz", dy.shape)
    function.gradient(dy, v, dz)
    return dz


class Dense(Layer):
    """activation(x @ kernel + bias) over the last axis: (n, ..., inputs) -> (n, ..., units).

    Kernel (inputs, units), bias (units,), as `keras.layers.Dense`.
    """

    supports_masking = True
    fields: tuple[str, ...] = (
        "units", "activation", "use_bias", "kernel_initializer", "bias_initializer",
        "kernel_regularizer", "bias_regularizer", "activity_regularizer", "kernel_constraint",
        "bias_constraint",
    )  # fmt: skip
    left_out = LORA

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **options)
        self.units = positive(units, "units", self.name)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.set_options("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self.set_options("bias", bias_initializer, bias_regularizer, bias_constraint)

    @property
    def last_activation(self) -> str:
        return self.activation.name

    def build(self, *input_shapes: Shape) -> None:
        (shape,) = input_shapes
        inputs = shape[-1]
        if len(shape) < 2 or inputs is None:
            raise ShapeError(
                f"{self.name}: expected (n, ..., inputs) with inputs known, received {shape}"
            )
        self.kernel = self.add_named("kernel", (inputs, self.units))
        self.bias = self.add_named("bias", (self.units,)) if self.use_bias else None

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        return (*input_shapes[0][:-1], self.units)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        rows = x.reshape(-1, x.shape[-1])
        function = self.activation
        z = kernels.matmul(
            rows,
            self.kernel.value,
            ctx.buffer("z", (rows.shape[0], self.units)),
            bias=self.bias.value if self.bias else None,
            activation=function.name if function.fused else None,
        )
        y = z if function.fused else activate(function, ctx, z)
        ctx.saved = x.shape, rows, y if function.from_output else z
        return y if x.ndim == 2 else y.reshape(*x.shape[:-1], self.units)

    def backward(self, ctx: Context, dy: Any) -> Any:
        shape, rows, v = ctx.saved
        dz = activate_backward(self.activation, ctx, dy.reshape(v.shape), v)
        if ctx.trains(self.kernel):
            kernels.matmul(rows.T, dz, ctx.gradient(self.kernel, overwrite=True))
        if self.bias and ctx.trains(self.bias):
            kernels.column_sums(dz, ctx.gradient(self.bias, overwrite=True))
        if not ctx.needs_input_gradient:
            return None
        dx = kernels.matmul(dz, self.kernel.value.T, ctx.buffer("dx", rows.shape))
        return dx if len(shape) == 2 else dx.reshape(shape)


class Elementwise(Layer):
    """Base of the layers that only apply a function."""

    supports_masking = True
    function: Function

    @property
    def last_activation(self) -> str:
        return self.function.name

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
    """Apply the activation of that name."""

    fields: tuple[str, ...] = ("activation",)

    def __init__(self, activation: Any, **options: Any) -> None:
        super().__init__(**options)
        self.activation = self.function = activations.get(activation)


class ReLU(Elementwise):
    """relu with Keras' three options."""

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
    """x above zero, negative_slope * x below."""

    fields: tuple[str, ...] = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.3, **options: Any) -> None:
        super().__init__(**options)
        self.negative_slope = negative_slope
        self.function = activations.leaky_relu(negative_slope)


class ELU(Elementwise):
    """x above zero, alpha * (exp(x) - 1) below."""

    fields: tuple[str, ...] = ("alpha",)

    def __init__(self, alpha: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.alpha = alpha
        self.function = activations.elu(alpha)


class Softmax(Elementwise):
    """Softmax over one axis; 0 is the batch's."""

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


class Flatten(Layer):
    """(n, a, b, ...) -> (n, a * b * ...), without a copy where channels are last.

    With data_format="channels_first" the channels are moved last before, as Keras does, so that a
    model's weights fit either order.
    """

    fields: tuple[str, ...] = ("data_format",)

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.data_format = formats.check(data_format, self.name)

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        rest = input_shapes[0][1:]
        known = [n for n in rest if n is not None]
        return (input_shapes[0][0], prod(tuple(known)) if len(known) == len(rest) else None)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        moved = np.moveaxis(x, 1, -1) if self._moves(x) else x
        ctx.saved = moved.shape
        return moved.reshape(x.shape[0], prod(x.shape[1:]))

    def _moves(self, x: Array) -> bool:
        return self.data_format == "channels_first" and x.ndim > 1

    def backward(self, ctx: Context, dy: Any) -> Any:
        dx = dy.reshape(ctx.saved)
        return np.ascontiguousarray(np.moveaxis(dx, -1, 1)) if self._moves(dx) else dx


class Dropout(Layer):
    """Zero a fraction `rate` in training and scale the rest by 1 / (1 - rate) (Srivastava et al.
    2014).

    Args:
        rate: fraction to drop, 0 to 1.
        noise_shape: 1 where the same draw serves the whole axis; None is the batch's own size.
        seed: of a generator of its own; otherwise the model's generator is used.
    """

    supports_masking = True
    fields: tuple[str, ...] = ("rate", "noise_shape", "seed")

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if not 0 <= rate <= 1:
            raise ConfigError(f"{self.name}: rate must be between 0 and 1, received {rate}")
        self.rate = rate
        self.noise_shape = tuple(noise_shape) if noise_shape is not None else None
        self.seed = seed
        self.rng = np.random.default_rng(seed) if seed is not None else None

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the draw."""
        if self.noise_shape is None:
            return shape
        return tuple(
            n if n is not None else s for n, s in zip(self.noise_shape, shape, strict=True)
        )

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        if not training or self.rate == 0:
            ctx.saved = None
            return x
        shape = self.mask_shape(x.shape)
        draw = ctx.buffer("mask", shape)
        (self.rng or ctx.run.rng).random(shape, dtype=draw.dtype, out=draw)
        scale = 1 / (1 - self.rate) if self.rate < 1 else 0.0
        np.multiply(draw >= self.rate, draw.dtype.type(scale), out=draw)
        ctx.saved = draw
        return np.multiply(x, draw, out=ctx.buffer("y", x.shape))

    def backward(self, ctx: Context, dy: Any) -> Any:
        if ctx.saved is None:
            return dy
        return np.multiply(dy, ctx.saved, out=ctx.buffer("dx", dy.shape))
