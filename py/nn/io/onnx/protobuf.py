"""Protocol Buffers wire format.

>>> data = write([(1, 150), (2, b"testing"), (3, 0.5)])
>>> read(data)
{1: [150], 2: [b'testing'], 3: [...]}

The protobuf library is not used because Pyodide's offline folder lacks it and ONNX needs few
messages. Tests compare with the library. Format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Any

from nn.io.errors import CorruptError, TruncatedError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Value = int | float | bytes | str
Fields = Mapping[Any, list[int | bytes]]
"""The values of each field, by its number or by its name in a `Message`."""

_MASK = (1 << 64) - 1


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

    def read(self, data: bytes, where: str) -> Fields:
        """Return the values of the fields that have a name here; raises as `read`."""
        names = self._names
        return {names[n]: values for n, values in read(data, where).items() if n in names}


def write(fields: Iterable[tuple[int, Value | None]]) -> bytes:
    """Return a message: int as varint, float as 32 bits, bytes and str with their length.

    None leaves a field out; negative numbers take the ten bytes of a two's complement int64.
    """
    return b"".join(_field(number, value) for number, value in fields if value is not None)


def _field(number: int, value: Value) -> bytes:
    if isinstance(value, int):
        return varint(number << 3 | VARINT) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | FIXED32) + struct.pack("<f", value)
    data = value.encode() if isinstance(value, str) else value
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


def read(data: bytes, where: str = "message") -> Fields:
    """Return the values of each field in their order: int of a varint, bytes of the rest.

    Raises:
        TruncatedError: the message ends inside a field.
        CorruptError: a field number or wire type does not exist.
    """
    fields: dict[int, list[int | bytes]] = {}
    position = 0
    while position < len(data):
        key, position = _read_varint(data, position, where)
        value, position = _read_value(data, position, key & 7, where)
        if key >> 3 == 0:
            raise CorruptError(f"{where}: expected a field number above 0 at byte {position}")
        fields.setdefault(key >> 3, []).append(value)
    return fields


def _read_value(data: bytes, position: int, kind: int, where: str) -> tuple[int | bytes, int]:
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


def _read_varint(data: bytes, position: int, where: str) -> tuple[int, int]:
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


def integers(values: Iterable[int | bytes], where: str) -> list[int]:
    """Return a repeated int64 field, packed or not."""
    out: list[int] = []
    for value in values:
        if isinstance(value, int):
            out.append(signed(value))
            continue
        position = 0
        while position < len(value):
            item, position = _read_varint(value, position, where)
            out.append(signed(item))
    return out


def floats(values: Iterable[int | bytes], where: str, code: str = "f") -> list[float]:
    """Return a repeated float field (``code`` "d": double), packed or not."""
    data = b"".join(_as_bytes(value, where) for value in values)
    if len(data) % struct.calcsize(code):
        raise CorruptError(f"{where}: expected whole floats, received {len(data)} bytes")
    return [item for (item,) in struct.iter_unpack(f"<{code}", data)]


def _as_bytes(value: int | bytes, where: str) -> bytes:
    if isinstance(value, int):
        raise CorruptError(f"{where}: expected bytes, received the number {value}")
    return value


def single_bytes(fields: Fields, name: Any, where: str) -> bytes:
    """Return the last bytes of a field, b"" if it is absent."""
    return _as_bytes(fields.get(name, [b""])[-1], where)


def single_text(fields: Fields, name: Any, where: str) -> str:
    """Return the last text of a field, "" if it is absent."""
    try:
        return single_bytes(fields, name, where).decode()
    except UnicodeDecodeError as error:
        raise CorruptError(f"{where}: field {name} is not UTF-8: {error}") from error


def single_integer(fields: Fields, name: Any, where: str) -> int:
    """Return the last number of a field, 0 if it is absent."""
    value = fields.get(name, [0])[-1]
    if not isinstance(value, int):
        raise CorruptError(f"{where}: expected a number in field {name}, received bytes")
    return signed(value)


def messages(fields: Fields, name: Any, where: str) -> list[bytes]:
    """Return the bytes of each message of a repeated field."""
    return [_as_bytes(value, where) for value in fields.get(name, [])]
