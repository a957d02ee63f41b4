"""ONNX messages of inference graphs, encoded and decoded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.io import protobuf
from nn.io.errors import CorruptError, MissingEntryError, UnsupportedError
from nn.io.limits import DEFAULT_LIMITS, Limits
from nn.io.protobuf import Message

Array = NDArray[np.generic]
Attribute = int | float | str | list[int] | list[float] | list[str] | Array

# The fields that are used, from https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
MODEL = Message(ir_version=1, producer_name=2, graph=7, opset_import=8)
OPSET = Message(domain=1, version=2)
GRAPH = Message(node=1, name=2, initializer=5, input=11, output=12)
NODE = Message(input=1, output=2, name=3, op_type=4, attribute=5, domain=7)
ATTRIBUTE = Message(name=1, f=2, i=3, s=4, t=5, floats=7, ints=8, strings=9, type=20)
TENSOR = Message(
    dims=1,
    data_type=2,
    float_data=4,
    int32_data=5,
    int64_data=7,
    name=8,
    raw_data=9,
    double_data=10,
    uint64_data=11,
    external_data=13,
)
VALUE = Message(name=1, type=2)
TYPE = Message(tensor_type=1)
TENSOR_TYPE = Message(elem_type=1, shape=2)
SHAPE = Message(dim=1)
DIMENSION = Message(dim_value=1, dim_param=2)

# TensorProto.DataType
DTYPES = {
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
_CODES = {np.dtype(dtype): code for code, dtype in DTYPES.items()}
FLOAT = 1
FLOATS = (1, 10, 11)

OPSETS = range(7, 29)
"""The versions of ONNX' operators that are read: later ones may change what a node means."""

# AttributeProto.AttributeType
_A_GRAPHS = (5, 10)
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
    """A graph input or output; None is an unknown dimension."""

    name: str
    shape: list[int | None] | None
    code: int = FLOAT


@dataclass
class Graph:
    """Nodes in order of computation, and the constants they use."""

    nodes: list[Node]
    inputs: list[Value]
    outputs: list[Value]
    initializers: dict[str, Array]
    name: str = "nn"


@dataclass
class Model:
    """A graph and the version of its operator set."""

    graph: Graph
    opset: int
    producer: str = "nn"
    ir_version: int = 8


def encode(model: Model) -> bytes:
    """Return the bytes of a ModelProto."""
    return MODEL.write(
        ir_version=model.ir_version,
        producer_name=model.producer,
        graph=_graph(model.graph),
        opset_import=OPSET.write(domain="", version=model.opset),
    )


def _graph(graph: Graph) -> bytes:
    return GRAPH.write(
        node=[_node(node) for node in graph.nodes],
        name=graph.name,
        initializer=[_tensor(name, array) for name, array in graph.initializers.items()],
        input=[_value(value) for value in graph.inputs],
        output=[_value(value) for value in graph.outputs],
    )


def _node(node: Node) -> bytes:
    return NODE.write(
        input=node.inputs,
        output=node.outputs,
        name=node.name or node.outputs[0],
        op_type=node.operator,
        attribute=[_attribute(name, value) for name, value in node.attributes.items()],
        domain=node.domain or None,
    )


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, int):
        return ATTRIBUTE.write(name=name, i=value, type=_A_INT)
    if isinstance(value, float):
        return ATTRIBUTE.write(name=name, f=value, type=_A_FLOAT)
    if isinstance(value, str):
        return ATTRIBUTE.write(name=name, s=value, type=_A_STRING)
    if isinstance(value, np.ndarray):
        return ATTRIBUTE.write(name=name, t=_tensor("", value), type=_A_TENSOR)
    if value and all(isinstance(item, str) for item in value):
        return ATTRIBUTE.write(name=name, strings=value, type=_A_STRINGS)
    if all(isinstance(item, int) for item in value):
        return ATTRIBUTE.write(name=name, ints=value, type=_A_INTS)
    return ATTRIBUTE.write(name=name, floats=[float(item) for item in value], type=_A_FLOATS)


def _tensor(name: str, array: Array) -> bytes:
    little = np.asarray(array, array.dtype.newbyteorder("<"))
    if little.dtype not in _CODES:
        raise UnsupportedError(f"onnx tensor {name!r}: no such dtype as {array.dtype}")
    return TENSOR.write(
        dims=array.shape,
        data_type=_CODES[little.dtype],
        name=name or None,
        raw_data=little.tobytes(),
    )


def _value(value: Value) -> bytes:
    dims = [
        DIMENSION.write(dim_param="N") if size is None else DIMENSION.write(dim_value=size)
        for size in value.shape or []
    ]
    tensor = TENSOR_TYPE.write(elem_type=value.code, shape=SHAPE.write(dim=dims))
    return VALUE.write(name=value.name, type=TYPE.write(tensor_type=tensor))


def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Model:
    """Read the bytes of a ModelProto.

    Raises:
        FormatError: see `nn.io.errors`; UnsupportedError for tensors in other files.
    """
    limits.check_total(len(data), "onnx")
    fields = MODEL.read(data, "onnx model")
    graphs = protobuf.messages(fields, "graph", "onnx model")
    if not graphs:
        raise MissingEntryError("onnx model: expected a graph, received none")
    graph = _read_graph(GRAPH.read(graphs[-1], "onnx graph"), limits)
    return Model(
        graph,
        _read_opset(fields),
        protobuf.single_text(fields, "producer_name", "onnx model"),
        protobuf.single_integer(fields, "ir_version", "onnx model"),
    )


def _read_opset(fields: protobuf.Fields) -> int:
    for data in protobuf.messages(fields, "opset_import", "onnx model"):
        opset = OPSET.read(data, "onnx opset")
        if protobuf.single_text(opset, "domain", "onnx opset") in ("", "ai.onnx"):
            version = protobuf.single_integer(opset, "version", "onnx opset")
            if version not in OPSETS:
                raise UnsupportedError(
                    f"onnx model: expected opset {OPSETS[0]} to {OPSETS[-1]}, received {version}"
                )
            return version
    raise MissingEntryError("onnx model: expected the version of the operator set, received none")


def _read_graph(fields: protobuf.Fields, limits: Limits) -> Graph:
    where = "onnx graph"
    nodes = protobuf.messages(fields, "node", where)
    tensors = protobuf.messages(fields, "initializer", where)
    limits.check_entries(len(nodes) + len(tensors), where)
    return Graph(
        [_read_node(NODE.read(node, "onnx node")) for node in nodes],
        [_read_value(value) for value in protobuf.messages(fields, "input", where)],
        [_read_value(value) for value in protobuf.messages(fields, "output", where)],
        dict(_read_tensor(tensor, limits) for tensor in tensors),
        protobuf.single_text(fields, "name", where),
    )


def _read_node(fields: protobuf.Fields) -> Node:
    operator = protobuf.single_text(fields, "op_type", "onnx node")
    name = protobuf.single_text(fields, "name", f"onnx node {operator}")
    where = f"onnx {operator} {name!r}"
    attributes = protobuf.messages(fields, "attribute", where)
    return Node(
        operator,
        _texts(fields, "input", where),
        _texts(fields, "output", where),
        dict(_read_attribute(data, where) for data in attributes),
        name,
        protobuf.single_text(fields, "domain", where),
    )


def _texts(fields: protobuf.Fields, name: str, where: str) -> list[str]:
    return [protobuf.single_text({name: [value]}, name, where) for value in fields.get(name, [])]


def _read_attribute(data: protobuf.Data, where: str) -> tuple[str, Attribute]:
    fields = ATTRIBUTE.read(data, where)
    name = protobuf.single_text(fields, "name", where)
    where = f"{where}, attribute {name!r}"
    kind = protobuf.single_integer(fields, "type", where)
    if kind == _A_FLOAT:
        return name, [0.0, *protobuf.floats(fields.get("f", []), where).tolist()][-1]
    if kind == _A_INT:
        return name, protobuf.single_integer(fields, "i", where)
    if kind == _A_STRING:
        return name, protobuf.single_text(fields, "s", where)
    if kind == _A_TENSOR:
        return name, _read_tensor(protobuf.single_bytes(fields, "t", where), DEFAULT_LIMITS)[1]
    if kind == _A_FLOATS:
        return name, protobuf.floats(fields.get("floats", []), where).tolist()
    if kind == _A_INTS:
        return name, protobuf.integers(fields.get("ints", []), where).tolist()
    if kind == _A_STRINGS:
        return name, _texts(fields, "strings", where)
    if kind in _A_GRAPHS:
        raise UnsupportedError(f"{where}: no graph inside a node here")
    raise UnsupportedError(f"{where}: expected number, text, tensor or list, received type {kind}")


def _read_tensor(data: protobuf.Data, limits: Limits) -> tuple[str, Array]:
    fields = TENSOR.read(data, "onnx tensor")
    name = protobuf.single_text(fields, "name", "onnx tensor")
    where = f"onnx tensor {name!r}"
    if "external_data" in fields:
        raise UnsupportedError(f"{where}: its values are in another file; save it with them inside")
    code = protobuf.single_integer(fields, "data_type", where)
    if code not in DTYPES:
        raise UnsupportedError(f"{where}: expected bool, integer or float, received type {code}")
    shape = protobuf.integers(fields.get("dims", []), where).tolist()
    dtype = np.dtype(DTYPES[code])
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
    return flat.astype(dtype.newbyteorder("="), copy=False).reshape(shape)


_INTEGERS = {"int64": "int64_data", "uint32": "uint64_data", "uint64": "uint64_data"}


def _flat(fields: protobuf.Fields, dtype: np.dtype[Any], where: str) -> Array:
    """Return the values, which stand in `raw_data` or in the field of their type."""
    raw = protobuf.single_bytes(fields, "raw_data", where)
    if raw:
        if len(raw) % dtype.itemsize:
            raise CorruptError(f"{where}: {len(raw)} bytes are not whole values of {dtype}")
        return np.frombuffer(raw, dtype)
    if dtype.kind == "f" and dtype.itemsize > 2:
        name, code = ("float_data", "f") if dtype.itemsize == 4 else ("double_data", "d")
        return protobuf.floats(fields.get(name, []), where, code)
    name = _INTEGERS.get(dtype.name, "int32_data")
    integers = protobuf.integers(fields.get(name, []), where)
    return integers.astype(np.uint16).view(dtype) if dtype.kind == "f" else integers.astype(dtype)


def _read_value(data: protobuf.Data) -> Value:
    fields = VALUE.read(data, "onnx value")
    name = protobuf.single_text(fields, "name", "onnx value")
    where = f"onnx value {name!r}"
    kind = TYPE.read(protobuf.single_bytes(fields, "type", where), where)
    tensor = TENSOR_TYPE.read(protobuf.single_bytes(kind, "tensor_type", where), where)
    code = protobuf.single_integer(tensor, "elem_type", where)
    if "shape" not in tensor:
        return Value(name, None, code)
    shape = SHAPE.read(protobuf.single_bytes(tensor, "shape", where), where)
    return Value(name, [_size(dim, where) for dim in protobuf.messages(shape, "dim", where)], code)


def _size(data: protobuf.Data, where: str) -> int | None:
    fields = DIMENSION.read(data, where)
    if "dim_value" not in fields:
        return None
    return protobuf.single_integer(fields, "dim_value", where)
