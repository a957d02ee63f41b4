"""JSON texts: the standard library's encoder and decoder, without what farcall does not need."""

import json

from farcall import platform
from farcall.values.graphs import short

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

loads: "Any" = json.loads
if platform.MICROPYTHON:
    import io

    def dumps(value: "Any") -> str:
        """JSON text of lists, dicts and plain values."""
        room = _room(value)
        return _whole(str(json.dumps(value)) if room < 2000 else _dump(value, room))

    def _whole(text: "str") -> str:
        """The text with lone surrogates, which JavaScript would not get, as JSON's escapes."""
        parts = text.encode().split(b"\xed")  # with which each surrogate begins, and others
        for i in range(1, len(parts)):
            part = parts[i]
            if part[0] < 0xA0:
                parts[i] = b"\xed" + part
            else:
                code = 0xD000 + ((part[0] & 63) << 6) + (part[1] & 63)
                parts[i] = f"\\u{code:04x}".encode() + part[2:]
        return b"".join(parts).decode() if len(parts) > 1 else text

    def _room(value: "Any") -> int:
        """About how many bytes its JSON takes."""
        room = 64
        todo = [value]  # taken from its end: MicroPython's lists grow by what they lack
        while todo:
            inner = todo.pop()
            kind = type(inner)
            if kind is list:
                todo.extend(inner)
                room += 12 * len(inner)
            elif kind is str:
                room += 2 * len(inner)
            elif kind is dict:
                todo.extend(inner)
                todo.extend(inner.values())
                room += 24 * len(inner)
        return room

    def _dump(value: "Any", room: "int") -> str:
        """JSON text: json.dumps, or a stream without the room, takes a time quadratic in it."""
        out = io.StringIO(room)  # type: ignore[arg-type]
        json.dump(value, out)
        text = out.getvalue()
        out.close()
        return text

    def plain_dumps(value: "list[Any]", lists: "list[list[Any]]", long: "int") -> "str | None":
        """JSON text of lists of atoms; None where a text is `long` or a float is not in JSON."""
        room = 64
        for values in lists:
            room += 24 * len(values)
            for item in values:
                kind = type(item)
                if kind is str:
                    if len(item) >= long:
                        return None
                    room += len(item)
                elif kind is float and item - item != 0.0:
                    return None
        return _dump(value, room)
else:
    _encoder = json.JSONEncoder(
        ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
    )
    _scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
    # What `encode` makes again each time: half of its time for a short message.
    _iterencode = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
        None,
        _encoder.default,
        json.encoder.encode_basestring,  # type: ignore[attr-defined]
        None,
        ":",
        ",",
        False,
        False,
        False,
    )

    def loads(text: "str") -> "Any":
        """json.loads without the white space around, which no peer sends."""
        try:
            value, end = _scan(text, 0)
        except StopIteration:
            end = -1
        if end != len(text):
            raise ValueError(f"expected JSON, received {short(text)}")
        return value

    def dumps(value: "Any") -> str:
        """JSON text of lists, dicts and plain values."""
        return "".join(_iterencode(value, 0))

    def plain_dumps(value: "list[Any]", lists: "list[list[Any]]", long: "int") -> "str | None":
        """JSON text of lists of atoms; None where a text is `long` or a float is not in JSON."""
        for values in lists:
            if any(len(item) >= long for item in values if type(item) is str):
                return None
        try:
            return dumps(value)
        except ValueError:
            return None
