"""Conversion of the operators that skl2onnx writes for linear models and networks (ai.onnx.ml).

A classifier has two outputs: the label, which a model here does not compute, and the probabilities,
for each class in a map. The model gives the probabilities; the classes become `model.labels`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from nn.io.errors import UnsupportedError
from nn.io.onnx.messages import Graph, Node
from nn.io.onnx.read_arithmetic import rescaled
from nn.io.onnx.reader import Handle, Reader, where

_CLASSES = ("classlabels_int64s", "classlabels_strings", "classlabels_ints")
_TRANSFORMS = {"NONE": "linear", "LOGISTIC": "sigmoid", "SOFTMAX": "softmax"}


def labels(graph: Graph) -> list[str] | None:
    """Return the classes of a classifier, or None."""
    for node in graph.nodes:
        if node.operator in ("ZipMap", "LinearClassifier"):
            for name in _CLASSES:
                found = node.attributes.get(name)
                if isinstance(found, list) and found:
                    return [str(item) for item in found]
    return None


def _floats(node: Node, name: str) -> Any:
    value = node.attributes.get(name)
    if not isinstance(value, list) or not value:
        raise UnsupportedError(f"{where(node)}: expected numbers {name!r}, received {value!r:.80}")
    return np.array(value, np.float32)


def _linear(outputs: str) -> Handle:
    def handle(reader: Reader, node: Node) -> None:
        x = reader.symbol(node)
        bias = _floats(node, "intercepts")
        kernel = _floats(node, "coefficients").reshape(bias.size, -1).T
        name = node.attributes.get("post_transform", "NONE")
        if name not in _TRANSFORMS or x.rank != 2:
            raise UnsupportedError(f"{where(node)}: no post_transform {name!r} here")
        made = reader.apply(
            "Dense",
            x,
            weights=[kernel, bias],
            units=int(bias.size),
            activation=_TRANSFORMS[str(name)],
        )
        reader.symbols[node.outputs[-1]] = replace(made, positive=name != "NONE")

    return handle


def _scaler(reader: Reader, node: Node) -> None:
    offset, scale = _floats(node, "offset"), _floats(node, "scale")
    made = rescaled(reader, node, reader.symbol(node), scale=scale, offset=-offset * scale)
    reader.set(node, made)


def _normalizer(reader: Reader, node: Node) -> None:
    """Divide by the sum, which leaves a softmax, and the two sides of a sigmoid, as they are."""
    x = reader.symbol(node)
    layer = x.tensor.node.layer
    name = layer.last_activation
    kernel = layer.variables[0].value if layer.variables else np.zeros((1, 1))
    bias = layer.variables[1].value if len(layer.variables) > 1 else np.zeros(1)
    sides = kernel.shape[-1] == 2 and not np.any(kernel.sum(-1)) and not np.any(bias.sum(-1))
    if node.attributes.get("norm") != "L1" or not (
        name == "softmax" or (name == "sigmoid" and sides)
    ):
        raise UnsupportedError(f"{where(node)}: expected probabilities that add up to 1")
    reader.set(node, x)


def _zip_map(reader: Reader, node: Node) -> None:
    reader.set(node, reader.symbol(node))


OPERATORS: dict[str, Handle] = {
    "LinearClassifier": _linear("labels"),
    "LinearRegressor": _linear("values"),
    "Normalizer": _normalizer,
    "Scaler": _scaler,
    "ZipMap": _zip_map,
}
"""Operators of the domain ai.onnx.ml."""
