"""Steps: the calls of layers that a program is made of."""

from __future__ import annotations

from nn.context import Context
from nn.layers.base import Layer

PASSES = {"forward", "backward"}


class Step:
    """One call of a layer in a program, or of two that run as one.

    Attributes:
        inputs: slots of the values that it reads.
        outputs: slots of the values that it computes.
        wanted: for each input, whether its gradient is needed.
    """

    __slots__ = ("backward", "ctx", "forward", "inputs", "layer", "outputs", "wanted")

    def __init__(self, layer: Layer, ctx: Context, inputs: list[int], outputs: list[int]) -> None:
        self.layer = layer
        self.ctx = ctx
        self.inputs = inputs
        self.outputs = outputs
        self.forward = layer.forward
        self.backward = layer.backward
        self.wanted: list[bool] = []

    @property
    def repeatable(self) -> bool:
        """Whether the kernel calls of the layer may be recorded and repeated."""
        layer = self.layer
        if len(self.outputs) > 1 or not _speaks_for(type(layer)) or vars(layer).keys() & PASSES:
            return False
        return layer.only_kernels(self.ctx)


def _speaks_for(kind: type[Layer]) -> bool:
    """Return whether `only_kernels` is defined where `forward` and `backward` are, or below."""
    for base in kind.__mro__:
        if "only_kernels" in vars(base):
            return True
        if vars(base).keys() & PASSES:
            return False
    return False
