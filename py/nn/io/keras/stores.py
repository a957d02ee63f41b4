"""Where Keras keeps the variables of a layer, below the layer's group in a weights file.

Groups are numbered, and optimizers' variables listed, in the order of `model.layers`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nn.identifiers import snake_case
from nn.layers.base import Layer
from nn.models.model import Model
from nn.variables import Variable

Json = dict[str, Any]

RECURRENT = ("ConvLSTM1D", "ConvLSTM2D", "GRU", "LSTM", "SimpleRNN")
"""Layers whose cell owns the variables."""
PROJECTIONS = {"query": "query", "key": "key", "value": "value", "output": "output_projection"}
"""The layers inside MultiHeadAttention, in the order of its variables: Keras' name and ours."""


def sort(config: Json, model: Model) -> None:
    """Sort the layers of a model's configuration, and of the models inside, as the models do."""
    places = {layer.name: place for place, layer in enumerate(model.layers)}
    config["layers"].sort(key=lambda item: places.get(item["config"]["name"], -1))
    for item, layer in _pairs(config, model):
        if isinstance(layer, Model):
            sort(item["config"], layer)


def ordered_variables(config: Json, model: Model) -> list[Variable]:
    """Return a model's variables in the order of the layers in its configuration."""
    found: list[Variable] = []
    for item, layer in _pairs(config, model):
        found += (
            ordered_variables(item["config"], layer) if isinstance(layer, Model) else layer.weights
        )
    return found


def _pairs(config: Json, model: Model) -> list[tuple[Json, Layer]]:
    """Return the settings of each layer, and the layer."""
    layers = {layer.name: layer for layer in model.layers}
    names = [(item, item["config"].get("name")) for item in config["layers"]]
    return [(item, layers[name]) for item, name in names if name in layers]


def groups(model: Model, prefix: str, config: Json | None = None) -> Iterator[tuple[str, Layer]]:
    """Yield (group path, layer) for the layers with weights, with paths as Keras names them.

    Args:
        model: a model.
        prefix: the path of its own group.
        config: its configuration in the file, whose layers were numbered in that order: earlier
            versions had another.
    """
    used: dict[str, int] = {}
    listed = (config or {}).get("layers", ())
    items = {item["config"].get("name"): item["config"] for item in listed}
    places = {name: place for place, name in enumerate(items)}
    for layer in sorted(model.layers, key=lambda layer: places.get(layer.name, len(places))):
        name = snake_case(type(layer).__name__)
        name = "functional" if name == "model" else name
        used[name] = used.get(name, -1) + 1
        path = f"{prefix}layers/{name}_{used[name]}" if used[name] else f"{prefix}layers/{name}"
        if isinstance(layer, Model):
            yield from groups(layer, f"{path}/", items.get(layer.name))
        elif layer.variables:
            yield path, layer


def variables(layer: Layer, path: str = "") -> Iterator[tuple[str, Variable]]:
    """Yield each variable with its path ("vars/0"), in the order of `layer.weights`."""
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
