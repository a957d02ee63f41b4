"""Masks in the calls of a graph, as they are here and in TensorFlow.js 4.22.

There a layer hands on a mask or drops it (`computeMask` of tfjs-layers/src/layers/*.ts), as here.
But a call whose inputs have no mask is given that of another call, which came before it
(tfjs-layers/src/engine/executor.ts, `execute`), and merging layers join masks in another way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from nn.graph import Graph, Node, SymbolicTensor
from nn.io.keras.read_config import STATES_AFTER
from nn.layers.dot_product import Dot
from nn.layers.merging import Concatenate
from nn.models.model import Model

Mask = object | None
"""Which mask it is: two masks are known to be equal if they are the same object."""

# What hands on the mask of its only input there.
_PASSING = (
    "Activation", "AlphaDropout", "BatchNormalization", "Dense", "Dropout", "GaussianDropout",
    "GaussianNoise", "LayerNormalization", "PReLU", "ReLU", "SpatialDropout1D", "TimeDistributed",
)  # fmt: skip

# What reads its mask there, and what reads it here.
_READING_THERE = (*STATES_AFTER, "Softmax")
_READING_HERE = ("GlobalAveragePooling1D", "Maximum", "Minimum", "Multiply", "Softmax")


@dataclass(eq=False)
class Call:
    """One call of a layer, with the masks of its inputs here and there."""

    node: Node
    here: list[Mask]
    there: list[Mask]

    def outputs(self) -> tuple[list[Mask], list[Mask]]:
        """Return the masks of the outputs, here and there."""
        layer, count = self.node.layer, len(self.node.outputs)
        kind = type(layer).__name__
        if layer.begins_mask:
            begun = [object()] * count
            return begun, begun
        if kind in STATES_AFTER:
            passed = layer.return_sequences
            first = 2 if kind == "Bidirectional" and not layer.merge_mode else 1
            kept = [self.here[0] if passed and i < first else None for i in range(count)]
            return kept, [self.there[0] if passed else None] * count
        if len(self.here) > 1:
            mine, theirs = self._joined()
        else:
            mine = self.here[0] if layer.supports_masking else None
            theirs = self.there[0] if kind in _PASSING else None
        return [mine] * count, [theirs] * count

    def _joined(self) -> tuple[Mask, Mask]:
        """Return the mask of the output of a layer that joins several inputs, here and there."""
        layer: Any = self.node.layer
        if not layer.supports_masking:
            return None, object() if any(self.there) else None
        if isinstance(layer, Concatenate) and any(self.here + self.there):
            along = layer.axis == 1  # else a step counts here if one has it, there if all have
            alike = self.here == self.there and (along or len({*self.here}) == 1)
            joined = object() if along else _one(self.here)
            return joined, joined if alike else object()
        handed = self.there[0] and not isinstance(layer, Dot)
        return _one(self.here) if all(self.here) else None, object() if handed else None

    def read(self) -> Mask:
        """Return the mask that the layer leaves steps out by here."""
        layer, kind = self.node.layer, type(self.node.layer).__name__
        if kind in STATES_AFTER:
            return self.here[0] if layer.masking or len(self.here) == 1 else None
        if kind == "TimeDistributed":  # each step has its part of the mask here, the whole there
            inner = type(layer.layer).__name__ in (*STATES_AFTER, *_READING_HERE)
            return object() if inner and any(self.here) else None
        return next(filter(None, self.here), None) if kind in _READING_HERE else None


def _one(masks: Sequence[Mask]) -> Mask:
    """Return the mask that all are, or a new one."""
    return masks[0] if len({*masks}) == 1 else object()


@dataclass
class Flow:
    """All calls of a model, with those of the models inside it in place of these."""

    calls: list[Call] = field(default_factory=list)

    def follow(self, graph: Graph, here: Sequence[Mask] = ()) -> list[Mask]:
        """Add the calls of a graph whose inputs have these masks here, and none there.

        Returns:
            The masks of its outputs here.
        """
        known: dict[SymbolicTensor, tuple[Mask, Mask]] = {
            tensor: (mask, None) for tensor, mask in zip(graph.inputs, here, strict=False)
        }
        for node in graph.nodes:
            found = [known.get(tensor, (None, None)) for tensor in node.inputs]
            call = Call(node, [mine for mine, _ in found], [theirs for _, theirs in found])
            self.calls.append(call)
            if isinstance(node.layer, Model):
                self.follow(node.layer.graph, call.here)
            else:
                known.update(zip(node.outputs, zip(*call.outputs(), strict=True), strict=True))
        return [known[tensor][0] if tensor in known else None for tensor in graph.outputs]

    def differing(self) -> Iterator[Call]:
        """Yield the calls that leave other steps out there than here."""
        given = {call.there[0] for call in self.calls if any(call.there)}
        for call in self.calls:
            if isinstance(call.node.layer, Model):
                continue
            mine, layer = call.read(), call.node.layer
            theirs: set[Mask] = {None}
            if _reads_there(layer):
                theirs = {call.there[0]} if any(call.there) else given or {None}
            if theirs != {mine} or (mine and type(layer).__name__ == "Softmax"):
                yield call


def _reads_there(layer: Any) -> bool:
    """Return whether a layer reads the mask that it is given there, by itself or inside."""
    kind = type(layer).__name__
    if kind == "TimeDistributed":
        return _reads_there(layer.layer)
    return kind in _READING_THERE
