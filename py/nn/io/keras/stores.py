"""Where Keras keeps the variables of a layer, below the layer's group in a weights file.

Groups are numbered, and optimizers' variables listed, in the order of Keras' `model.layers`: the
layers with the most layers between them and the outputs first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nn.graph import Node
from nn.identifiers import snake_case
from nn.layers.base import Layer
from nn.models.model import Model
from nn.variables import Variable

Json = dict[str, Any]

RECURRENT = ("ConvLSTM1D", "ConvLSTM2D", "GRU", "LSTM", "SimpleRNN")
"""Layers whose cell owns the variables."""
PROJECTIONS = {"query": "query", "key": "key", "value": "value", "output": "output_projection"}
"""The layers inside MultiHeadAttention, in the order of its variables: Keras' name and ours."""


def ordered(model: Model) -> list[Layer]:
    """Return the layers in the order that Keras gives them when it reads the graph."""
    if model.kind == "Sequential":
        return model.layers
    graph, first, depths = model.graph, _visited(model), dict[Node, int]()
    of_layers: dict[Layer, int] = {}
    for node in reversed([*(tensor.node for tensor in graph.inputs), *graph.nodes]):
        depth = max(depths.get(node, 0), of_layers.get(node.layer, 0))
        of_layers[node.layer] = depth
        # Keras has arrays in calls, not as layers.
        before = depth + (type(node.layer).__name__ != "ConstantArray")
        for tensor in node.inputs:
            depths[tensor.node] = max(depths.get(tensor.node, 0), before)
    return sorted(model.layers, key=lambda layer: (-of_layers[layer], first.get(layer, -1)))


def _visited(model: Model) -> dict[Layer, int]:
    """Return when each layer is first met on the ways back from the outputs."""
    graph, found, seen = model.graph, dict[Layer, int](), set[Node]()
    ends = list(graph.outputs)
    if model._output_keys:  # Keras sorts outputs with names by these
        ends = [end for _, end in sorted(zip(model._output_keys, ends, strict=True), key=_name)]
    waiting = [end.node for end in reversed(ends)]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            found.setdefault(node.layer, len(found))
            waiting.extend(tensor.node for tensor in reversed(node.inputs))
    return found


def _name(pair: tuple[str, Any]) -> str:
    return pair[0]


def sort(config: Json, model: Model) -> None:
    """Sort the layers of a model's configuration, and of the models inside, as `ordered` does."""
    places = {layer.name: place for place, layer in enumerate(ordered(model))}
    config["layers"].sort(key=lambda item: places.get(item["config"]["name"], -1))
    for item, layer in _pairs(config, model):
        if isinstance(layer, Model):
            sort(item["config"], layer)


def listed(config: Json, model: Model) -> list[Variable]:
    """Return a model's variables in the order of the layers in its configuration."""
    found: list[Variable] = []
    for item, layer in _pairs(config, model):
        more = listed(item["config"], layer) if isinstance(layer, Model) else layer.variables
        found += more
    return found


def _pairs(config: Json, model: Model) -> list[tuple[Json, Layer]]:
    """Return the settings of each layer, and the layer."""
    layers = {layer.name: layer for layer in model.layers}
    names = [(item, item["config"].get("name")) for item in config["layers"]]
    return [(item, layers[name]) for item, name in names if name in layers]


def groups(model: Model, prefix: str) -> Iterator[tuple[str, Layer]]:
    """Yield (group path, layer) for the layers with weights, with paths as Keras names them."""
    used: dict[str, int] = {}
    for layer in ordered(model):
        name = snake_case(type(layer).__name__)
        name = "functional" if name == "model" else name
        used[name] = used.get(name, -1) + 1
        path = f"{prefix}layers/{name}_{used[name]}" if used[name] else f"{prefix}layers/{name}"
        if isinstance(layer, Model):
            yield from groups(layer, f"{path}/")
        elif layer.variables:
            yield path, layer


def variables(layer: Layer, path: str = "") -> Iterator[tuple[str, Variable]]:
    """Yield each variable with its path ("vars/0"), in the order of `layer.variables`."""
    kind: Any = type(layer).__name__
    inside: Any = layer
    if kind == "Bidirectional":
        yield from variables(inside.forward_layer, f"{path}forward_layer/")
        yield from variables(inside.backward_layer, f"{path}backward_layer/")
    elif kind == "TimeDistributed":
        yield from variables(inside.layer, f"{path}layer/")
    elif isinstance(layer, Model):
        for group, one in groups(layer, path):
            yield from variables(one, f"{group}/")
    elif kind == "RNN":
        yield from _cells(inside, f"{path}cell/")
    elif kind == "MultiHeadAttention":
        for name, own in PROJECTIONS.items():
            pair = [v for v in getattr(layer, own) if v is not None]
            yield from _numbered(pair, f"{path}{name}_dense/vars/")
    elif kind in RECURRENT:
        yield from _numbered(layer.variables, f"{path}cell/vars/")
    else:
        yield from _numbered(layer.variables, f"{path}vars/")


def _cells(layer: Any, path: str) -> Iterator[tuple[str, Variable]]:
    """Yield those of RNN: a cell is numbered where several have its class."""
    if layer.cell is layer.cells[0]:
        yield from _numbered(layer.variables, f"{path}vars/")
        return
    used: dict[str, int] = {}
    for cell in layer.cells:
        name = snake_case(type(cell).__name__)
        number = used[name] = used.get(name, -1) + 1
        own = f"{name}_{number}" if number else name
        yield from _numbered(cell.variables, f"{path}cells/{own}/vars/")


def _numbered(found: list[Variable], path: str) -> Iterator[tuple[str, Variable]]:
    return ((f"{path}{number}", variable) for number, variable in enumerate(found))
