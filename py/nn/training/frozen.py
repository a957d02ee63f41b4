"""The frozen part of a model in training: what comes before all that training changes."""

from __future__ import annotations

from nn.graph import Graph, Node, SymbolicTensor
from nn.layers.base import Layer
from nn.layers.convolution import Conv2D
from nn.layers.normalization import BatchNormalization
from nn.parameters import Parameters

ALIKE = {
    *(f"nn.layers.{name}" for name in (
        "arithmetic", "convolution", "core", "elementwise", "merging", "normalization",
        "padding_layers", "pooling", "rescaling", "separable", "shaping",
    )),
    "nn.models.model", "nn.models.sequential",
}  # fmt: skip
"""Modules whose layers compute the same in training, but for trainable normalizations."""


def split(graph: Graph, parameters: Parameters) -> tuple[Graph, Graph] | None:
    """Return the part that training leaves as it is, and the part that reads its outputs.

    None where the first part would hold no convolution, which would make it worth a part.
    """
    known = set(graph.inputs)
    frozen: set[Node] = set()
    for node in graph.nodes:
        if known.issuperset(node.inputs) and _is_settled(node.layer, parameters):
            known.update(node.outputs)
            frozen.add(node)
    if not any(isinstance(layer, Conv2D) for node in frozen for layer in _all(node.layer)):
        return None
    live = [node for node in graph.nodes if node not in frozen]
    read = dict.fromkeys(t for node in live for t in node.inputs if t in known)
    between: list[SymbolicTensor] = list(
        read | dict.fromkeys(t for t in graph.outputs if t in known)
    )
    if not live or set(between) <= set(graph.inputs):
        return None
    return Graph(graph.inputs, between), Graph(between, graph.outputs)


def _all(layer: Layer) -> list[Layer]:
    return [layer, *(inner for part in layer.sublayers for inner in _all(part))]


def _is_settled(layer: Layer, parameters: Parameters) -> bool:
    """Return whether a layer computes the same in training as in predicting, now and later."""
    if any(v in parameters.views for v in layer.variables):
        return False
    return all(type(inner).__module__ in ALIKE and not _changes(inner) for inner in _all(layer))


def _changes(layer: Layer) -> bool:
    moves = isinstance(layer, BatchNormalization) and layer.trainable
    return moves or layer.activity_regularizer is not None or layer.begins_mask
