"""A table: the class of a layer, and how its dispatches are recorded.

A recorder takes (compiler, layer, the values it reads, the activation to apply at its end) and
returns the value that the layer makes, after leaving in `compiler.backward` what records the
backward pass.
"""

from __future__ import annotations

from typing import Any

from nn.gpu.layers import (
    activating,
    attention,
    convolving,
    embedding,
    merging,
    noising,
    normalizing,
    pooling,
    shaping,
)
from nn.gpu.wgsl import traced
from nn.gpu.wgsl.functions import Function
from nn.layers import elementwise
from nn.layers.core import Dense

RECORDERS: dict[Any, Any] = {
    **activating.RECORDERS,
    **attention.RECORDERS,
    **convolving.RECORDERS,
    **embedding.RECORDERS,
    **merging.RECORDERS,
    **noising.RECORDERS,
    **normalizing.RECORDERS,
    **pooling.RECORDERS,
    **shaping.RECORDERS,
}


def ends_with_activation(layer: Any) -> bool:
    """Return whether the layer's recorder applies the activation of a layer after it."""
    kind = type(layer)
    if kind in (Dense, *convolving.RECORDERS):
        return bool(layer.activation.name == "linear")
    return kind in normalizing.FUSING


def function_of(layer: elementwise.Elementwise) -> Function | None:
    """Return the activation of a layer if another layer can apply it, or None."""
    function = traced.activation(layer.function)
    return function if function is not None and function.from_output else None
