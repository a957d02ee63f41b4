"""What TensorFlow.js 4.22 computes otherwise, or cannot load: refused when saving.

These depend on the shapes and masks in a graph; `nn.io.keras.write_config` refuses layers and
options by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nn.graph import Node, SymbolicTensor
from nn.io.errors import UnsupportedError
from nn.io.keras.read_config import STATES_AFTER
from nn.models.model import Model

# Merging layers that leave masked steps out here, and not there.
_MASKED_OTHERWISE = ("Maximum", "Minimum", "Multiply", "Softmax")

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
    masked: set[SymbolicTensor] = set()
    for node in model.graph.nodes:
        layer = node.layer
        if isinstance(layer, Model):
            check(layer)
            continue
        _check_axes(layer, len(node.inputs[0].shape))
        for reason in _reasons(node, [tensor in masked for tensor in node.inputs]):
            raise UnsupportedError(f"layer {layer.name!r} ({type(layer).__name__}): {reason}")
        if layer.begins_mask or (layer.supports_masking and masked.intersection(node.inputs)):
            masked.update(node.outputs)


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


def _reasons(node: Node, masks: list[bool]) -> Iterator[str]:
    layer: Any = node.layer
    kind, rank = type(layer).__name__, len(node.inputs[0].shape)
    axis = getattr(layer, "axis", -1)
    if kind == "Concatenate" and isinstance(axis, int) and axis < -1:
        yield f"TensorFlow.js takes axis={axis} for another; write axis={axis + rank}"
    if layer.masking is False and any(masks):
        yield "TensorFlow.js hands masks on here"
    if kind in STATES_AFTER and masks[1:] and masks[0] and not layer.masking:
        yield "TensorFlow.js leaves masked steps out here, beside initial states"
    if kind in _MASKED_OTHERWISE and any(masks):
        yield "TensorFlow.js leaves no masked steps out here"
    if kind == "Bidirectional" and layer.return_sequences and any(masks):
        yield "TensorFlow.js gives masked steps another output here"
    if kind == "Concatenate" and any(masks) and not all(masks) and not _is_last(axis, rank):
        yield "TensorFlow.js expects a mask of all inputs or of none"
