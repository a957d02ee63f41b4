"""ONNX export: a model as an inference graph.

The engine's images are channels-last, ONNX's convolutions channels-first. Each value is kept in the
order in which it is computed and transposed, once, only if a node needs the other order. So a stack
of convolutions has one transposition at each end. Inputs and outputs are those of the model.

Operators: https://onnx.ai/onnx/operators/, version 20 (the first with Gelu).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn.graph import Node as GraphNode
from nn.graph import SymbolicTensor
from nn.io.errors import UnsupportedError
from nn.io.onnx.messages import Graph, Model, Node, Value, encode
from nn.io.onnx.write_layers import EXPORTERS
from nn.io.onnx.writer import Image, Shape, Writer
from nn.layers.base import Layer
from nn.layers.recurrent import Recurrent
from nn.models.model import Model as NNModel

OPSET = 20

# Activations that combine elements along the last axis.
_ALONG_CHANNELS = {"softmax", "log_softmax"}


def export(model: NNModel) -> bytes:
    """Return the bytes of an ONNX file.

    Raises:
        UnsupportedError: ONNX lacks a layer or activation.
    """
    writer = Writer()
    images = [Image(tensor.shape, last=tensor.node.layer.name) for tensor in model.inputs]
    inputs = [Value(image.last, list(image.shape)) for image in images]
    results = _run(writer, model, images)
    outputs: list[Value] = []
    for tensor, image in zip(model.outputs, results, strict=True):
        name = f"output_{len(outputs)}" if len(results) > 1 else "output"
        writer.nodes.append(Node("Identity", [writer.last(image)], [name]))
        outputs.append(Value(name, list(tensor.shape)))
    graph = Graph(writer.nodes, inputs, outputs, writer.initializers, model.name)
    return encode(Model(graph, OPSET, ir_version=9))


def _run(writer: Writer, model: NNModel, inputs: Sequence[Image]) -> list[Image]:
    """Append the nodes of a model, which may be nested in another."""
    values = dict(zip(model.inputs, inputs, strict=True))
    masked: set[SymbolicTensor] = set()
    for node in model.graph.nodes:
        given = [values[tensor] for tensor in node.inputs]
        _expect_whole(node, masked)
        if isinstance(node.layer, NNModel):
            made = _run(writer, node.layer, given)
        else:
            made = _layer(writer, node.layer, given, node.outputs[0].shape)
        values.update(zip(node.outputs, made, strict=True))
    return [values[tensor] for tensor in model.outputs]


def _expect_whole(node: GraphNode, masked: set[SymbolicTensor]) -> None:
    """Check that no layer needs a mask, as inference graphs have none.

    Raises:
        UnsupportedError: a recurrent layer would skip masked steps.
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


def _layer(writer: Writer, layer: Layer, inputs: list[Image], shape: Shape) -> list[Image]:
    kind = type(layer).__name__
    if kind == "TimeDistributed":
        return [_each_step(writer, layer, inputs[0], shape)]
    if kind not in EXPORTERS:
        raise UnsupportedError(f"layer {layer.name!r}: ONNX export knows no {kind}")
    if getattr(layer, "data_format", None) == "channels_first":
        return [_channels_first(writer, layer, inputs[0], shape, EXPORTERS[kind])]
    made = EXPORTERS[kind](writer, layer, inputs, shape)
    if isinstance(made, list):
        return made  # recurrent layers, which have their activations inside
    return [_activated(writer, layer, made, shape)]


def _each_step(writer: Writer, layer: Any, image: Image, shape: Shape) -> Image:
    """Append the layer inside a TimeDistributed, with all steps as one batch.

    Raises:
        UnsupportedError: a size is not known before the graph runs.
    """
    steps = [*image.shape[2:]]
    if None in [*image.shape[1:], *shape[1:]]:
        raise UnsupportedError(
            f"layer {layer.name!r}: expected sizes that are known, received {image.shape}"
        )
    one = writer.constant(f"{layer.name}/step", [-1, *steps], np.int64)
    given = Image((None, *steps), last=writer.add("Reshape", [writer.last(image), one]))
    inner = layer.layer
    if isinstance(inner, NNModel):
        (made,) = _run(writer, inner, [given])
    else:
        (made,) = _layer(writer, inner, [given], (None, *shape[2:]))
    whole = writer.constant(f"{layer.name}/steps", [-1, *shape[1:]], np.int64)
    return Image(shape, last=writer.add("Reshape", [writer.last(made), whole]))


def _activated(writer: Writer, layer: Layer, made: Image, shape: Shape) -> Image:
    function = getattr(getattr(layer, "activation", None), "name", "linear")
    if function == "linear":
        return made
    if function in _ALONG_CHANNELS:
        return Image(shape, last=writer.activate(writer.last(made), function, layer.name))
    return writer.like(made, lambda name: writer.activate(name, function, layer.name))


def _channels_first(writer: Writer, layer: Any, image: Image, shape: Shape, export: Any) -> Image:
    """Export a channels-first layer, whose images are already in ONNX's order.

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
