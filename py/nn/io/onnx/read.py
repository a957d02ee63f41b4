"""ONNX import: a graph as a model that can be trained.

ONNX's images are channels-first, the engine's channels-last. Images are kept channels-last and
marked as channels-first in the graph, so a Transpose between the two orders does nothing.
Flattening an image changes the order of its elements, so the rows of the following matrix are
reordered too. Images (four axes) enter and leave channels-last: ``x.transpose(0, 2, 3, 1)``.
Sequences, volumes and all else enter and leave in the graph's order, but for the batch: where the
graph has it as another axis, as around PyTorch's recurrent layers, it comes first here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np

from nn import config
from nn.errors import ConfigError, NNError, TooLargeError
from nn.graph import SymbolicTensor
from nn.io.errors import (
    CorruptError,
    FormatError,
    MissingEntryError,
    UnsupportedError,
    reads,
)
from nn.io.limits import DEFAULT_LIMITS, Limits
from nn.io.onnx import (
    read_constants,
    read_indices,
    read_integers,
    read_probed,
    read_shapes,
    read_sklearn,
    read_steps,
    read_strided,
    read_turned,
)
from nn.io.onnx.messages import DTYPES, FLOATS, Graph, Node, Value, decode
from nn.io.onnx.read_groups import Turned
from nn.io.onnx.read_operators import OPERATORS
from nn.io.onnx.read_recurrent import OPERATORS as RECURRENT
from nn.io.onnx.read_turned import EACH
from nn.io.onnx.reader import Handle, Reader, Symbol, where
from nn.io.snapshot import guarded
from nn.layers import Input
from nn.models.model import Model

# Types of outputs that are no labels; 0 is a map of probabilities.
_NO_LABELS = (*FLOATS, 0)
_ROOM = 16 << 20  # bytes that computed constants may take, or as many as the file has
_DOMAINS: dict[str, dict[str, Handle]] = {
    "": OPERATORS,
    "ai.onnx": OPERATORS,
    "ai.onnx.ml": read_sklearn.OPERATORS,
}


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
    graph = proto.graph
    reader = Reader(graph, proto.opset, max(len(data), _ROOM), proto.producer == "nn")
    wanted = _wanted(graph)
    needed = _needed(reader, [value.name for value in wanted])
    inputs = _inputs(reader, dict(input_shapes or {}))
    ordered = any(s.rank == 4 and not s.first for s in reader.symbols.values())

    def build() -> Model:
        for node in graph.nodes:
            if node.outputs and needed.intersection(node.outputs):
                _step(reader, node)
        outputs = [_output(reader, value.name, ordered) for value in wanted]
        return Model(inputs, outputs if len(outputs) > 1 else outputs[0])

    with config.later_weights():
        made: Model = guarded(build, "onnx graph", limits)
    made.labels = read_sklearn.labels(graph)
    return made


def _wanted(graph: Graph) -> list[Value]:
    """Return the outputs, of a classifier of scikit-learn's without its labels."""
    learned = any(node.domain == "ai.onnx.ml" for node in graph.nodes)
    floats = [value for value in graph.outputs if value.code in _NO_LABELS]
    return floats if learned and floats else graph.outputs


def _needed(reader: Reader, names: Sequence[str]) -> set[str]:
    """Return the names of all values that the outputs need."""
    needed: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += reader.makers[name].inputs if name in reader.makers else []
    return needed


def _inputs(reader: Reader, shapes: Mapping[str, Sequence[int | None]]) -> list[SymbolicTensor]:
    tensors = []
    names: set[str] = set()
    for value in reader.graph.inputs:
        if value.name in reader.constants:
            continue  # graphs before version 4 list the constants as inputs too
        shape = shapes.get(value.name, value.shape)
        if not shape:
            raise MissingEntryError(
                f"onnx input {value.name!r}: expected a shape with a batch axis, received {shape}"
            )
        first = len(shape) == 4 and not reader.ours and not _turned_at_once(reader, value.name)
        inner = [*shape[2:], shape[1]] if first else list(shape[1:])
        second = len(shape) < 4 and _batch_second(reader, value.name)
        name = _identifier(value.name, names)
        tensor = Input([shape[0], *shape[2:]] if second else inner, name=name)
        if second:
            order = (1, 0, *range(2, len(shape)))
            reader.turned[value.name] = Turned.ordered(tensor, tensor.shape[1:], order)
        else:
            reader.symbols[value.name] = Symbol(tensor, first=first)
        if value.code in DTYPES and value.code not in FLOATS:
            reader.integers[value.name] = np.dtype(DTYPES[value.code])
        tensors.append(tensor)
    if not tensors:
        raise MissingEntryError("onnx graph: expected an input, received none")
    return tensors


def _identifier(name: str, taken: set[str]) -> str:
    """Return a name for a layer: one without "/", which no other input has."""
    found = plain = name.replace("/", "_") or "input"
    for number in range(1, len(taken) + 1):
        if found not in taken:
            break
        found = f"{plain}_{number}"
    taken.add(found)
    return found


def _turned_at_once(reader: Reader, name: str) -> bool:
    """Return whether a channels-last input is only transposed, as in graphs exported here."""
    consumers = reader.consumers(name)
    return bool(consumers) and all(
        node.operator == "Transpose" and node.attributes.get("perm") == [0, 3, 1, 2]
        for node in consumers
    )


def _batch_second(reader: Reader, name: str) -> bool:
    """Return whether an input reaches a recurrent operator with its steps, or states, in front."""
    waiting, seen = [name], set()
    while waiting:
        value = waiting.pop()
        for node in reader.consumers(value):
            at = node.inputs.index(value)
            if node.operator in RECURRENT and at in (0, 5, 6):
                return not node.attributes.get("layout", 0)
            table = node.operator == "Gather" and node.inputs[0] in reader.constants
            through = table or node.operator in (*EACH, "Slice")
            if through and node.outputs[0] not in seen:
                seen.add(node.outputs[0])
                waiting.append(node.outputs[0])
    return False


def _output(reader: Reader, name: str, ordered: bool) -> SymbolicTensor:
    """Return an output: an image with its channels last, anything else in the graph's order.

    A graph that was exported here has its images as the model had them.

    Args:
        reader: the state of the import.
        name: the output's name.
        ordered: whether the images of the graph have their channels last anyway.
    """
    if name in reader.turned:
        value: Turned = reader.turned[name]
        if value.joined:
            raise UnsupportedError(f"onnx output {name!r}: expected axes apart, not {value.sizes}")
        return value.in_order(reader).tensor
    if name not in reader.symbols and (name in reader.makers or name in reader.constants):
        raise UnsupportedError(
            f"onnx output {name!r}: expected a value for each sample, received a constant or sizes"
        )
    if name not in reader.symbols:
        raise MissingEntryError(f"onnx output {name!r}: no node computes it")
    symbol = reader.symbols[name]
    read_steps.expect_parted(reader, name, symbol.tensor)
    turned = ordered or symbol.turned
    if symbol.rank == 4 and not reader.ours and (symbol.first or not turned):
        return reader.as_image(symbol).tensor
    return reader.in_order(symbol).tensor


def _step(reader: Reader, node: Node) -> None:
    try:
        _convert(reader, node)
    except ConfigError as error:  # the layer lacks what the operator can
        raise UnsupportedError(f"{where(node)}: {error}") from error
    except (FormatError, TooLargeError) as error:
        error.add_note(f"in {where(node)}")
        raise
    except NNError as error:
        sizes = [reader.symbols[name].sizes for name in node.inputs if name in reader.symbols]
        if not any(None in some for some in sizes):
            raise CorruptError(f"{where(node)}: {type(error).__name__}: {error}") from error
        raise UnsupportedError(
            f"{where(node)}: {error}; of a value of unknown size, {sizes}: input_shapes may give it"
        ) from error
    except (TypeError, LookupError, ValueError, ArithmeticError) as error:
        raise CorruptError(f"{where(node)}: {type(error).__name__}: {error}") from error


def _convert(reader: Reader, node: Node) -> None:
    node = read_probed.with_elements(reader, node)
    probed = read_probed.note(reader, node)
    for part in (read_constants, read_shapes, read_strided):
        if part.handles(reader, node):
            with suppress(*[UnsupportedError] * probed):
                part.compute(reader, node)
            return
    if probed:
        return
    read_probed.resolve(reader, node)
    read_integers.check(reader, node)
    if read_indices.handles(reader, node):
        read_indices.follow(reader, node)
        return
    handle = _DOMAINS.get(node.domain, {}).get(node.operator)
    if handle is None:
        known = ", ".join(sorted(OPERATORS))
        raise UnsupportedError(f"{where(node)}: expected one of the operators {known}")
    if read_steps.handles(reader, node):
        read_steps.compute(reader, node)
    elif read_turned.handles(reader, node):
        read_turned.compute(reader, node, handle)
    else:
        handle(reader, node)
