"""Steps: the calls of layers that a program is made of."""

from __future__ import annotations

from functools import partial
from typing import Any

from nn.context import Context
from nn.layers.base import Layer


class Step:
    """One call of a layer in a program, or of two that run as one.

    Attributes:
        inputs: slots of the values that it reads.
        outputs: slots of the values that it computes.
        wanted: for each input, whether its gradient is needed.
    """

    __slots__ = ("backward", "ctx", "forward", "inputs", "layer", "outputs", "wanted")

    def __init__(
        self,
        layer: Layer,
        ctx: Context,
        inputs: list[int],
        outputs: list[int],
        training: Any = None,
    ) -> None:
        self.layer = layer
        self.ctx = ctx
        self.inputs = inputs
        self.outputs = outputs
        self.forward = (
            layer.forward if training is None else partial(_in_mode, layer.forward, training)
        )
        self.backward = layer.backward
        self.wanted: list[bool] = []

    @property
    def repeatable(self) -> bool:
        """Whether the kernel calls of the layer may be recorded and repeated."""
        return len(self.outputs) == 1 and self.layer.recordable(self.ctx)


def _in_mode(forward: Any, mode: Any, *arguments: Any, training: Any) -> Any:
    """Run a layer in the mode of its call where the run has none."""
    return forward(*arguments, training=mode if training is None else training)
