"""Names of weights in layers-models, which differ between converters.

TensorFlow.js writes "lstm/kernel". TensorFlow since 2.2 adds the cell, "lstm/lstm_cell/kernel",
Keras 3 the models around the layer, "sequential/lstm/kernel", and some files the suffix ":0".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, TypeVar

from nn.io.errors import UnsupportedError
from nn.layers.base import Layer
from nn.models.model import Model
from nn.variables import Variable

T = TypeVar("T")

_ALIASES = {"kernel": "depthwise_kernel", "depthwise_kernel": "kernel"}
_MOST = 8  # parts of a name: each subset of them is tried


def of_weights(model: Model) -> dict[str, Variable]:
    """Return the weights by TensorFlow.js' names, which omit the names of nested models.

    Raises:
        UnsupportedError: two weights have the same name.
    """
    pairs = [
        (_name(place, variable), variable)
        for layer in _layers(model)
        for place, owner in _owners(layer)
        for variable in owner.variables
    ]
    names = dict(pairs)
    if len(names) != len(pairs):
        raise UnsupportedError(f"{model.name}: expected distinct names of weights, name its layers")
    return names


def _layers(model: Model) -> Iterator[Layer]:
    for layer in model.layers:
        if isinstance(layer, Model):
            yield from _layers(layer)
        else:
            yield layer


def _owners(layer: Any) -> Iterator[tuple[str, Layer]]:
    """Yield the layers with a layer's weights, with the part of the names before the weight's."""
    kind = type(layer).__name__
    if kind == "Bidirectional":
        plain = layer.forward_layer.name.removeprefix("forward_")
        yield f"{layer.name}/forward_{plain}", layer.forward_layer
        yield f"{layer.name}/backward_{plain}", layer.backward_layer
    elif kind == "RNN" and layer.cell is not layer.cells[0]:
        yield from ((f"{layer.name}/RNNCell_{i}", cell) for i, cell in enumerate(layer.cells))
    elif kind in ("RNN", "TimeDistributed"):
        yield layer.name, layer
    else:
        yield "", layer


def _name(place: str, variable: Variable) -> str:
    depthwise = type(variable.owner).__name__ == "DepthwiseConv2D" and variable.name == "kernel"
    name = "depthwise_kernel" if depthwise else variable.name
    owner = variable.owner
    return f"{place or (owner.path if owner else '')}/{name}".removeprefix("/")


def rename(arrays: Mapping[str, T], wanted: Mapping[str, object]) -> dict[str, T]:
    """Return the arrays by the wanted names, where a name with some parts left out is one.

    A name that is wanted, or for which there is no match, or a match for two names, stays.
    """
    free = {name for name in wanted if name not in arrays}
    matches: dict[str, list[str]] = {}
    for name in arrays:
        if name not in wanted:
            found = next((short for short in _shorter(name) if short in free), name)
            matches.setdefault(found, []).append(name)
    new = {names[0]: short for short, names in matches.items() if len(names) == 1}
    return {new.get(name, name): array for name, array in arrays.items()}


def _shorter(name: str) -> Iterator[str]:
    """Yield the names with parts before the last left out, the longest first."""
    *folders, last = name.removesuffix(":0").split("/")
    if len(folders) >= _MOST:
        return
    for count in range(len(folders), 0, -1):
        for kept in combinations(folders, count):
            for end in (last, _ALIASES.get(last, last)):
                yield "/".join([*kept, end])
