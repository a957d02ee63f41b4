"""A feed-forward ONNX graph as a model that can be trained.

ONNX's images are channels-first, the engine's channels-last. An image keeps the engine's order and
remembers that the graph thinks of it as channels-first; a Transpose between the two orders is then
nothing at all. Flattening an image puts its elements into another order than the graph meant, so
the rows of the matrix that follows are put into that order as well. An image that enters the model
is therefore given channels-last: ``x.transpose(0, 2, 3, 1)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nn.errors import NNError
from nn.graph import SymbolicTensor
from nn.io.errors import CorruptError, MissingEntryError, UnsupportedError
from nn.io.limits import DEFAULT_LIMITS, Limits
from nn.io.onnx.messages import Graph, Node, decode
from nn.io.snapshot import guarded
from nn.layers import CLASSES, Input

if TYPE_CHECKING:
    from nn.layers.base import Layer
    from nn.models.model import Model

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Symbol:
    """A value that the model will compute.

    Attributes:
        tensor: in the engine's order of axes.
        first: the graph thinks of it as channels-first.
        image: shape (channels, h, w) of the image that it was flattened from, if it was one.
        positive: no element is below zero.
    """

    tensor: SymbolicTensor
    first: bool = False
    image: tuple[int, ...] | None = None
    positive: bool = False

    @property
    def rank(self) -> int:
        """Number of axes, batch included."""
        return len(self.tensor.shape)

    @property
    def sizes(self) -> list[int | None]:
        """The sizes after the batch's, in the graph's order."""
        inner = list(self.tensor.shape[1:])
        return [*inner[-1:], *inner[:-1]] if self.first else inner

    @property
    def reordered(self) -> bool:
        """Whether it was flattened from an image whose elements the graph counts otherwise."""
        channels, *sizes = self.image or (1,)
        return channels > 1 and any(size > 1 for size in sizes)


class Reader:
    """The model while it grows: constants and symbols by the graph's names."""

    def __init__(self, graph: Graph, opset: int) -> None:
        self.graph = graph
        self.opset = opset
        self.constants: dict[str, Array] = dict(graph.initializers)
        self.symbols: dict[str, Symbol] = {}
        self.sizes: dict[str, Array] = {}
        self.done: set[str] = set()

    def symbol(self, node: Node, index: int = 0) -> Symbol:
        """Return an input that the model computes.

        Raises:
            UnsupportedError: it is a constant, or absent.
        """
        name = _nth(node.inputs, index)
        if name not in self.symbols:
            raise UnsupportedError(f"{where(node)}: expected input {index} to be computed")
        return self.symbols[name]

    def constant(self, node: Node, index: int) -> Array | None:
        """Return a constant input, None where it is absent.

        Raises:
            UnsupportedError: it is computed.
        """
        name = _nth(node.inputs, index)
        if not name:
            return None
        if name not in self.constants:
            raise UnsupportedError(f"{where(node)}: expected {name!r} to be constant")
        return self.constants[name]

    def needed(self, node: Node, index: int) -> Array:
        """Return a constant input that must be there."""
        array = self.constant(node, index)
        if array is None:
            raise MissingEntryError(f"{where(node)}: expected a constant as input {index}")
        return array

    def set(self, node: Node, symbol: Symbol) -> None:
        """Give the node's first output its value."""
        self.symbols[node.outputs[0]] = symbol

    def apply(
        self, kind: str, *inputs: Symbol, weights: Sequence[Any] = (), **options: Any
    ) -> Symbol:
        """Put a layer of the engine into the model; it keeps the order of its first input."""
        if kind not in CLASSES:
            raise UnsupportedError(f"onnx import: the engine has no layer {kind}")
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
        """Return a value whose elements lie as the graph means them."""
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

    def consumers(self, name: str) -> list[Node]:
        """Return the nodes that read a value."""
        return [node for node in self.graph.nodes if name in node.inputs]


def _nth(names: Sequence[str], index: int) -> str:
    return names[index] if index < len(names) else ""


def where(node: Node) -> str:
    """Name a node in messages."""
    return f"onnx {node.operator} {node.name!r}"


def load(
    data: bytes,
    *,
    input_shapes: Mapping[str, Sequence[int | None]] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Model:
    """Return the model of an ONNX file; images enter and leave it channels-last.

    Args:
        data: the whole file.
        input_shapes: shapes with the batch axis, in ONNX's order, for inputs that have none.
        limits: bounds on what the file may ask for.

    Raises:
        UnsupportedError: an operator, or a use of one, that has no counterpart here.
        FormatError: see `nn.io.errors`.
    """
    from nn.models.model import Model

    proto = decode(data, limits)
    reader = Reader(proto.graph, proto.opset)
    inputs = _inputs(reader, dict(input_shapes or {}))

    def build() -> Model:
        for node in proto.graph.nodes:
            if node.outputs and node.outputs[0] not in reader.done:
                _step(reader, node)
        outputs = [_output(reader, value.name) for value in proto.graph.outputs]
        return Model(inputs, outputs if len(outputs) > 1 else outputs[0])

    made: Model = guarded(build, "onnx graph", limits)
    return made


def _inputs(reader: Reader, shapes: Mapping[str, Sequence[int | None]]) -> list[SymbolicTensor]:
    tensors = []
    for value in reader.graph.inputs:
        if value.name in reader.constants:
            continue  # graphs before version 4 list the constants as inputs too
        shape = shapes.get(value.name, value.shape)
        if shape is None or len(shape) < 2:
            raise MissingEntryError(
                f"onnx input {value.name!r}: expected a shape with a batch axis, received {shape}"
            )
        first = len(shape) == 4 and not _turned_at_once(reader, value.name)
        inner = [*shape[2:], shape[1]] if first else list(shape[1:])
        tensor = Input(inner, name=_identifier(value.name))
        reader.symbols[value.name] = Symbol(tensor, first=first)
        tensors.append(tensor)
    if not tensors:
        raise MissingEntryError("onnx graph: expected an input, received none")
    return tensors


def _identifier(name: str) -> str:
    return name.replace("/", "_") or "input"


def _turned_at_once(reader: Reader, name: str) -> bool:
    """Say whether a channels-last input is turned before anything else, as exported from here."""
    consumers = reader.consumers(name)
    return bool(consumers) and all(
        node.operator == "Transpose" and node.attributes.get("perm") == [0, 3, 1, 2]
        for node in consumers
    )


def _output(reader: Reader, name: str) -> SymbolicTensor:
    if name not in reader.symbols:
        raise MissingEntryError(f"onnx output {name!r}: no node computes it")
    symbol = reader.symbols[name]
    return symbol.tensor if symbol.first else reader.in_order(symbol).tensor


def _step(reader: Reader, node: Node) -> None:
    from nn.io.onnx import read_shapes
    from nn.io.onnx.read_operators import OPERATORS

    if read_shapes.handles(reader, node):
        read_shapes.compute(reader, node)
        return
    if node.domain not in ("", "ai.onnx") or node.operator not in OPERATORS:
        known = ", ".join(sorted(OPERATORS))
        raise UnsupportedError(f"{where(node)}: expected an operator out of {known}")
    handle: Callable[[Reader, Node], None] = OPERATORS[node.operator]
    try:
        handle(reader, node)
    except NNError as error:
        error.add_note(f"in {where(node)}")
        raise
    except (TypeError, IndexError, KeyError) as error:
        raise CorruptError(f"{where(node)}: {type(error).__name__}: {error}") from error
