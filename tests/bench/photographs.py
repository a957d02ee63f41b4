"""Networks for photographs of 224 x 224, built once and described for every peer.

Weights come from one seed, with batch normalizations whose statistics matter. `write` leaves, for
each network: its weights, an ONNX file, and two lists of nodes with their weights: as the layers
are, and folded, as TensorFlow.js' converter makes them. All peers read the same images.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nn
import numpy as np

from tests.bench.peers.photographs import Array, build

NETWORKS = ("mobilenet_v2", "efficientnet_lite0", "resnet50_v2")
SIDE, MOST = 224, 16


def write(folder: Path, network: str) -> None:
    """Write what the peers need of a network, and the images, unless they are there."""
    images = folder / "photographs.f32"
    if not images.exists():
        random = np.random.default_rng(7)
        random.uniform(-1, 1, (MOST, SIDE, SIDE, 3)).astype("<f4").tofile(images)
    if (folder / f"{network}.onnx").exists():
        return
    model = build(network)
    _flat([v.value for v in model.variables]).tofile(folder / f"{network}.weights.f32")
    for kind, description in (("layers", Layers(model)), ("folded", Folded(model))):
        _flat(description.weights).tofile(folder / f"{network}.{kind}.f32")
        (folder / f"{network}.{kind}.json").write_text(description.json())
    (folder / f"{network}.keras").write_bytes(bytes(nn.io.save(model, "keras")))
    (folder / f"{network}.onnx").write_bytes(bytes(nn.io.save(model, "onnx")))


def _flat(arrays: list[Array]) -> Array:
    return np.concatenate([a.astype("<f4").ravel() for a in arrays])


class Description:
    """Nodes in order: node i computes value i + 1 from earlier ones; value 0 is the images."""

    def __init__(self) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.weights: list[Array] = []
        self.values: dict[Any, int] = {}

    def json(self) -> str:
        """Return the nodes and the shapes of the weights."""
        shapes = [list(w.shape) for w in self.weights]
        return json.dumps({"nodes": self.nodes, "shapes": shapes})

    def add(self, part: Any, op: str, weights: list[Array] | None = None, **options: Any) -> None:
        """Append a node, with the index of its first weight."""
        inputs = [self.values[t] for t in part.inputs]
        node = {"op": op, "inputs": inputs, "weights": len(self.weights), **options}
        self.weights += weights or []
        self.nodes.append(node)
        self.values[part.outputs[0]] = len(self.nodes)

    def layer(self, part: Any, layer: Any) -> None:
        """Append a node for a layer that is the same in both descriptions."""
        kind = type(layer).__name__
        if kind == "Dense":
            self.add(part, "dense", [layer.kernel.value, layer.bias.value])
            if layer.activation.name == "softmax":
                self.nodes.append({"op": "softmax", "inputs": [len(self.nodes)], "weights": 0})
                self.values[part.outputs[0]] = len(self.nodes)
        elif kind == "MaxPooling2D":
            self.add(part, "max_pool", size=layer.pool_size, strides=layer.strides)
        elif kind == "ZeroPadding2D":
            self.add(part, "pad", padding=layer.padding)
        else:
            self.add(part, {"Add": "add", "GlobalAveragePooling2D": "mean"}[kind])

    def convolution(self, part: Any, conv: Any, weights: list[Array], **options: Any) -> None:
        """Append a convolution; its kernel is (h, w, channels, filters) or (h, w, channels, 1)."""
        depthwise = type(conv).__name__ == "DepthwiseConv2D"
        kernel, *rest = weights
        kernel = kernel.reshape(conv.kernel.shape)
        op = "depthwise" if depthwise else "convolution"
        self.add(part, op, [kernel, *rest], strides=conv.strides, **options)


class Layers(Description):
    """One node a layer."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.values[model.graph.inputs[0]] = 0
        for node in model.graph.nodes:
            layer = node.layer
            kind = type(layer).__name__
            if kind in ("Conv2D", "DepthwiseConv2D"):
                padding = layer.plan((1, *node.inputs[0].shape[1:]))[1]["padding"]
                weights = [layer.kernel.value, *([layer.bias.value] if layer.bias else [])]
                self.convolution(node, layer, weights, padding=padding, bias=bool(layer.bias))
            elif kind == "BatchNormalization":
                parts = layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance
                self.add(node, "norm", [v.value for v in parts], epsilon=layer.epsilon)
            elif kind == "ReLU":
                self.add(node, layer.function.name)
            else:
                self.layer(node, layer)


class Folded(Description):
    """One node for a convolution with its batch normalization and activation."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        graph = model.graph
        self.values[graph.inputs[0]] = 0
        following: dict[Any, Any] = {t: node for node in graph.nodes for t in node.inputs}
        done: set[Any] = set()
        for node in graph.nodes:
            if node not in done:
                self._node(node, following, done)

    def _node(self, node: Any, following: dict[Any, Any], done: set[Any]) -> None:
        layer, last, scale, shift, activation = node.layer, node, None, None, "linear"
        kind = type(layer).__name__
        if kind not in ("Conv2D", "DepthwiseConv2D", "BatchNormalization"):
            self.layer(node, layer)
            return
        for follower in ("BatchNormalization", "ReLU"):
            after = last if kind == follower else following.get(last.outputs[0])
            if after is None or type(after.layer).__name__ != follower:
                continue
            last = after
            done.add(after)
            if follower == "ReLU":
                activation = after.layer.function.name
            else:
                scale, shift = _factors(after.layer)
        part = SimpleNamespace(inputs=node.inputs, outputs=last.outputs)
        if kind == "BatchNormalization":
            self.add(part, "affine", [scale, shift], activation=activation)
            return
        kernel, bias = layer.kernel.value, layer.bias.value if layer.bias else np.float32(0)
        if scale is not None:
            kernel = kernel.reshape(layer.kernel_shape) * scale
            bias = bias * scale + shift
        padding = layer.plan((1, *node.inputs[0].shape[1:]))[1]["padding"]
        bias = np.broadcast_to(bias, (layer.filters,))
        self.convolution(part, layer, [kernel, bias], padding=padding, activation=activation)


def _factors(norm: Any) -> tuple[Array, Array]:
    scale = norm.gamma.value / np.sqrt(norm.moving_variance.value + norm.epsilon)
    return scale, norm.beta.value - norm.moving_mean.value * scale
