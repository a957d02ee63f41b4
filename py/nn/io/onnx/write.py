"""A model as an ONNX inference graph.

The engine's images are channels-last, ONNX's convolutions channels-first. Each value is kept in
whichever order it was made, and transposed only where a node wants the other one, once; so a stack
of convolutions has one transposition at each end. Inputs and outputs are those of the model.

Operators: https://onnx.ai/onnx/operators/, version 20 (the first with Gelu).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nn.graph import Node as GraphNode
from nn.graph import SymbolicTensor
from nn.io.errors import UnsupportedError
from nn.io.onnx.messages import Attribute, Graph, Model, Node, Value, encode
from nn.layers.recurrent import Recurrent

if TYPE_CHECKING:
    from nn.layers.base import Layer
    from nn.models.model import Model as NNModel

Array = NDArray[np.generic]
Shape = Sequence[int | None]

OPSET = 20


class Image:
    """A value of the graph under one name for each order of its axes that was needed so far."""

    def __init__(self, shape: Shape, *, last: str = "", first: str = "") -> None:
        self.shape = shape
        self.last = last
        self.first = first


class Writer:
    """The graph while it grows."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.initializers: dict[str, Array] = {}

    def add(self, operator: str, inputs: Sequence[str], **attributes: Attribute) -> str:
        """Append a node and return the name of its output."""
        return self.add_several(operator, inputs, 1, **attributes)[0]

    def add_several(
        self, operator: str, inputs: Sequence[str], count: int, **attributes: Attribute
    ) -> list[str]:
        """Append a node of so many outputs and return their names."""
        name = f"{operator.lower()}_{len(self.nodes)}"
        names = [name, *(f"{name}_{index}" for index in range(1, count))]
        self.nodes.append(Node(operator, list(inputs), names, attributes))
        return names

    def axes(self, axis: int) -> str:
        """Keep the number of an axis, as an operator's input wants it."""
        return self.constant("axes", [axis], np.int64)

    def constant(self, name: str, array: Any, dtype: Any = np.float32) -> str:
        """Keep an array with the graph and return its name."""
        unique = name
        while unique in self.initializers:
            unique += "_"
        self.initializers[unique] = np.ascontiguousarray(array, dtype)
        return unique

    def last(self, image: Image) -> str:
        """Return the value's name with channels last."""
        if not image.last:
            rank = len(image.shape)
            image.last = self.add("Transpose", [image.first], perm=[0, *range(2, rank), 1])
        return image.last

    def first(self, image: Image) -> str:
        """Return the value's name with channels first."""
        if len(image.shape) < 3:
            return self.last(image)
        if not image.first:
            rank = len(image.shape)
            order = [0, rank - 1, *range(1, rank - 1)]
            image.first = self.add("Transpose", [image.last], perm=order)
        return image.first

    def activate(self, name: str, function: str, where: str) -> str:
        """Append an activation by its Keras name."""
        if function == "linear":
            return name
        if function not in _ACTIVATIONS:
            raise UnsupportedError(f"{where}: ONNX has no activation {function!r}")
        return _ACTIVATIONS[function](self, name)

    def like(self, image: Image, apply: Callable[[str], str]) -> Image:
        """Apply an element-wise function in the order that the value is already in."""
        if image.first and not image.last:
            return Image(image.shape, first=apply(image.first))
        return Image(image.shape, last=apply(self.last(image)))


def _node(operator: str, **attributes: Attribute) -> Callable[[Writer, str], str]:
    return lambda writer, name: writer.add(operator, [name], **attributes)


def _gated(operator: str) -> Callable[[Writer, str], str]:
    return lambda writer, name: writer.add("Mul", [name, writer.add(operator, [name])])


def _relu6(writer: Writer, name: str) -> str:
    return writer.add("Clip", [name, writer.constant("zero", 0.0), writer.constant("six", 6.0)])


_ACTIVATIONS: dict[str, Callable[[Writer, str], str]] = {
    "relu": _node("Relu"),
    "relu6": _relu6,
    "leaky_relu": _node("LeakyRelu", alpha=0.2),
    "elu": _node("Elu", alpha=1.0),
    "selu": _node("Selu"),
    "gelu": _node("Gelu"),
    "silu": _gated("Sigmoid"),
    "sigmoid": _node("Sigmoid"),
    "hard_sigmoid": _node("HardSigmoid", alpha=1 / 6, beta=0.5),
    "tanh": _node("Tanh"),
    "softplus": _node("Softplus"),
    "softsign": _node("Softsign"),
    "exponential": _node("Exp"),
    "softmax": _node("Softmax", axis=-1),
    "log_softmax": _node("LogSoftmax", axis=-1),
}

# Those that mix the elements along the last axis.
_ALONG_CHANNELS = {"softmax", "log_softmax"}


def export(model: NNModel) -> bytes:
    """Return the bytes of an ONNX file.

    Raises:
        UnsupportedError: a layer or activation that has no counterpart here.
    """
    from nn.io.onnx.write_layers import EXPORTERS

    writer = Writer()
    images = [Image(tensor.shape, last=tensor.node.layer.name) for tensor in model.inputs]
    inputs = [Value(image.last, list(image.shape)) for image in images]
    results = _run(writer, model, images, EXPORTERS)
    outputs: list[Value] = []
    for tensor, image in zip(model.outputs, results, strict=True):
        name = f"output_{len(outputs)}" if len(results) > 1 else "output"
        writer.nodes.append(Node("Identity", [writer.last(image)], [name]))
        outputs.append(Value(name, list(tensor.shape)))
    graph = Graph(writer.nodes, inputs, outputs, writer.initializers, model.name)
    return encode(Model(graph, OPSET, ir_version=9))


def _run(
    writer: Writer, model: NNModel, inputs: Sequence[Image], exporters: dict[str, Any]
) -> list[Image]:
    """Append the nodes of a model, which may stand inside another one."""
    from nn.models.model import Model as NNModel

    values = dict(zip(model.inputs, inputs, strict=True))
    masked: set[SymbolicTensor] = set()
    for node in model.graph.nodes:
        given = [values[tensor] for tensor in node.inputs]
        _expect_whole(node, masked)
        if isinstance(node.layer, NNModel):
            made = _run(writer, node.layer, given, exporters)
        else:
            made = _layer(writer, node.layer, given, node.outputs[0].shape, exporters)
        values.update(zip(node.outputs, made, strict=True))
    return [values[tensor] for tensor in model.outputs]


def _expect_whole(node: GraphNode, masked: set[SymbolicTensor]) -> None:
    """Follow the masks: an inference graph has none.

    Raises:
        UnsupportedError: a recurrent layer that would pass over masked steps.
    """
    layer = node.layer
    reached = [tensor for tensor in node.inputs if tensor in masked]
    if reached and (isinstance(layer, Recurrent) or layer.sublayers):
        raise UnsupportedError(
            f"layer {layer.name!r}: ONNX export knows no masks, the input from "
            f"{reached[0].node.layer.name!r} has one"
        )
    if layer.begins_mask or (reached and layer.supports_masking):
        masked.update(node.outputs)


def _layer(
    writer: Writer, layer: Layer, inputs: list[Image], shape: Shape, exporters: dict[str, Any]
) -> list[Image]:
    kind = type(layer).__name__
    if kind not in exporters:
        raise UnsupportedError(f"layer {layer.name!r}: ONNX export knows no {kind}")
    if getattr(layer, "data_format", None) == "channels_first":
        return [_channels_first(writer, layer, inputs[0], shape, exporters[kind])]
    made = exporters[kind](writer, layer, inputs, shape)
    if isinstance(made, list):
        return made  # recurrent layers, which have their activations inside
    return [_activated(writer, layer, made, shape)]


def _activated(writer: Writer, layer: Layer, made: Image, shape: Shape) -> Image:
    function = getattr(getattr(layer, "activation", None), "name", "linear")
    if function == "linear":
        return made
    if function in _ALONG_CHANNELS:
        return Image(shape, last=writer.activate(writer.last(made), function, layer.name))
    return writer.like(made, lambda name: writer.activate(name, function, layer.name))


def _channels_first(writer: Writer, layer: Any, image: Image, shape: Shape, export: Any) -> Image:
    """Export a layer of the other order: what the model holds is what ONNX wants.

    The activation comes before the channels are moved back, as in the layer.
    """
    rank = len(image.shape)
    if rank < 3:
        return _activated(writer, layer, export(writer, layer, [image], shape), shape)
    seen = Image(_moved(image.shape), first=writer.last(image))
    if len(shape) < 3:  # flattened, or a global pool
        return _activated(writer, layer, export(writer, layer, [seen], shape), shape)
    made = _activated(writer, layer, export(writer, layer, [seen], _moved(shape)), _moved(shape))
    return Image(shape, last=writer.first(made))


def _moved(shape: Shape) -> Shape:
    return [shape[0], *shape[2:], shape[1]]
