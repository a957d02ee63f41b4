"""What stands in a program in place of a layer: a pair that one kernel runs, a penalized output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nn import kernels
from nn.context import Context
from nn.layers.base import Layer
from nn.types import Array

if TYPE_CHECKING:
    from nn.layers.convolution import Conv2D
    from nn.layers.normalization import BatchNormalization
    from nn.layers.pooling import MaxPooling2D


class PooledConvolution(Layer):
    """Conv2D (linear or relu) and the 2x2 MaxPooling2D that alone reads it.

    The convolution's output, four times the pooling's and the largest array of a small network, is
    never stored, and relu's gradient is taken on the pooled output.
    """

    def __init__(self, convolution: Conv2D, pooling: MaxPooling2D) -> None:
        super().__init__(name=f"{convolution.name} + {pooling.name}")
        self.convolution = convolution
        self.pooling = pooling
        self.activation = convolution.activation.name

    @property
    def sublayers(self) -> tuple[Layer, ...]:
        return (self.convolution,)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        conv = self.convolution
        shape, options = conv.plan(x.shape)
        pooled = (shape[0], shape[1] // 2, shape[2] // 2, shape[3])
        y, argmax = kernels.conv2d_max_pool2d(
            x,
            conv.kernel.value,
            conv.bias.value if conv.bias else None,
            strides=options["strides"],
            padding=options["padding"],
            activation=self.activation,
            out=ctx.buffer("y", pooled),
            argmax=ctx.buffer("argmax", pooled, "uint8"),
        )
        ctx.saved = x, y, argmax, options
        return y

    def backward(self, ctx: Context, dy: Any) -> Any:
        x, y, argmax, options = ctx.saved
        conv = self.convolution
        dx = ctx.buffer("dx", x.shape) if ctx.needs_input_gradient else None
        kernels.conv2d_max_pool2d_gradient(
            x,
            conv.kernel.value,
            dy,
            y,
            argmax,
            strides=options["strides"],
            padding=options["padding"],
            activation=self.activation,
            out=ctx.gradient(conv.kernel, overwrite=True),
            bias_out=ctx.gradient(conv.bias, overwrite=True) if conv.bias else None,
            input_out=dx,
        )
        return dx


class NormedRelu(Layer):
    """BatchNormalization and the relu that alone reads it: a pass over memory less, each way."""

    supports_masking = True

    def __init__(self, norm: BatchNormalization) -> None:
        super().__init__(name=f"{norm.name} + relu")
        self.norm = norm

    @property
    def sublayers(self) -> tuple[Layer, ...]:
        return (self.norm,)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        return self.norm.forward(ctx, *inputs, training=training, activation="relu")

    def backward(self, ctx: Context, dy: Any) -> Any:
        return self.norm.backward(ctx, dy)


class Penalized(Layer):
    """A layer whose outputs `activity_regularizer` penalizes, divided by the batch's size."""

    penalized = True

    def __init__(self, layer: Layer) -> None:
        super().__init__(name=layer.name)
        self.layer = layer
        self.regularizer = layer.activity_regularizer

    @property
    def sublayers(self) -> tuple[Layer, ...]:
        return (self.layer,)

    def compute_mask(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Any:
        return self.layer.compute_mask(inputs, masks)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Any:
        assert self.regularizer is not None
        outputs = self.layer.forward(ctx, *inputs, training=training)
        several = isinstance(outputs, list | tuple)
        seen = list(outputs) if several else [outputs]
        ctx.child("penalized").saved = several, seen
        for y in seen:
            ctx.run.penalty += self.regularizer.loss(y) / len(y)
        return outputs

    def backward(self, ctx: Context, dy: Any) -> Any:
        assert self.regularizer is not None
        several, seen = ctx.child("penalized").saved
        given = list(dy) if several else [dy]
        total = []
        for y, d in zip(seen, given, strict=True):
            slope = np.zeros_like(y)
            self.regularizer.add_gradient(y, slope)
            slope /= len(y)
            total.append(slope if d is None else slope + d)
        return self.layer.backward(ctx, tuple(total) if several else total[0])
