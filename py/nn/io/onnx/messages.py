"""ONNX's messages, as far as inference graphs use them, and their bytes.

Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.io.errors import CorruptError, MissingEntryError, UnsupportedError
from nn.io.limits import DEFAULT_LIMITS, Limits
from nn.io.onnx import protobuf

Array = NDArray[np.generic]
Attribute = int | float | str | list[int] | list[float] | list[str] | Array

# TensorProto.DataType
_DTYPES = {
    1: "<f4",
    2: "<u1",
    3: "<i1",
    4: "<u2",
    5: "<i2",
    6: "<i4",
    7: "<i8",
    9: "?",
    10: "<f2",
    11: "<f8",
    12: "<u4",
    13: "<u8",
}
_CODES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}
FLOAT = 1

# AttributeProto.AttributeType
_A_FLOAT, _A_INT, _A_STRING, _A_TENSOR, _A_FLOATS, _A_INTS, _A_STRINGS = 1, 2, 3, 4, 6, 7, 8


@dataclass
class Node:
    """One operation: ``outputs = operator(inputs, **attributes)``; "" is an absent input."""

    operator: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Attribute] = field(default_factory=dict)
    name: str = ""
    domain: str = ""


@dataclass
class Value:
    """A graph input or output; None is a dimension that is not fixed."""

    name: str
    shape: list[int | None] | None
    code: int = FLOAT


@dataclass
class Graph:
    """Nodes in an order in which they can be computed, and the constants they use."""

    nodes: list[Node]
    inputs: list[Value]
    outputs: list[Value]
    initializers: dict[str, Array]
    name: str = "nn"


@dataclass
class Model:
    """A graph and the operator set version that gives its operators their meaning."""

    graph: Graph
    opset: int
    producer: str = "nn"
    ir_version: int = 8


def encode(model: Model) -> bytes:
    """Return the bytes of a ModelProto."""
    opset = protobuf.write([(1, ""), (2, model.opset)])
    return protobuf.write(
        [(1, model.ir_version), (2, model.producer), (7, _graph(model.graph)), (8, opset)]
    )


def _graph(graph: Graph) -> bytes:
    return protobuf.write(
        [
            *((1, _node(node)) for node in graph.nodes),
            (2, graph.name),
            *((5, _tensor(name, array)) for name, array in graph.initializers.items()),
            *((11, _value(value)) for value in graph.inputs),
            *((12, _value(value)) for value in graph.outputs),
        ]
    )


def _node(node: Node) -> bytes:
    return protobuf.write(
        [
            *((1, name) for name in node.inputs),
            *((2, name) for name in node.outputs),
            (3, node.name or node.outputs[0]),
            (4, node.operator),
            *((5, _attribute(name, value)) for name, value in node.attributes.items()),
            (7, node.domain or None),
        ]
    )


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, int):
        return protobuf.write([(1, name), (3, value), (20, _A_INT)])
    if isinstance(value, float):
        return protobuf.write([(1, name), (2, value), (20, _A_FLOAT)])
    if isinstance(value, str):
        return protobuf.write([(1, name), (4, value), (20, _A_STRING)])
    if isinstance(value, np.ndarray):
        return protobuf.write([(1, name), (5, _tensor("", value)), (20, _A_TENSOR)])
    if value and all(isinstance(item, str) for item in value):
        return protobuf.write([(1, name), *((9, item) for item in value), (20, _A_STRINGS)])
    if all(isinstance(item, int) for item in value):
        return protobuf.write([(1, name), *((8, item) for item in value), (20, _A_INTS)])
    return protobuf.write([(1, name), *((7, float(item)) for item in value), (20, _A_FLOATS)])


def _tensor(name: str, array: Array) -> bytes:
    little = np.asarray(array, array.dtype.newbyteorder("<"))
    if little.dtype not in _CODES:
        raise UnsupportedError(f"onnx tensor {name!r}: no such dtype as {array.dtype}")
    dims = ((1, size) for size in array.shape)
    return protobuf.write(
        [*dims, (2, _CODES[little.dtype]), (8, name or None), (9, little.tobytes())]
    )


def _value(value: Value) -> bytes:
    sizes = value.shape or []
    dims = [protobuf.write([(2, "N") if size is None else (1, size)]) for size in sizes]
    shape = protobuf.write((1, dim) for dim in dims)
    tensor = protobuf.write([(1, value.code), (2, shape)])
    return protobuf.write([(1, value.name), (2, protobuf.write([(1, tensor)]))])


def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Model:
    """Read the bytes of a ModelProto.

    Raises:
        FormatError: see `nn.io.errors`; tensors kept in other files are UnsupportedError.
    """
    limits.check_total(len(data), "onnx")
    fields = protobuf.read(data, "onnx model")
    graphs = protobuf.messages(fields, 7, "onnx model")
    if not graphs:
        raise MissingEntryError("onnx model: expected a graph, received none")
    graph = _read_graph(protobuf.read(graphs[-1], "onnx graph"), limits)
    return Model(
        graph,
        _read_opset(fields),
        protobuf.single_text(fields, 2, "onnx model"),
        protobuf.single_integer(fields, 1, "onnx model"),
    )


def _read_opset(fields: protobuf.Fields) -> int:
    for data in protobuf.messages(fields, 8, "onnx model"):
        opset = protobuf.read(data, "onnx opset")
        if protobuf.single_text(opset, 1, "onnx opset") in ("", "ai.onnx"):
            return protobuf.single_integer(opset, 2, "onnx opset")
    raise MissingEntryError("onnx model: expected the version of the operator set, received none")


def _read_graph(fields: protobuf.Fields, limits: Limits) -> Graph:
    where = "onnx graph"
    nodes = protobuf.messages(fields, 1, where)
    tensors = protobuf.messages(fields, 5, where)
    limits.check_entries(len(nodes) + len(tensors), where)
    return Graph(
        [_read_node(protobuf.read(node, "onnx node")) for node in nodes],
        [_read_value(value) for value in protobuf.messages(fields, 11, where)],
        [_read_value(value) for value in protobuf.messages(fields, 12, where)],
        dict(_read_tensor(tensor, limits) for tensor in tensors),
        protobuf.single_text(fields, 2, where),
    )


def _read_node(fields: protobuf.Fields) -> Node:
    operator = protobuf.single_text(fields, 4, "onnx node")
    where = f"onnx node {operator}"
    return Node(
        operator,
        _texts(fields, 1, where),
        _texts(fields, 2, where),
        dict(_read_attribute(data, where) for data in protobuf.messages(fields, 5, where)),
        protobuf.single_text(fields, 3, where),
        protobuf.single_text(fields, 7, where),
    )


def _texts(fields: protobuf.Fields, number: int, where: str) -> list[str]:
    return [
        protobuf.single_text({number: [value]}, number, where) for value in fields.get(number, [])
    ]


def _read_attribute(data: bytes, where: str) -> tuple[str, Attribute]:
    fields = protobuf.read(data, where)
    name = protobuf.single_text(fields, 1, where)
    where = f"{where}, attribute {name!r}"
    kind = protobuf.single_integer(fields, 20, where)
    if kind == _A_FLOAT:
        return name, (protobuf.floats(fields.get(2, []), where) or [0.0])[-1]
    if kind == _A_INT:
        return name, protobuf.single_integer(fields, 3, where)
    if kind == _A_STRING:
        return name, protobuf.single_text(fields, 4, where)
    if kind == _A_TENSOR:
        return name, _read_tensor(protobuf.single_bytes(fields, 5, where), DEFAULT_LIMITS)[1]
    if kind == _A_FLOATS:
        return name, protobuf.floats(fields.get(7, []), where)
    if kind == _A_INTS:
        return name, protobuf.integers(fields.get(8, []), where)
    if kind == _A_STRINGS:
        return name, _texts(fields, 9, where)
    raise UnsupportedError(f"{where}: expected number, text, tensor or list, received type {kind}")


def _read_tensor(data: bytes, limits: Limits) -> tuple[str, Array]:
    fields = protobuf.read(data, "onnx tensor")
    name = protobuf.single_text(fields, 8, "onnx tensor")
    where = f"onnx tensor {name!r}"
    if 13 in fields:
        raise UnsupportedError(f"{where}: its values are in another file; save it with them inside")
    code = protobuf.single_integer(fields, 2, where)
    if code not in _DTYPES:
        raise UnsupportedError(f"{where}: expected bool, integer or float, received type {code}")
    shape = protobuf.integers(fields.get(1, []), where)
    dtype = np.dtype(_DTYPES[code])
    _check_shape(shape, dtype, where, limits)
    return name, _values(fields, dtype, shape, where)


def _check_shape(shape: Sequence[int], dtype: np.dtype[Any], where: str, limits: Limits) -> None:
    if any(size < 0 for size in shape):
        raise CorruptError(f"{where}: expected sizes of at least 0, received {list(shape)}")
    limits.check_total(math.prod(shape) * dtype.itemsize, where)


def _values(
    fields: protobuf.Fields, dtype: np.dtype[Any], shape: Sequence[int], where: str
) -> Array:
    flat = _flat(fields, dtype, where)
    if flat.size != math.prod(shape):
        raise CorruptError(
            f"{where}: expected {math.prod(shape)} values for {list(shape)}, received {flat.size}"
        )
    return flat.astype(dtype.newbyteorder("=")).reshape(shape)


def _flat(fields: protobuf.Fields, dtype: np.dtype[Any], where: str) -> Array:
    """Values are raw bytes (9) or floats (4), int32 (5), int64 (7), doubles (10), uint64 (11)."""
    raw = protobuf.single_bytes(fields, 9, where)
    if raw:
        if len(raw) % dtype.itemsize:
            raise CorruptError(f"{where}: {len(raw)} bytes are not whole values of {dtype}")
        return np.frombuffer(raw, dtype)
    if dtype.kind == "f" and dtype.itemsize > 2:
        number, code = (4, "f") if dtype.itemsize == 4 else (10, "d")
        return np.array(protobuf.floats(fields.get(number, []), where, code), dtype)
    number = {"int64": 7, "uint32": 11, "uint64": 11}.get(dtype.name, 5)
    integers = np.array(protobuf.integers(fields.get(number, []), where), np.int64)
    return integers.astype(np.uint16).view(dtype) if dtype.kind == "f" else integers.astype(dtype)


def _read_value(data: bytes) -> Value:
    fields = protobuf.read(data, "onnx value")
    name = protobuf.single_text(fields, 1, "onnx value")
    where = f"onnx value {name!r}"
    kind = protobuf.read(protobuf.single_bytes(fields, 2, where), where)
    tensor = protobuf.read(protobuf.single_bytes(kind, 1, where), where)
    code = protobuf.single_integer(tensor, 1, where)
    if 2 not in tensor:
        return Value(name, None, code)
    shape = protobuf.read(protobuf.single_bytes(tensor, 2, where), where)
    return Value(name, [_size(dim, where) for dim in protobuf.messages(shape, 1, where)], code)


def _size(data: bytes, where: str) -> int | None:
    fields = protobuf.read(data, where)
    return protobuf.single_integer(fields, 1, where) if 1 in fields else None
