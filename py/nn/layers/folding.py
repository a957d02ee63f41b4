"""Folding: layers that predict with the weights of several, combined ahead.

`fold(graph)` returns the layers of a graph as they run for predicting. A convolution takes along
the zero padding before it, and the batch normalization, activation and addition after it: one
kernel call, with weights that are combined and packed once. They are combined again (`renew`) where
a variable was written since. Such layers have no backward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from nn import activations, kernels
from nn.context import Context
from nn.graph import Graph, Node, SymbolicTensor
from nn.kernels.elementwise import FUSED
from nn.layers.base import Layer
from nn.layers.convolution import Conv2D
from nn.layers.elementwise import Elementwise
from nn.layers.fusion import Penalized, fuse
from nn.layers.merging import Add
from nn.layers.normalization import BatchNormalization
from nn.layers.padding_layers import ZeroPadding2D
from nn.layers.separable import DepthwiseConv2D, SeparableConv2D
from nn.types import Array
from nn.variables import Variable


class Folded(Layer):
    """Base of layers that keep combined weights.

    Attributes:
        sources: the variables that they are combined of.
    """

    several_inputs = True

    def __init__(self, name: str, sources: Sequence[Variable | None]) -> None:
        super().__init__(name=name)
        self.sources = [v for v in sources if v is not None]
        self._versions: Any = None

    def renew(self, backend: Any) -> None:
        """Combine the weights again if one was written since, or for another backend."""
        versions = (backend, [v.version for v in self.sources])
        if versions != self._versions:
            if self._versions is None or self._versions[0] is not backend:
                self.forget()
            self.combine()
            self._versions = versions

    def forget(self) -> None:
        """Drop the arrays: another backend may arrange them in another way."""

    def combine(self) -> None:
        """Write the combined weights, into the same arrays as before."""
        raise NotImplementedError

    @property
    def nbytes(self) -> int:
        """The bytes of the combined weights."""
        return 0


class FoldedConvolution(Folded):
    """[ZeroPadding2D] Conv2D or DepthwiseConv2D [BatchNormalization] [Add] [activation]."""

    def __init__(
        self,
        convolution: Conv2D,
        padding: ZeroPadding2D | None,
        norm: BatchNormalization | None,
        activation: str,
    ) -> None:
        super().__init__(convolution.name, [convolution.kernel, convolution.bias, *_of(norm)])
        self.convolution = convolution
        self.norm = norm
        self.activation = activation
        self._around: Any = padding.padding if padding else ((0, 0), (0, 0))
        self._packed: Array | None = None
        self._plans: dict[tuple[int, ...], tuple[Any, Any]] = {}

    @property
    def nbytes(self) -> int:
        return 0 if self._packed is None else self._packed.nbytes

    def forget(self) -> None:
        self._packed = None

    def combine(self) -> None:
        conv = self.convolution
        scale, shift = _factors(self.norm, conv.filters)
        if conv.bias is not None:
            shift = shift + conv.bias.value * scale
        self._packed = kernels.pack_conv2d(
            conv.kernel.value.reshape(conv.kernel_shape),
            shift.astype(np.float32),
            scale=scale.astype(np.float32) if self.norm else None,
            strides=conv.strides,  # type: ignore[arg-type]
            dilation=conv.dilation_rate,  # type: ignore[arg-type]
            groups=conv.groups,
            out=self._packed,
        )

    def only_kernels(self, ctx: Context) -> bool:
        return True

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        x, *residual = inputs
        assert self._packed is not None
        shape, options = self._plan(x.shape)
        return kernels.conv2d_packed(
            x,
            self._packed,
            self.convolution.kernel_shape,
            activation=self.activation,
            residual=residual[0] if residual else None,
            out=ctx.buffer("y", shape),
            **options,
        )

    def _plan(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        """Return the output's shape and the geometry, the amounts of both paddings together."""
        plan = self._plans.get(shape)
        if plan is None:
            n, *places, c = shape
            inside = [size + sum(pair) for size, pair in zip(places, self._around, strict=True)]
            output, options = self.convolution.plan((n, *inside, c))
            both = zip(self._around, options["padding"], strict=True)
            padding = tuple((a[0] + b[0], a[1] + b[1]) for a, b in both)
            plan = self._plans[shape] = output, {**options, "padding": padding}
        return plan


class FoldedSeparable(Folded):
    """[ZeroPadding2D] SeparableConv2D [BatchNormalization] [Add] [activation]: two kernel calls."""

    def __init__(
        self,
        layer: SeparableConv2D,
        padding: ZeroPadding2D | None,
        norm: BatchNormalization | None,
        activation: str,
    ) -> None:
        self.depthwise = FoldedConvolution(layer.depthwise, padding, None, "linear")
        self.pointwise = FoldedConvolution(layer.pointwise, None, norm, activation)
        super().__init__(layer.name, [*self.depthwise.sources, *self.pointwise.sources])

    @property
    def nbytes(self) -> int:
        return self.depthwise.nbytes + self.pointwise.nbytes

    def forget(self) -> None:
        self.depthwise.forget()
        self.pointwise.forget()

    def combine(self) -> None:
        self.depthwise.combine()
        self.pointwise.combine()

    def only_kernels(self, ctx: Context) -> bool:
        return True

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        x, *residual = inputs
        middle = self.depthwise.forward(ctx.child("depthwise"), x)
        return self.pointwise.forward(ctx.child("pointwise"), middle, *residual)


class FoldedNormalization(Folded):
    """BatchNormalization [activation]: a factor and a summand for each feature."""

    def __init__(self, norm: BatchNormalization, activation: str) -> None:
        super().__init__(norm.name, _of(norm))
        self.norm = norm
        self.activation = activation
        self._scale = np.empty(norm.features, np.float32)
        self._shift = np.empty(norm.features, np.float32)

    @property
    def nbytes(self) -> int:
        return self._scale.nbytes + self._shift.nbytes

    def combine(self) -> None:
        self._scale[...], self._shift[...] = _factors(self.norm, self.norm.features)

    def only_kernels(self, ctx: Context) -> bool:
        return True

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        rows, y = x.reshape(-1, self.norm.features), ctx.buffer("y", x.shape)
        kernels.column_affine(
            rows, self._scale, self._shift, y.reshape(rows.shape), activation=self.activation
        )
        return y


def _of(norm: BatchNormalization | None) -> list[Variable | None]:
    if norm is None:
        return []
    return [norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance]


def _factors(norm: BatchNormalization | None, features: int) -> tuple[Array, Array]:
    """Return scale and shift of a normalization by its moving statistics, in float64."""
    if norm is None:
        return np.ones(features), np.zeros(features)
    gamma, beta = norm.factors(np.float64)
    mean, variance = (v.value.reshape(-1) for v in (norm.moving_mean, norm.moving_variance))
    scale = gamma / np.sqrt(variance.astype(np.float64) + norm.epsilon)
    return scale, beta - mean * scale


class Part(NamedTuple):
    """A layer of the folded graph, with the values that it reads and computes."""

    layer: Layer
    inputs: list[SymbolicTensor]
    outputs: list[SymbolicTensor]


def fold(graph: Graph) -> list[Part]:
    """Return the layers that compute the outputs of `graph` while predicting, in order."""
    return _Folding(graph).parts()


class _Folding:
    """Walks along the nodes of a graph, and joins those that only the next one reads."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.readers: dict[SymbolicTensor, list[Node]] = {}
        for node in graph.nodes:
            for tensor in node.inputs:
                self.readers.setdefault(tensor, []).append(node)
        self.done: set[Node] = set()

    def parts(self) -> list[Part]:
        """Return the parts, each at the place of the last of its nodes."""
        found: dict[Node, Part] = {}
        for node in self.graph.nodes:
            if node not in self.done:
                last, part = self._part(node)
                found[last] = part
        return [found[node] for node in self.graph.nodes if node in found]

    def _part(self, node: Node) -> tuple[Node, Part]:
        self.done.add(node)
        padding, conv = self._padded(node)
        if conv is not None and self._pools(conv) is None:
            return self._convolution(node, padding, conv)
        if _normalizes(node):
            last, activation = self._activated(node, "linear")
            layer: Layer = FoldedNormalization(node.layer, activation)
            return last, Part(layer, node.inputs, last.outputs)
        if node.layer.activity_regularizer is not None:
            return node, Part(Penalized(node.layer), node.inputs, node.outputs)
        after = self._next(node)
        fused = None if after is None else fuse(node.layer, after.layer)
        if after is None or fused is None:
            return node, Part(node.layer, node.inputs, node.outputs)
        self.done.add(after)
        return after, Part(fused, node.inputs, after.outputs)

    def _next(self, node: Node) -> Node | None:
        """Return the node that alone reads this one's output, unless it is joined already."""
        if len(node.outputs) > 1 or node.outputs[0] in self.graph.outputs:
            return None
        after = self.readers.get(node.outputs[0], [])
        return after[0] if len(after) == 1 and after[0] not in self.done else None

    def _padded(self, node: Node) -> tuple[ZeroPadding2D | None, Node | None]:
        """Return a padding and the convolution after it, or that this node is one, or neither."""
        if _convolves(node):
            return None, node
        if not _is_plain(node, ZeroPadding2D) or node.layer.channels_first:
            return None, None
        after = self._next(node)
        if after is None or not _convolves(after) or after.layer.padding != "valid":
            return None, None
        return node.layer, after

    def _pools(self, conv: Node) -> Layer | None:
        after = self._next(conv)
        return None if after is None else fuse(conv.layer, after.layer)

    def _convolution(
        self, first: Node, padding: ZeroPadding2D | None, conv: Node
    ) -> tuple[Node, Part]:
        layer, last, norm = conv.layer, conv, None
        inputs, activation = list(first.inputs), layer.activation.name
        self.done.add(conv)
        after = self._next(conv)
        if activation == "linear" and after is not None and _normalizes(after):
            norm, last = after.layer, after
            self.done.add(after)
        residual = self._residual(last) if activation == "linear" else None
        # The kernel of a filter for each channel adds none.
        takes = isinstance(layer, SeparableConv2D) or layer.groups < layer.filters
        if residual is not None and takes:
            last, other = residual
            self.done.add(last)
            inputs.append(other)
        last, activation = self._activated(last, activation)
        kind = FoldedSeparable if isinstance(layer, SeparableConv2D) else FoldedConvolution
        folded = kind(layer, padding, norm, activation)
        return last, Part(folded, inputs, last.outputs)

    def _residual(self, node: Node) -> tuple[Node, SymbolicTensor] | None:
        """Return the addition after a node and its other input, if both have one shape."""
        after = self._next(node)
        if after is None or not _is_plain(after, Add) or len(after.inputs) != 2:
            return None
        one, two = after.inputs
        other = two if one is node.outputs[0] else one
        return (after, other) if one.shape == two.shape and one is not two else None

    def _activated(self, node: Node, activation: str) -> tuple[Node, str]:
        """Return the activation after a node, if it has none and the kernels know that one."""
        after = self._next(node)
        if activation != "linear" or after is None or after.layer.activity_regularizer is not None:
            return node, activation
        if not isinstance(after.layer, Elementwise) or not _is_known(after.layer.function):
            return node, activation
        self.done.add(after)
        return after, after.layer.function.name


def _is_plain(node: Node, kind: type[Layer]) -> bool:
    """Return whether a node calls a layer of this very class, without penalty on its outputs."""
    return type(node.layer) is kind and node.layer.activity_regularizer is None


def _normalizes(node: Node) -> bool:
    return _is_plain(node, BatchNormalization) and not node.layer.moves


def _is_known(function: activations.Activation) -> bool:
    """Return whether the kernels apply an activation before they store a result."""
    return function.name in FUSED and activations.ACTIVATIONS[function.name] is function


def _convolves(node: Node) -> bool:
    layer = node.layer
    plain = any(_is_plain(node, kind) for kind in (Conv2D, DepthwiseConv2D, SeparableConv2D))
    return plain and not layer.channels_first and _is_known(layer.activation)
