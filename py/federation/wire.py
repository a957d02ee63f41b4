"""The protobuf messages of Flower's Fleet API (flwr 1.40 to 1.42), as dicts.

>>> data = encode("ActivateNodeRequest", {"public_key": pem, "heartbeat_interval": 30.0})
>>> decode("ActivateNodeResponse", answer)
{'node_id': 17}

A field that was not received has protobuf's default; an `optional` one, and a message, is absent.
Unknown fields are skipped, so that a newer SuperLink may add some.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from nn.io import protobuf
from nn.io.errors import CorruptError, LimitError, reads
from nn.io.protobuf import Data, Double

__all__ = ["KINDS", "decode", "encode"]

# As in flwr/proto/*.proto. The content of a Message travels as objects, so RecordDict is empty.
SCHEMA = """
Node: 1 uint64 node_id
Error: 1 sint64 code, 2 string reason
RegisterNodeFleetRequest: 1 bytes public_key
RegisterNodeFleetResponse: 1 uint64 node_id
ActivateNodeRequest: 1 bytes public_key, 2 double heartbeat_interval
ActivateNodeResponse: 1 uint64 node_id
DeactivateNodeRequest: 1 uint64 node_id
DeactivateNodeResponse:
SendNodeHeartbeatRequest: 1 Node node, 2 double heartbeat_interval
SendNodeHeartbeatResponse:
PullMessagesRequest: 1 Node node
PullMessagesResponse: 2 repeated Message messages_list, 3 repeated ObjectTree message_object_trees
PushMessagesRequest: 1 Node node, 2 repeated Message messages_list, \
3 repeated ObjectTree message_object_trees, 4 repeated double clientapp_runtime_list
PushMessagesResponse: 3 repeated string objects_to_push, 4 string session_id
PullObjectRequest: 1 Node node, 2 uint64 run_id, 3 string object_id
PullObjectResponse: 1 bool object_found, 2 bool object_available, 3 bytes object_content
PushObjectRequest: 1 Node node, 2 uint64 run_id, 3 string object_id, 4 bytes object_content, \
5 string session_id
PushObjectResponse: 1 bool stored
ConfirmMessageReceivedRequest: 1 Node node, 2 uint64 run_id, 3 string message_object_id
ConfirmMessageReceivedResponse:
GetRunRequest: 1 Node node, 2 uint64 run_id
GetRunResponse: 1 Run run
Run: 4 repeated Setting override_config, 18 uint64 series_id
Setting: 1 string key, 2 Scalar value
Scalar: 1 optional double double, 6 optional uint64 uint64, 8 optional sint64 sint64, \
13 optional bool bool, 14 optional string string, 15 optional bytes bytes
ObjectTree: 1 string object_id, 2 repeated ObjectTree children
Message: 1 Metadata metadata, 2 RecordDict content, 3 Error error
RecordDict:
Metadata: 1 uint64 run_id, 2 string message_id, 3 uint64 src_node_id, 4 uint64 dst_node_id, \
5 string reply_to_message_id, 6 string group_id, 7 double ttl, 8 string message_type, \
9 double created_at, 10 optional uint64 src_task_id, 11 optional uint64 dst_task_id
Record: 1 repeated Item items
Item: 1 string key, 2 Value value
Value: 1 optional double double, 2 optional sint64 sint64, 3 optional uint64 uint64, \
4 optional bool bool, 5 optional string string, 6 optional bytes bytes, \
21 DoubleList double_list, 22 SintList sint_list, 23 UintList uint_list, 24 BoolList bool_list, \
25 StringList string_list, 26 BytesList bytes_list
DoubleList: 1 repeated double vals
SintList: 1 repeated sint64 vals
UintList: 1 repeated uint64 vals
BoolList: 1 repeated bool vals
StringList: 1 repeated string vals
BytesList: 1 repeated bytes vals
"""
DEFAULTS: dict[str, Any] = {
    "uint64": 0, "sint64": 0, "bool": False, "double": 0.0, "string": "", "bytes": b""
}  # fmt: skip
NUMBERS = ("uint64", "sint64", "bool", "double")  # a list of them is packed into one value
MOST = 1 << 14  # values in a message and all inside it: each takes far more memory than its byte
PACKED = 1 << 18  # bytes of a packed list; longer ones belong into an ArrayRecord
DEPTH = 8  # of messages in a message; Flower's trees have five levels


@dataclass(frozen=True)
class Field:
    """A field of a kind of message: `form` is a scalar's name, or a kind's."""

    number: int
    name: str
    form: str
    repeated: bool
    optional: bool


def _parsed(schema: str) -> Iterator[tuple[str, list[Field]]]:
    for line in schema.strip().splitlines():
        kind, _, rest = line.partition(":")
        fields = []
        for text in filter(None, rest.split(",")):
            number, *labels, form, name = text.split()
            field = Field(int(number), name, form, "repeated" in labels, "optional" in labels)
            fields.append(field)
        yield kind, fields


KINDS = dict(_parsed(SCHEMA))


def encode(kind: str, message: dict[str, Any]) -> bytes:
    """Return a message's bytes: those that protobuf's library writes.

    Raises:
        ValueError: the kind has no such field, or a number takes more than 64 bits.
    """
    fields = KINDS[kind]
    if unknown := message.keys() - {field.name for field in fields}:
        raise ValueError(f"{kind}: expected its fields, received {sorted(unknown)} too")
    written = [(f, message[f.name]) for f in fields if f.name in message]
    return protobuf.write([pair for field, value in written for pair in _pairs(field, value)])


def _pairs(field: Field, value: Any) -> Iterator[tuple[int, protobuf.Value]]:
    if field.repeated and field.form in NUMBERS:
        if value:
            yield field.number, b"".join(_packed(field.form, item) for item in value)
    elif field.repeated:
        for item in value:
            yield field.number, _written(field.form, item)
    elif field.optional or field.form not in DEFAULTS or not _is_default(field.form, value):
        yield field.number, _written(field.form, value)


def _is_default(form: str, value: Any) -> bool:
    """Whether a scalar is what is read where none is written; -0.0 equals 0.0 and is another."""
    return value == DEFAULTS[form] and (form != "double" or math.copysign(1.0, value) > 0)


def _packed(form: str, value: Any) -> bytes:
    written = _written(form, value)
    return struct.pack("<d", value) if form == "double" else protobuf.varint(int(written))


def _written(form: str, value: Any) -> protobuf.Value:
    if form == "double":
        return Double(value)
    if form in NUMBERS:
        low = -(1 << 63) if form == "sint64" else 0
        if not low <= value < low + (1 << 64):
            raise ValueError(f"{form}: expected a number of 64 bits, received {value}")
        return int(value) << 1 ^ int(value) >> 63 if form == "sint64" else int(value)
    return value if form in DEFAULTS else encode(form, value)


@reads("Flower message")
def decode(kind: str, data: Data, most: int = MOST) -> dict[str, Any]:
    """Return a message's fields by name.

    Args:
        kind: a key of `KINDS`.
        data: its bytes.
        most: values that it and all messages inside it may have together.

    Raises:
        TruncatedError: the bytes end inside a field.
        CorruptError: they are no message of this kind.
        LimitError: it has more values or levels than the limits.
    """
    return _Decoder(most).message(kind, data, DEPTH)


class _Decoder:
    def __init__(self, most: int) -> None:
        self.left = most

    def message(self, kind: str, data: Data, depth: int) -> dict[str, Any]:
        if depth == 0:
            raise LimitError(f"{kind}: expected messages at most {DEPTH} deep, received deeper")
        found = protobuf.read(data, kind, self.left)
        self.left -= sum(map(len, found.values()))
        message: dict[str, Any] = {}
        for field in KINDS[kind]:
            values = found.get(field.number, [])
            where = f"{kind}.{field.name}"
            if field.repeated and field.form in NUMBERS:
                message[field.name] = _numbers(field.form, values, where)
            elif field.repeated:
                message[field.name] = [self._value(field, v, where, depth) for v in values]
            elif values:
                message[field.name] = self._value(field, values[-1], where, depth)
            elif not field.optional and field.form in DEFAULTS:
                message[field.name] = DEFAULTS[field.form]
        return message

    def _value(self, field: Field, value: int | Data, where: str, depth: int) -> Any:
        form = field.form
        if (form in NUMBERS and form != "double") != isinstance(value, int):
            raise CorruptError(f"{where}: expected {form}, received {type(value).__name__}")
        if isinstance(value, int):
            return _number(form, value)
        if form == "double":
            return struct.unpack("<d", value)[0]
        if form == "string":
            return str(value, "utf-8")
        return bytes(value) if form == "bytes" else self.message(form, value, depth - 1)


def _number(form: str, value: int) -> int | bool:
    if form == "sint64":
        return value >> 1 ^ -(value & 1)
    return value != 0 if form == "bool" else value


def _numbers(form: str, values: list[int | memoryview], where: str) -> list[Any]:
    size = sum(len(value) for value in values if not isinstance(value, int))
    if size > PACKED:
        raise LimitError(f"{where}: expected at most {PACKED} bytes of numbers, received {size}")
    if form == "double":
        found: list[float] = protobuf.floats(values, where, "d").tolist()
        return found
    whole = protobuf.integers(values, where).view(np.uint64).tolist()
    return [_number(form, value) for value in whole]
