"""Input, Dense and Flatten, and the activation at the end of a layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from nn import activations, kernels
from nn.activations import Activation as Function
from nn.context import Context
from nn.errors import ConfigError, ShapeError
from nn.graph import Node, SymbolicTensor
from nn.keras_arguments import LeftOut
from nn.layers.base import Layer, axes_of, positive
from nn.layers.data_format import check_data_format
from nn.types import Array, Shape, prod

TEXT = "string"
"""The dtype of an input of texts."""
LORA: LeftOut = {
    "lora_rank": (None, "there are no low-rank adapters"),
    "lora_alpha": (None, "there are no low-rank adapters"),
    "quantization_config": (None, "nn.quantize is for files; layers compute in floats"),
}


class InputLayer(Layer):
    """The input of a graph, created by `Input`."""

    fields: tuple[str, ...] = ("shape", "batch_size")
    left_out: ClassVar[LeftOut] = {
        "sparse": (None, "arrays are dense"),
        "ragged": (None, "arrays are rectangular"),
        "input_tensor": (None, "an input is data, not another tensor"),
        "optional": (False, "every input of a model is needed"),
    }

    def __init__(
        self,
        shape: Iterable[int | None] | None = None,
        batch_size: int | None = None,
        *,
        batch_shape: Iterable[int | None] | None = None,
        dtype: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(dtype=None if dtype == TEXT else dtype, **options)
        if dtype == TEXT:
            self.dtype = TEXT
        if (shape is None) == (batch_shape is None) or (batch_shape and batch_size):
            raise ConfigError(
                f"{self.name}: expected shape (and batch_size) or batch_shape, received "
                f"shape={shape}, batch_size={batch_size}, batch_shape={batch_shape}"
            )
        if batch_shape is not None:
            batch_size, *shape = axes_of(batch_shape, self.name) or (None,)
        batch_size, *axes = axes_of([batch_size, *axes_of(shape, self.name)], self.name)
        self.shape = tuple(axes)
        self.batch_size = batch_size
        self.built = True
        self.node = Node(self, [], [(batch_size, *self.shape)], self.dtype)

    @property
    def input(self) -> SymbolicTensor:
        """The symbolic tensor that `Input` returns."""
        return self.node.outputs[0]

    @property
    def output(self) -> SymbolicTensor:
        """The symbolic tensor that `Input` returns."""
        return self.node.outputs[0]


def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    name: str | None = None,
    batch_shape: Sequence[int | None] | None = None,
) -> SymbolicTensor:
    """Return a symbolic tensor of `shape` (without the batch axis) or `batch_shape`.

    `dtype` is a type of numbers, or "string" for texts.
    """
    layer = InputLayer(shape, batch_size, batch_shape=batch_shape, dtype=dtype, name=name)
    return layer.output


def activate(function: Function, ctx: Context, z: Array) -> Array:
    """Apply an activation to the caller's buffer `z` and save what the gradient needs."""
    if function is activations.LINEAR or ctx.logits:
        return z
    y = z if function.from_output else ctx.buffer("activated", z.shape)
    function.forward(z, y)
    return y


def activate_backward(function: Function, ctx: Context, dy: Array, v: Array) -> Array:
    """Return dz; `v` is y or z, whichever the function's gradient needs."""
    if function is activations.LINEAR or ctx.logits:
        return dy
    dz = ctx.buffer("dz", dy.shape)
    function.gradient(dy, v, dz)
    return dz


def kernels_apply(function: Function, ctx: Context) -> bool:
    """Return whether `activate` and `activate_backward` call kernels only."""
    return function is activations.LINEAR or function.kernel or ctx.logits


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

    def only_kernels(self, ctx: Context) -> bool:
        return kernels_apply(self.activation, ctx)

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


class Flatten(Layer):
    """(n, a, b, ...) -> (n, a * b * ...), without a copy for channels last.

    With data_format="channels_first" the channels are first moved last, as in Keras, so that the
    weights of a model fit both orders.
    """

    fields: tuple[str, ...] = ("data_format",)

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.data_format = check_data_format(data_format, self.name)

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        rest = input_shapes[0][1:]
        known = [n for n in rest if n is not None]
        return (input_shapes[0][0], prod(tuple(known)) if len(known) == len(rest) else None)

    def only_kernels(self, ctx: Context) -> bool:
        return self.data_format != "channels_first"

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
