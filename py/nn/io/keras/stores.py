"""Where Keras keeps the variables of a layer, below the layer's group in a weights file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nn.identifiers import snake_case
from nn.layers.base import Layer
from nn.models.model import Model
from nn.variables import Variable

RECURRENT = ("ConvLSTM1D", "ConvLSTM2D", "GRU", "LSTM", "SimpleRNN")
"""Layers whose cell owns the variables."""
PROJECTIONS = {"query": "query", "key": "key", "value": "value", "output": "output_projection"}
"""The layers inside MultiHeadAttention, in the order of its variables: Keras' name and ours."""


def groups(model: Model, prefix: str) -> Iterator[tuple[str, Layer]]:
    """Yield (group path, layer) for the layers with weights, with paths as Keras names them."""
    used: dict[str, int] = {}
    for layer in model.layers:
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
