"""What TensorFlow.js 4.22 computes otherwise, or cannot load: refused when saving.

These depend on the shapes and masks in a graph; `nn.io.keras.write_config` refuses layers and
options by themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from nn.io.errors import UnsupportedError
from nn.io.tfjs.masks import Call, Flow
from nn.layers.base import Layer, walk
from nn.layers.normalization import BatchNormalization
from nn.models.model import Model

# The least and the most axes of an input there, the batch's counted.
_AXES = {
    "BatchNormalization": (2, 4),
    "Dense": (2, 5),
    "Dot": (2, 3),
    "Flatten": (3, 6),
    "LayerNormalization": (2, 4),
    "SpatialDropout1D": (3, 3),
}


def config(model: Model) -> dict[str, Any]:
    """Return the model's configuration, with the shapes of a Reshape in full where known.

    TensorFlow.js takes a size of -1 for an unknown one.
    """
    settings = model.get_config()
    shapes = {node.layer.name: node.outputs[0].shape[1:] for node in model.graph.nodes}
    layers = {layer.name: layer for layer in model.layers}
    for item in settings["layers"]:
        name = item["config"]["name"]
        inner = layers.get(name)
        if isinstance(inner, Model):
            item["config"] = config(inner)
        elif item["class_name"] == "Reshape" and None not in shapes[name]:
            item["config"]["target_shape"] = list(shapes[name])
    return settings


def check(model: Model) -> None:
    """Raise UnsupportedError for a call of a layer that TensorFlow.js would compute otherwise."""
    _check_tensors(model)
    flow = Flow()
    flow.follow(model.graph)
    otherwise = {*flow.differing()}
    for call in flow.calls:
        layer = call.node.layer
        if isinstance(layer, Model):
            continue
        _check_axes(layer, len(call.node.inputs[0].shape))
        for reason in _reasons(call, call in otherwise):
            raise UnsupportedError(f"layer {layer.name!r} ({type(layer).__name__}): {reason}")


def check_training(model: Model) -> None:
    """Raise UnsupportedError where training leaves masked steps out here: TensorFlow.js takes them
    into each loss, and into the moments of each batch."""
    flow = Flow()
    masks = flow.follow(model.graph)
    found = [t.node.layer for t, mask in zip(model.outputs, masks, strict=True) if mask]
    found += [c.node.layer for c in flow.calls if any(c.here) and _normalizes(c.node.layer)]
    for layer in found:
        raise UnsupportedError(
            f"layer {layer.name!r} ({type(layer).__name__}): TensorFlow.js trains on masked steps "
            "too; save without include_optimizer"
        )


def _normalizes(layer: Layer) -> bool:
    """Return whether a layer, or one in it, takes the moments of a batch."""
    return any(isinstance(one, BatchNormalization) for one in walk([layer]))


def _check_tensors(model: Model) -> None:
    """Raise UnsupportedError where a tensor is used so that TensorFlow.js frees it too early, or
    does not return it (tfjs-layers/src/engine/executor.ts)."""
    graph = model.graph
    if len({*graph.outputs}) < len(graph.outputs):
        raise UnsupportedError(f"{model.name}: TensorFlow.js has each output once, received twice")
    readers = Counter(tensor for node in graph.nodes for tensor in {*node.inputs})
    for node in graph.nodes:
        for tensor in {*node.inputs} - {*graph.inputs, *graph.outputs}:
            if node.inputs.count(tensor) > 1 and readers[tensor] > 1:
                raise UnsupportedError(
                    f"layer {node.layer.name!r} ({type(node.layer).__name__}): TensorFlow.js frees "
                    "a tensor that one call reads twice, before other calls read it"
                )
        if isinstance(node.layer, Model):
            _check_tensors(node.layer)


def _check_axes(layer: Any, rank: int) -> None:
    """Raise UnsupportedError where a layer, or one in it, has not the axes that it has there."""
    kind = type(layer).__name__
    if kind == "TimeDistributed":
        _check_axes(layer.layer, rank - 1)
    least, most = _AXES.get(kind, (1, 6))
    where = f"layer {layer.name!r} ({kind})"
    if not least <= rank <= most:
        raise UnsupportedError(
            f"{where}: TensorFlow.js takes inputs of {least} to {most} axes, received {rank}"
        )
    if kind in ("BatchNormalization", "Softmax") and not _is_last(layer.axis, rank):
        raise UnsupportedError(
            f"{where}: TensorFlow.js knows the last axis only, received axis={layer.axis}"
        )


def _is_last(axis: Any, rank: int) -> bool:
    return axis in (-1, rank - 1, [rank - 1])


def _reasons(call: Call, otherwise: bool) -> Iterator[str]:
    layer: Any = call.node.layer
    kind, rank = type(layer).__name__, len(call.node.inputs[0].shape)
    axis = getattr(layer, "axis", -1)
    if kind == "Concatenate" and isinstance(axis, int) and axis < -1:
        yield f"TensorFlow.js takes axis={axis} for another; write axis={axis + rank}"
    if layer.masking is False and any(call.here):
        yield "TensorFlow.js hands masks on here"
    if otherwise:
        yield "TensorFlow.js leaves other masked steps out here"
    if kind == "Bidirectional" and layer.return_sequences and any(call.here):
        yield "TensorFlow.js gives masked steps another output here"
    some = any(call.there) and not all(call.there)
    if kind == "Concatenate" and some and not _is_last(axis, rank):
        yield "TensorFlow.js expects a mask of all inputs or of none"
