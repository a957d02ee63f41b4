"""Reader: the state of an ONNX import, with the values of the graph.

The operator tables (`read_operators`, `read_shapes`) use it; `read` drives them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.graph import SymbolicTensor
from nn.io.errors import LimitError, MissingEntryError, UnsupportedError
from nn.io.onnx.messages import Graph, Node
from nn.layers import CLASSES
from nn.layers.base import Layer

Array = NDArray[np.generic]

_ROOM = 64 << 20


@dataclass(frozen=True)
class Symbol:
    """A value that the model will compute.

    Attributes:
        tensor: the tensor, in the engine's order of axes.
        first: whether it is channels-first in the graph.
        image: shape (channels, h, w) of the image it was flattened from, or None.
        positive: whether no element is below zero.
        turned: whether the graph itself put the channels last.
    """

    tensor: SymbolicTensor
    first: bool = False
    image: tuple[int, ...] | None = None
    positive: bool = False
    turned: bool = False

    @property
    def rank(self) -> int:
        """The number of axes, including the batch."""
        return len(self.tensor.shape)

    @property
    def sizes(self) -> list[int | None]:
        """The sizes after the batch axis, in the graph's order."""
        inner = list(self.tensor.shape[1:])
        return [*inner[-1:], *inner[:-1]] if self.first else inner

    @property
    def reordered(self) -> bool:
        """Whether it was flattened from an image in another order than in the graph."""
        channels, *sizes = self.image or (1,)
        return channels > 1 and any(size > 1 for size in sizes)


class Reader:
    """The state of an import: constants and symbols by their names in the graph.

    Args:
        graph: the graph.
        opset: the version of the operators.
        room: the bytes that computed constants may take.
        ours: whether the graph was exported here.

    Attributes:
        sizes: shapes that the graph computes with, by name.
        done: outputs that a node before has computed.
        same: output of a node that need not be computed -> the value that it equals.
        fills: values that are one number everywhere, of any batch -> the number.
        whole: whole numbers computed from a value -> that value and the nodes.
        probes: values that depend on the number of samples alone, see `read_probed`.
        strided: indices that count the samples -> stride and offsets, see `read_strided`.
        turned: values whose batch is not the first axis, see `read_turned`.
        steps: input of a model of one step -> the values of all steps, see `read_steps`.
        integers: values of the model that are integers in the graph -> their dtype.
        outputs: the names of the graph's outputs.
        makers: value -> the node that computes it.
        alone: whether the graph states a batch of 1, which is any batch here.
    """

    def __init__(self, graph: Graph, opset: int, room: int = _ROOM, ours: bool = False) -> None:
        self.graph = graph
        self.opset = opset
        self.room = room
        self.ours = ours
        self.constants: dict[str, Array] = dict(graph.initializers)
        self.symbols: dict[str, Symbol] = {}
        self.sizes: dict[str, Array] = {}
        self.done: set[str] = set()
        self.same: dict[str, str] = {}
        self.fills: dict[str, float] = {}
        self.whole: dict[str, tuple[Symbol, list[Node]]] = {}
        self.probes: dict[str, list[Array]] = {}
        self.strided: dict[str, tuple[int, Any]] = {}
        self.turned: dict[str, Any] = {}
        self.steps: dict[SymbolicTensor, Symbol] = {}
        self.integers: dict[str, np.dtype[Any]] = {}
        inputs = [value for value in graph.inputs if value.name not in self.constants]
        self.alone = any((value.shape or [None])[0] == 1 for value in inputs)
        self.outputs = {value.name for value in graph.outputs}
        self.makers = {name: node for node in graph.nodes for name in node.outputs if name}
        self._consumers: dict[str, list[Node]] = {}
        for node in graph.nodes:
            for name in dict.fromkeys(node.inputs):
                self._consumers.setdefault(name, []).append(node)

    def claim(self, size: int, what: str) -> None:
        """Count the bytes of a constant before it is computed.

        Raises:
            LimitError: constants take more than the room for them.
        """
        self.room -= size
        if self.room < 0:
            raise LimitError(f"{what}: expected constants of less memory, received {size} bytes")

    def symbol(self, node: Node, index: int = 0) -> Symbol:
        """Return an input that the model computes.

        Raises:
            UnsupportedError: the input is a constant, or absent.
        """
        name = _nth(node.inputs, index)
        if name not in self.symbols:
            raise UnsupportedError(f"{where(node)}: expected input {index} to be computed")
        return self.symbols[name]

    def any_value(self) -> Symbol:
        """Return a value of the model, of which only the number of samples counts."""
        known = next(iter(self.symbols.values()), None)
        return known or Symbol(next(iter(self.turned.values())).tensor)

    def constant(self, node: Node, index: int) -> Array | None:
        """Return a constant input, or None if it is absent.

        Raises:
            UnsupportedError: the input is computed.
        """
        name = _nth(node.inputs, index)
        if not name:
            return None
        if name not in self.constants:
            raise UnsupportedError(f"{where(node)}: expected {name!r} to be constant")
        return self.constants[name]

    def needed(self, node: Node, index: int) -> Array:
        """Return a required constant input."""
        array = self.constant(node, index)
        if array is None:
            raise MissingEntryError(f"{where(node)}: expected a constant as input {index}")
        return array

    def set(self, node: Node, symbol: Symbol) -> None:
        """Set the value of the node's first output."""
        self.symbols[node.outputs[0]] = symbol

    def apply(
        self, kind: str, *inputs: Symbol, weights: Sequence[Any] = (), **options: Any
    ) -> Symbol:
        """Add a layer to the model; its output has the order of its first input."""
        if kind not in CLASSES:
            raise UnsupportedError(f"onnx import: the engine has no layer {kind}")
        if kind == "ConstantArray" and not np.size(options["value"]):
            shape = np.shape(options["value"])
            raise UnsupportedError(f"onnx import: expected a constant with elements, not {shape}")
        layer: Layer = CLASSES[kind](**options)
        tensors = [symbol.tensor for symbol in inputs]
        made = layer(tensors) if len(tensors) > 1 else layer(tensors[0])
        if weights:
            layer.set_weights([np.asarray(weight, np.float32) for weight in weights])
        return replace(inputs[0], tensor=made, positive=False)

    def as_image(self, symbol: Symbol) -> Symbol:
        """Return a value of 3 axes or more with its channels, the graph's second axis, last."""
        if symbol.first or symbol.rank < 3:
            return symbol
        moved = self.apply("Permute", symbol, dims=[*range(2, symbol.rank), 1])
        return replace(moved, first=True, positive=symbol.positive)

    def in_order(self, symbol: Symbol) -> Symbol:
        """Return a value with its elements in the graph's order."""
        if symbol.first:
            last = symbol.rank - 1
            made = self.apply("Permute", symbol, dims=[last, *range(1, last)])
            return replace(made, first=False, positive=symbol.positive)
        if not symbol.reordered:
            return replace(symbol, image=None)
        channels, *sizes = symbol.image or ()
        folded = self.apply("Reshape", symbol, target_shape=[*sizes, channels])
        turned = self.in_order(replace(folded, first=True, image=None))
        return replace(self.apply("Flatten", turned), positive=symbol.positive)

    def reshape(self, symbol: Symbol, sizes: Sequence[int | None]) -> Symbol:
        """Return a value with these sizes after the batch axis; None and -1 are unknown ones.

        Raises:
            UnsupportedError: several are unknown, and other axes than those of size 1 go.
        """
        shape = list(symbol.tensor.shape[1:])
        wanted = [None if size == -1 else size for size in sizes]
        if shape == wanted:
            return symbol
        if wanted.count(None) < 2:
            target = [-1 if size is None else size for size in wanted]
            return self.apply("Reshape", symbol, target_shape=target)
        index: list[Any] = []
        for size in shape:
            kept = bool(wanted) and size == wanted[0]
            index.append([None, None, None] if kept else 0)
            if kept:
                wanted.pop(0)
            elif size != 1:
                wanted.append(0)  # of which nothing is left to take
        if wanted:
            raise UnsupportedError(
                f"expected at most one unknown size, received {shape} for {list(sizes)}"
            )
        return self.apply("GetItem", symbol, index=index)

    def consumers(self, name: str) -> list[Node]:
        """Return the nodes that read a value."""
        return self._consumers.get(name, [])

    def used(self, name: str) -> bool:
        """Return whether a node or an output of the graph reads a value."""
        return bool(name) and (name in self._consumers or name in self.outputs)

    def follower(self, name: str) -> Node | None:
        """Return the node that alone reads a value, None if others or the graph's outputs do."""
        consumers = self.consumers(name)
        return consumers[0] if len(consumers) == 1 and name not in self.outputs else None


Handle = Callable[[Reader, Node], None]
"""The conversion of a node: it sets the node's outputs."""


def _nth(names: Sequence[str], index: int) -> str:
    return names[index] if index < len(names) else ""


def where(node: Node) -> str:
    """Return the description of a node for error messages."""
    return f"onnx {node.operator} {node.name!r}"
