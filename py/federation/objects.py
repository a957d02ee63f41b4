r"""The objects that records travel as (Flower's "inflatable objects").

An object is `<type> <ids of its children, by comma> <length of its body>\0<body>`, and its id is
the SHA-256 of all that. An ArrayRecord is a tree: ArrayRecord > Array > ArrayChunk.

>>> tree, objects = deflate(content)                 # {id: bytes}
>>> inflate(tree["object_id"], objects)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from nn.io.errors import CorruptError, MissingEntryError, UnsupportedError, reads
from nn.io.limits import Limits

from federation import wire
from federation.records import (
    Array,
    ArrayRecord,
    ConfigRecord,
    MetricRecord,
    Record,
    RecordDict,
    Values,
)

__all__ = ["LIMITS", "deflate", "held", "identifiers", "inflate", "pack", "split", "verify"]

if TYPE_CHECKING:
    Tree = dict[str, Any]
    """{"object_id": id, "children": [trees]}: an ObjectTree of the wire."""

CHUNK = 5 << 20  # bytes of an array in one object, FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE
LIMITS = Limits(total=256 << 20, document=1 << 20, entries=2000)
"""Of what is received: bytes of arrays and values, bytes of a list of names, objects in a tree."""

FORMS = {bool: "bool", int: "sint64", float: "double", str: "string", bytes: "bytes"}
LARGE = (1 << 63) - 1  # above it integers are written as uint64


def deflate(content: RecordDict) -> tuple[Tree, dict[str, bytes]]:
    """Return the tree of a content's objects, and the objects by id."""
    objects: dict[str, bytes] = {}
    trees = {name: _deflated(record, objects) for name, record in content.items()}
    return _group("RecordDict", trees, objects), objects


def pack(kind: str, body: bytes, children: list[Tree], objects: dict[str, bytes]) -> Tree:
    """Add an object to `objects` and return its tree; children are listed once each."""
    unique = {child["object_id"]: child for child in children}
    data = f"{kind} {','.join(unique)} {len(body)}".encode() + b"\0" + body
    identifier = sha256(data).hexdigest()
    objects[identifier] = data
    return {"object_id": identifier, "children": list(unique.values())}


def _deflated(record: Record, objects: dict[str, bytes]) -> Tree:
    if isinstance(record, ArrayRecord):
        trees = {name: _array(array, objects) for name, array in record.items()}
        return _group("ArrayRecord", trees, objects)
    types = record.TYPES
    items = [{"key": key, "value": _value(value, types)} for key, value in record.items()]
    return pack(type(record).__name__, wire.encode("Record", {"items": items}), [], objects)


def _group(kind: str, trees: dict[str, Tree], objects: dict[str, bytes]) -> Tree:
    body = json.dumps({name: tree["object_id"] for name, tree in trees.items()}).encode()
    return pack(kind, body, list(trees.values()), objects)


def _array(array: Array, objects: dict[str, bytes]) -> Tree:
    parts = [array.data[at : at + CHUNK] for at in range(0, len(array.data), CHUNK)]
    chunks = [pack("ArrayChunk", part, [], objects) for part in parts]
    order = list(dict.fromkeys(chunk["object_id"] for chunk in chunks))
    about = {
        "dtype": array.dtype,
        "shape": array.shape,
        "stype": array.stype,
        "arraychunk_ids": [order.index(chunk["object_id"]) for chunk in chunks],
    }
    return pack("Array", json.dumps(about).encode(), chunks, objects)


def _value(value: Values, types: tuple[type, ...]) -> dict[str, Any]:
    items: list[Any] = value if isinstance(value, list) else [value]
    form = next(FORMS[kind] for kind in types if all(isinstance(item, kind) for item in items))
    if form == "sint64" and any(item > LARGE for item in items):
        form = "uint64"
    several = form.rstrip("64") + "_list"
    return {several: {"vals": value}} if isinstance(value, list) else {form: value}


# Received.


def identifiers(tree: Tree) -> list[str]:
    """Return the ids of a tree's objects, children first, each once."""
    found: dict[str, None] = {}
    for child in tree["children"]:
        found.update(dict.fromkeys(identifiers(child)))
    found[tree["object_id"]] = None
    return list(found)


def verify(identifier: str, data: bytes) -> bytes:
    """Return an object that was received under this id.

    Raises:
        CorruptError: its SHA-256 is another.
    """
    received = sha256(data).hexdigest() if data else "nothing"
    if received != identifier:
        raise CorruptError(f"object: expected sha256 {identifier}, received {received}")
    return data


@reads("Flower object")
def split(data: bytes) -> tuple[str, list[str], memoryview]:
    """Return an object's type, the ids of its children, and its body.

    Raises:
        CorruptError: it has no such head.
    """
    end = data.find(b"\0", 0, LIMITS.document)
    kind, children, length = data[: max(end, 0)].decode().split(" ")
    body = memoryview(data)[end + 1 :]
    if int(length) != len(body):
        raise CorruptError(f"{kind}: expected a body of {length} bytes, received {len(body)}")
    return kind, children.split(",") if children else [], body


@reads("Flower object")
def inflate(identifier: str, objects: Mapping[str, bytes], limits: Limits = LIMITS) -> RecordDict:
    """Return the RecordDict whose object has this id.

    Raises:
        MissingEntryError: an object that another names is not there.
        CorruptError: an object is not what it is said to be.
        LimitError: above the limits; raised before memory is allocated.
    """
    return _Inflation(objects, limits).content(identifier)


class _Inflation:
    """Counts the bytes of arrays and values: objects are named by id, so few can make very many."""

    def __init__(self, objects: Mapping[str, bytes], limits: Limits) -> None:
        self._objects, self._limits = objects, limits
        self._bytes = self._entries = 0

    def content(self, identifier: str) -> RecordDict:
        return RecordDict(
            {name: self._record(child) for name, child in self._names("RecordDict", identifier)}
        )

    def _record(self, identifier: str) -> Record:
        kind, _, body = self._object(identifier)
        if kind == "ArrayRecord":
            names = self._names(kind, identifier)
            return ArrayRecord({name: self._array(child) for name, child in names})
        if kind not in ("MetricRecord", "ConfigRecord"):
            raise UnsupportedError(f"object: expected a record, received {kind!r}")
        self._count(len(body), kind)
        items = wire.decode("Record", body)["items"]
        values = {item["key"]: held(item.get("value", {}), kind) for item in items}
        return MetricRecord(values) if kind == "MetricRecord" else ConfigRecord(values)

    def _array(self, identifier: str) -> Array:
        _, children, body = self._object(identifier, "Array")
        about = self._document("Array", body)
        chunks = [children[_whole(number)] for number in about["arraychunk_ids"]]
        for chunk in chunks:
            self._count(len(self._objects.get(chunk, b"")), "arrays")
        data = b"".join(self._object(chunk, "ArrayChunk")[2] for chunk in chunks)
        shape = tuple(_whole(size) for size in about["shape"])
        return Array(str(about["dtype"]), shape, str(about["stype"]), data)

    def _count(self, size: int, what: str) -> None:
        self._bytes += size
        self._limits.check_total(self._bytes, what)

    def _names(self, kind: str, identifier: str) -> list[tuple[str, str]]:
        names = self._document(kind, self._object(identifier, kind)[2])
        return [(name, str(child)) for name, child in names.items()]

    def _document(self, kind: str, body: memoryview) -> dict[str, Any]:
        self._limits.check_document(len(body), kind)
        document = json.loads(bytes(body))
        if not isinstance(document, dict):
            raise CorruptError(f"{kind}: expected a JSON dict in its body")
        return document

    def _object(self, identifier: str, expected: str = "") -> tuple[str, list[str], memoryview]:
        if identifier not in self._objects:
            raise MissingEntryError(f"object: expected {identifier}, received others")
        self._entries += 1
        self._limits.check_entries(self._entries, "objects")
        found = split(self._objects[identifier])
        if expected and found[0] != expected:
            raise CorruptError(f"object: expected {expected}, received {found[0]!r}")
        return found


def held(value: dict[str, Any], kind: str) -> Values:
    """Return what a Value of the wire holds; raises CorruptError if it is not one."""
    if len(value) != 1:
        raise CorruptError(f"{kind}: expected one value, received {sorted(value)}")
    [held] = value.values()
    found: Values = held["vals"] if isinstance(held, dict) else held
    return found


def _whole(number: Any) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise CorruptError(f"Array: expected whole numbers, received {number!r}")
    return number
