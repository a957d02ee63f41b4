"""Protocol Buffers wire format.

>>> data = write([(1, 150), (2, b"testing"), (3, 0.5)])
>>> read(data)
{1: [150], 2: [b'testing'], 3: [...]}

The protobuf library is not used because Pyodide's offline folder lacks it; ONNX and Flower need few
messages. Tests compare with the library. Format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.io.errors import CorruptError, LimitError, TruncatedError, utf8

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Value = int | float | bytes | str
Data = bytes | memoryview
Fields = Mapping[Any, list[int | memoryview]]
"""The values of each field, by its number or by its name in a `Message`."""

# Values of a message. Each is an object of Python, which takes much more memory than in the file;
# long lists of numbers are packed into one.
_MOST = 1 << 17
_MASK = (1 << 64) - 1


class Double(float):
    """A number that is written with 64 bits."""


class Message:
    """The fields of one kind of message, by name.

    >>> point = Message(x=1, y=2)
    >>> point.read(point.write(x=3, y=4))
    {'x': [3], 'y': [4]}

    Args:
        numbers: name of each field -> its number.
    """

    def __init__(self, **numbers: int) -> None:
        self._numbers = numbers
        self._names = {number: name for name, number in numbers.items()}

    def write(self, **values: Value | Iterable[Value] | None) -> bytes:
        """Return a message of these fields in this order; a list is a repeated field."""
        pairs: list[tuple[int, Value | None]] = []
        for name, value in values.items():
            single = value is None or isinstance(value, int | float | bytes | str)
            items: Any = [value] if single else value
            pairs += [(self._numbers[name], item) for item in items]
        return write(pairs)

    def read(self, data: Data, where: str) -> Fields:
        """Return the values of the fields that have a name here; raises as `read`."""
        names = self._names
        return {names[n]: values for n, values in read(data, where).items() if n in names}


def write(fields: Iterable[tuple[int, Value | None]]) -> bytes:
    """Return a message: int as varint, float as 32 bits, Double as 64, bytes and str with length.

    None leaves a field out; negative numbers take the ten bytes of a two's complement int64.
    """
    return b"".join(_field(number, value) for number, value in fields if value is not None)


def _field(number: int, value: Value) -> bytes:
    if isinstance(value, int):
        return varint(number << 3 | VARINT) + varint(value)
    if isinstance(value, Double):
        return varint(number << 3 | FIXED64) + struct.pack("<d", value)
    if isinstance(value, float):
        return varint(number << 3 | FIXED32) + struct.pack("<f", value)
    data = utf8(value) if isinstance(value, str) else value
    return varint(number << 3 | BYTES) + varint(len(data)) + data


def varint(value: int) -> bytes:
    """Return the varint encoding: seven bits per byte, lowest first."""
    value &= _MASK
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read(data: Data, where: str = "message", most: int = _MOST) -> Fields:
    """Return the values of each field in their order: int of a varint, else a view of its bytes.

    Raises:
        TruncatedError: the message ends inside a field.
        CorruptError: a field number or wire type does not exist.
        LimitError: more than `most` values; by default more than any message of a model has.
    """
    view = memoryview(data)
    fields: dict[int, list[int | memoryview]] = {}
    position = count = 0
    while position < len(view):
        key, position = _read_varint(view, position, where)
        value, position = _read_value(view, position, key & 7, where)
        if key >> 3 == 0:
            raise CorruptError(f"{where}: expected a field number above 0 at byte {position}")
        fields.setdefault(key >> 3, []).append(value)
        count += 1
        if count > most:
            raise LimitError(f"{where}: expected at most {most} values, received more")
    return fields


def _read_value(
    data: memoryview, position: int, kind: int, where: str
) -> tuple[int | memoryview, int]:
    if kind == VARINT:
        return _read_varint(data, position, where)
    if kind == BYTES:
        length, position = _read_varint(data, position, where)
    elif kind in (FIXED32, FIXED64):
        length = 4 if kind == FIXED32 else 8
    else:
        raise CorruptError(f"{where}: expected wire type 0, 1, 2 or 5, received {kind}")
    if position + length > len(data):
        raise TruncatedError(
            f"{where}: expected {length} bytes at {position}, received {len(data) - position}"
        )
    return data[position : position + length], position + length


def _read_varint(data: memoryview, position: int, where: str) -> tuple[int, int]:
    value = shift = 0
    for byte in data[position : position + 10]:
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value & _MASK, position
    if position >= len(data):
        raise TruncatedError(f"{where}: expected the rest of a number at byte {position}")
    raise CorruptError(f"{where}: expected a number of at most ten bytes at {position - 10}")


def signed(value: int) -> int:
    """Return a varint as the int64 that it encodes."""
    return value - (1 << 64) if value >> 63 else value


def integers(values: Iterable[int | Data], where: str) -> NDArray[np.int64]:
    """Return a repeated int64 field, packed or not."""
    out = array("q")
    for value in values:
        if isinstance(value, int):
            out.append(signed(value))
            continue
        position, view = 0, memoryview(value)
        while position < len(view):
            item, position = _read_varint(view, position, where)
            out.append(signed(item))
    return np.frombuffer(out, np.int64)


def floats(values: Iterable[int | Data], where: str, code: str = "f") -> NDArray[np.floating[Any]]:
    """Return a repeated float field (``code`` "d": double), packed or not."""
    parts = [_as_bytes(value, where) for value in values]
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    if len(data) % struct.calcsize(code):
        raise CorruptError(f"{where}: expected whole floats, received {len(data)} bytes")
    return np.frombuffer(data, f"<{code}")


def _as_bytes(value: int | Data, where: str) -> memoryview:
    if isinstance(value, int):
        raise CorruptError(f"{where}: expected bytes, received the number {value}")
    return memoryview(value)


def single_bytes(fields: Fields, name: Any, where: str) -> memoryview:
    """Return the last bytes of a field, none if it is absent."""
    found = fields.get(name)
    return _as_bytes(found[-1] if found else b"", where)


def single_text(fields: Fields, name: Any, where: str) -> str:
    """Return the last text of a field, "" if it is absent."""
    try:
        return str(single_bytes(fields, name, where), "utf-8")
    except UnicodeDecodeError as error:
        raise CorruptError(f"{where}: field {name} is not UTF-8: {error}") from error


def single_integer(fields: Fields, name: Any, where: str) -> int:
    """Return the last number of a field, 0 if it is absent."""
    value = fields.get(name, [0])[-1]
    if not isinstance(value, int):
        raise CorruptError(f"{where}: expected a number in field {name}, received bytes")
    return signed(value)


def messages(fields: Fields, name: Any, where: str) -> list[memoryview]:
    """Return the bytes of each message of a repeated field."""
    return [_as_bytes(value, where) for value in fields.get(name, [])]
