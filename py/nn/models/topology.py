"""Topology: a graph of layers as plain data, the order of its layers, and their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nn.errors import ConfigError
from nn.graph import Graph, Node, SymbolicTensor
from nn.layers.base import Layer
from nn.layers.core import InputLayer
from nn.registry import deserialize
from nn.types import Config


def config(
    graph: Graph,
    single: bool,
    input_keys: list[str] | None = None,
    output_keys: list[str] | None = None,
) -> Config:
    """Return the layers' settings and, for each call of a layer, the sources of its inputs.

    Args:
        graph: a model's graph.
        single: the model's output is one tensor, not a list of one.
        input_keys: the name of each input, where they are a dict.
        output_keys: the name of each output, where they are a dict.
    """
    places = _places(graph)
    layers = [
        {
            "class_name": type(layer).__name__,
            "name": layer.name,
            "config": layer.get_config(),
            "inbound_nodes": [
                [[*_address(t, places), _mode(node)] for t in node.inputs]
                for node in graph.nodes
                if node.layer is layer
            ],
        }
        for layer in graph.layers
    ]
    inputs, outputs = (
        [_address(t, places) for t in tensors] for tensors in (graph.inputs, graph.outputs)
    )
    return {
        "layers": layers,
        "input_layers": dict(zip(input_keys, inputs, strict=True)) if input_keys else inputs,
        "output_layers": (
            dict(zip(output_keys, outputs, strict=True))
            if output_keys
            else outputs[0]
            if single
            else outputs
        ),
    }


def connect(settings: Config, custom_objects: Any = None) -> tuple[Any, Any]:
    """Build the graph that `config` returned, with new weights; return its inputs and outputs.

    Raises:
        ConfigError: the inputs of a layer are missing.
    """
    made = {
        item["config"]["name"]: deserialize(
            {"class_name": item["class_name"], "config": item["config"]}, custom_objects
        )
        for item in settings["layers"]
    }
    tensors: dict[tuple[str, int, int], SymbolicTensor] = {}
    for layer in made.values():
        if isinstance(layer, InputLayer):
            tensors[layer.name, 0, 0] = layer.output
    waiting = [
        (item["config"]["name"], index, call)
        for item in settings["layers"]
        for index, call in enumerate(item["inbound_nodes"])
        if call
    ]
    while waiting:
        ready = [w for w in waiting if all((s[0], s[1], s[2]) in tensors for s in w[2])]
        if not ready:
            raise ConfigError(f"{settings.get('name')}: no input for {[w[0] for w in waiting]}")
        for name, index, call in ready:
            sources = [tensors[s[0], s[1], s[2]] for s in call]
            result = getattr(made[name], "connect", made[name])(*sources)
            made[name]._nodes[-1].training = call[0][3].get("training")
            result = list(result.values()) if isinstance(result, dict) else result
            for i, t in enumerate(result if isinstance(result, list) else [result]):
                tensors[name, index, i] = t
        waiting = [w for w in waiting if w not in ready]

    def found(ends: Any) -> Any:
        if isinstance(ends, dict):
            return {key: tensors[tuple(end)] for key, end in ends.items()}
        if ends and isinstance(ends[0], str):
            return tensors[tuple(ends)]
        return [tensors[tuple(end)] for end in ends]

    return found(settings["input_layers"]), found(settings["output_layers"])


def _mode(node: Node) -> Config:
    """Return the mode that a call names, as Keras does."""
    return {} if node.training is None else {"training": node.training}


def _places(graph: Graph) -> dict[Node, int]:
    """Number the calls of each layer."""
    seen: dict[Layer, int] = {}
    places: dict[Node, int] = {}
    for node in [*(t.node for t in graph.inputs), *graph.nodes]:
        places[node] = seen.get(node.layer, 0)
        seen[node.layer] = places[node] + 1
    return places


def _address(tensor: SymbolicTensor, places: dict[Node, int]) -> list[Any]:
    return [tensor.node.layer.name, places[tensor.node], tensor.index]


def listed(graph: Graph) -> list[Layer]:
    """Return the layers in the order of Keras' `model.layers`: those with the most layers between
    them and the outputs first.
    """
    waiting = [end.node for end in reversed(graph.outputs)]
    met: dict[Node, None] = {}  # on the ways back from the outputs
    while waiting:
        node = waiting.pop()
        if node not in met:
            met[node] = None
            waiting += [tensor.node for tensor in reversed(node.inputs)]
    depths: dict[Any, int] = {}  # of calls, and of layers
    for node in reversed([*(tensor.node for tensor in graph.inputs), *graph.nodes]):
        depth = depths[node.layer] = max(depths.get(node, 0), depths.get(node.layer, 0))
        # Keras has arrays in calls, not as layers.
        depth += type(node.layer).__name__ != "ConstantArray"
        for tensor in node.inputs:
            depths[tensor.node] = max(depths.get(tensor.node, 0), depth)
    places = {node.layer: -place for place, node in enumerate(reversed(met))}
    return sorted(graph.layers, key=lambda la: (-depths[la], places.get(la, -len(met))))


def name_uniquely(layers: Sequence[Layer]) -> None:
    """Name the layers that have no name, numbered within this model: dense, dense_1, ...

    Raises:
        ConfigError: two layers have the same name.
    """
    taken: set[str] = set()
    numbers: dict[str, int] = {}  # thousands of layers may have one name
    for layer in layers:
        if layer.auto_named:
            continue
        if layer.name in taken:
            raise ConfigError(f"layer names must be unique, received {layer.name!r} twice")
        taken.add(layer.name)
    for layer in layers:
        if not layer.auto_named:
            continue
        name, number = layer.name, numbers.get(layer.name, 0)
        while name in taken:
            number += 1
            name = f"{layer.name}_{number}"
        numbers[layer.name] = number
        layer.name, layer.auto_named = name, False
        taken.add(name)
