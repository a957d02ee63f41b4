"""ONNX import: a feed-forward graph as a model that can be trained.

ONNX's images are channels-first, the engine's channels-last. Images are kept channels-last and
marked as channels-first in the graph, so a Transpose between the two orders does nothing.
Flattening an image changes the order of its elements, so the rows of the following matrix are
reordered too. Images of 4 axes enter and leave channels-last: ``x.transpose(0, 2, 3, 1)``. All
else, sequences (3 axes) and volumes (5), enters and leaves in the graph's order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from nn import config
from nn.errors import NNError
from nn.graph import SymbolicTensor
from nn.io.errors import CorruptError, MissingEntryError, UnsupportedError, reads
from nn.io.limits import DEFAULT_LIMITS, Limits
from nn.io.onnx import read_shapes
from nn.io.onnx.messages import Node, decode
from nn.io.onnx.read_operators import OPERATORS
from nn.io.onnx.reader import Reader, Symbol, where
from nn.io.snapshot import guarded
from nn.layers import Input
from nn.models.model import Model

IMAGE = 4
"""The number of axes of a batch of images: the only inputs and outputs whose channels come last."""


@reads("onnx")
def load(
    data: bytes,
    *,
    input_shapes: Mapping[str, Sequence[int | None]] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Model:
    """Return the model of an ONNX file, with channels-last images as inputs and outputs.

    Args:
        data: the whole file.
        input_shapes: shapes with the batch axis, in ONNX's order, for inputs that have none.
        limits: bounds on the sizes in the file.

    Raises:
        UnsupportedError: the engine lacks an operator or an option of it.
        FormatError: see `nn.io.errors`.
    """
    proto = decode(data, limits)
    reader = Reader(proto.graph, proto.opset)
    inputs = _inputs(reader, dict(input_shapes or {}))

    def build() -> Model:
        for node in proto.graph.nodes:
            if node.outputs and node.outputs[0] not in reader.done:
                _step(reader, node)
        outputs = [_output(reader, value.name) for value in proto.graph.outputs]
        return Model(inputs, outputs if len(outputs) > 1 else outputs[0])

    with config.later_weights():
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
        first = len(shape) == IMAGE and not _turned_at_once(reader, value.name)
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
    """Return whether a channels-last input is only transposed, as in graphs exported here."""
    consumers = reader.consumers(name)
    return bool(consumers) and all(
        node.operator == "Transpose" and node.attributes.get("perm") == [0, 3, 1, 2]
        for node in consumers
    )


def _output(reader: Reader, name: str) -> SymbolicTensor:
    if name not in reader.symbols:
        raise MissingEntryError(f"onnx output {name!r}: no node computes it")
    symbol = reader.symbols[name]
    image = symbol.first and symbol.rank == IMAGE
    return symbol.tensor if image else reader.in_order(symbol).tensor


def _step(reader: Reader, node: Node) -> None:
    if read_shapes.handles(reader, node):
        read_shapes.compute(reader, node)
        return
    if node.domain not in ("", "ai.onnx") or node.operator not in OPERATORS:
        known = ", ".join(sorted(OPERATORS))
        raise UnsupportedError(f"{where(node)}: expected one of the operators {known}")
    handle: Callable[[Reader, Node], None] = OPERATORS[node.operator]
    try:
        handle(reader, node)
    except NNError as error:
        error.add_note(f"in {where(node)}")
        raise
    except (TypeError, IndexError, KeyError) as error:
        raise CorruptError(f"{where(node)}: {type(error).__name__}: {error}") from error
