"""Layer fusion: pairs of layers computed by one kernel, and penalties on outputs.

`RULES` maps the class of a layer to a function `(layer, after) -> Layer | None`. It returns a layer
that replaces both, provided that only `after` reads the output of `layer`, or None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from nn import activations, kernels
from nn.activations import Activation as Function
from nn.context import Context
from nn.graph import Graph, SymbolicTensor
from nn.layers.base import Layer
from nn.layers.convolution import Conv2D
from nn.layers.core import activate, activate_backward
from nn.layers.elementwise import Elementwise
from nn.layers.normalization import BatchNormalization
from nn.layers.pooling import MaxPooling2D
from nn.types import Array


class FusableLoss(Protocol):
    """What this module knows of a loss."""

    def can_fuse(self, layer: Any) -> bool:
        """Return whether the loss computes the activation at the end of `layer` too."""


class FusedConvolution(Layer):
    """Base of what is fused with a Conv2D.

    Args:
        before: the convolution, or what it was fused with already.
        after: the layer that is fused with it.
        convolution: the convolution itself.
    """

    def __init__(self, before: Layer, after: Layer, convolution: Conv2D) -> None:
        super().__init__(name=f"{before.name} + {after.name}")
        self.convolution = convolution

    @property
    def sublayers(self) -> tuple[Layer, ...]:
        return (self.convolution,)


class Activated(FusedConvolution):
    """A linear Conv2D fused with the activation layer after it."""

    def __init__(self, convolution: Conv2D, after: Elementwise) -> None:
        super().__init__(convolution, after, convolution)
        self.function = after.function

    def only_kernels(self, ctx: Context) -> bool:
        return True

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        return self.convolution.forward(ctx, *inputs, training=training, function=self.function)

    def backward(self, ctx: Context, dy: Any) -> Any:
        _, v = ctx.saved
        return self.convolution.backward(ctx, activate_backward(self.function, ctx, dy, v))


class PooledConvolution(FusedConvolution):
    """Conv2D fused with the following 2x2 MaxPooling2D.

    The convolution's output, four times as large as the pooling's, is never stored. Its activation
    is applied to the pooled output, and so is the gradient: relu in the same kernel.
    """

    def __init__(
        self, before: Layer, pooling: MaxPooling2D, convolution: Conv2D, function: Function
    ) -> None:
        super().__init__(before, pooling, convolution)
        fused = function in (activations.LINEAR, activations.RELU)
        self.activation = function.name if fused else "linear"
        self.function = activations.LINEAR if fused else function

    def only_kernels(self, ctx: Context) -> bool:
        return True

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
        return activate(self.function, ctx, y)

    def backward(self, ctx: Context, dy: Any) -> Any:
        x, y, argmax, options = ctx.saved
        conv = self.convolution
        dy = activate_backward(self.function, ctx, dy, y)
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
    """BatchNormalization fused with the relu or relu6 after it: a pass less over memory."""

    supports_masking = True

    def __init__(self, norm: BatchNormalization, activation: str) -> None:
        super().__init__(name=f"{norm.name} + {activation}")
        self.norm = norm
        self.activation = activation

    @property
    def sublayers(self) -> tuple[Layer, ...]:
        return (self.norm,)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        return self.norm.forward(ctx, *inputs, training=training, activation=self.activation)

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

    def mask_after(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Any:
        return self.layer.mask_after(inputs, masks)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Any:
        assert self.regularizer is not None
        outputs = self.layer.forward(ctx, *inputs, training=training)
        several = isinstance(outputs, list | tuple)
        seen = list(outputs) if several else [outputs]
        ctx.child("penalized").saved = several, seen
        for y in seen:
            ctx.run.penalty += self.regularizer.loss(y) / max(_rows(ctx, y), 1)
        return outputs

    def backward(self, ctx: Context, dy: Any) -> Any:
        assert self.regularizer is not None
        several, seen = ctx.child("penalized").saved
        given = list(dy) if several else [dy]
        total = []
        for y, d in zip(seen, given, strict=True):
            slope = np.zeros_like(y)
            self.regularizer.add_gradient(y, slope)
            slope /= _rows(ctx, y)
            total.append(slope if d is None else slope + d)
        return self.layer.backward(ctx, tuple(total) if several else total[0])


def penalized(layer: Layer) -> Layer:
    """Return a layer that also adds the penalty of its outputs, if it has one."""
    return layer if layer.activity_regularizer is None else Penalized(layer)


def _rows(ctx: Context, y: Array) -> int:
    """Return the number of rows of a layer's output for the whole batch."""
    rows = ctx.run.rows
    return len(y) if rows is None else len(y) * rows.total // rows.count


def after_convolution(layer: Any, after: Layer) -> Layer | None:
    """Fuse Conv2D with the 2x2 MaxPooling2D after it, or with the activation where it has none."""
    if layer.channels_first:
        return None
    linear = layer.activation is activations.LINEAR
    if linear and isinstance(after, Elementwise) and after.function.kernel:
        return Activated(layer, after)
    return _pooled(layer, after, layer, layer.activation)


def after_activated(layer: Any, after: Layer) -> Layer | None:
    """Fuse Conv2D and an activation with the 2x2 MaxPooling2D after both."""
    return _pooled(layer, after, layer.convolution, layer.function)


def _pooled(layer: Layer, after: Any, convolution: Conv2D, function: Function) -> Layer | None:
    plain = convolution.groups == 1 and convolution.dilation_rate == (1, 1)
    if not plain or not function.increasing:
        return None
    if type(after) is not MaxPooling2D or after.padding != "valid" or after.channels_first:
        return None
    if not after.pool_size == after.strides == (2, 2):
        return None
    return PooledConvolution(layer, after, convolution, function)


def norm_relu(layer: Any, after: Layer) -> Layer | None:
    """Fuse BatchNormalization with the relu or relu6 after it."""
    if isinstance(after, Elementwise) and after.function in (activations.RELU, activations.RELU6):
        return NormedRelu(layer, after.function.name)
    return None


def fuses_loss(graph: Graph, tensor: SymbolicTensor, loss: FusableLoss) -> bool:
    """Return whether the layer that computes an output may leave its activation to the loss."""
    layer = tensor.node.layer
    read_once = not graph.consumers(tensor) and graph.outputs.count(tensor) == 1
    return read_once and layer.activity_regularizer is None and loss.can_fuse(layer)


RULES: dict[type[Layer], Callable[[Any, Layer], Layer | None]] = {
    BatchNormalization: norm_relu,
    Conv2D: after_convolution,
    Activated: after_activated,
}


def fuse(layer: Layer, after: Layer) -> Layer | None:
    """Return a layer that replaces both, or None if no kernel computes the pair."""
    if kernels.backend().name == "numpy":
        return None  # no gain in NumPy, which calls both with a copy between
    if layer.activity_regularizer is not None or after.activity_regularizer is not None:
        return None
    rule = RULES.get(type(layer))
    return None if rule is None else rule(layer, after)
