"""Values to wire form and back.

By value: None, bool, int, float, str, bytes, list, tuple, dict, set, ndarray, exceptions, the value
types of the standard library (see `standard`) and registered classes. Anything else goes by
reference, through the `References` given.

    >>> codec = Codec()
    >>> codec.encode((1, "two", {3}))
    ['t', 1, 'two', ['s', 3]]
    >>> codec.decode(['t', 1, 'two', ['s', 3]])
    (1, 'two', {3})

`decode` is the way of every value. `decode_all` is a short cut of it for arguments, most of which
are their own wire form.
"""

from farcall import errors, messages, platform
from farcall.platform import buffers as memory
from farcall.values import arrays, bulk, exceptions, registered, standard
from farcall.values.encoder import DEPTH, Encoder
from farcall.values.graphs import Box, GraphReader, keys, short
from farcall.values.json_text import dumps, loads
from farcall.values.references import referring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.messages import Buffers, Wire
    from farcall.platform.buffers import Buffer
    from farcall.values.references import References, Value

_TAGGED = (list, dict)
_KEYED = (messages.SET_, messages.FROZENSET, messages.DICT, messages.MAPPING, messages.VALUE)


class Codec(Encoder):
    """Encodes into `buffers`, decodes from the buffers that came along.

    Args:
        references: for values that go by reference.
        buffers: where the buffers of what is encoded go.
        emptied: where buffers go that were copied out of, and are worth giving back.

    Attributes:
        arrived: buffers of the message whose values are being decoded.
        returns: whether emptied buffers go back to the peer.
    """

    def __init__(
        self,
        references: "References | None" = None,
        buffers: "list[Buffer] | None" = None,
        emptied: "list[Buffer] | None" = None,
    ) -> None:
        super().__init__(references, buffers)
        self.emptied: "list[Buffer]" = [] if emptied is None else emptied
        self.arrived: "Buffers" = ()
        self.returns = False
        self._decoders = self._decoding_table()

    def _decoding_table(self) -> "dict[str, Callable[[list[Wire]], Any]]":
        references = self._references
        return {
            messages.LIST: lambda w: self._items(w, 1),
            messages.TUPLE: lambda w: tuple(self._items(w, 1)),
            messages.SET_: lambda w: set(keys.light(self._items(w, 1))),
            messages.FROZENSET: lambda w: frozenset(keys.light(self._items(w, 1))),
            messages.DICT: self._decode_dict,
            messages.INT: lambda w: int(w[1], 16),
            messages.FLOAT: _decode_float,
            messages.COMPLEX: lambda w: _complex(self.decode(w[1]), self.decode(w[2])),
            messages.RANGE: lambda w: range(w[1], w[2], w[3]),
            messages.SLICE: lambda w: _slice(*self._items(w, 1)),
            messages.ELLIPSIS: lambda w: Ellipsis,
            messages.BYTES: self._decode_bytes,
            messages.BYTEARRAY: lambda w: bytearray(_raw(self._decode_bytes(w))),
            messages.ARRAY: self._decode_array,
            messages.HEX: lambda w: bytes.fromhex(w[1]),
            messages.JAVASCRIPT: self._buffer,
            messages.EXCEPTION: lambda w: exceptions.decode(w, self.decode),
            messages.VALUE: lambda w: standard.join(w[1], w[2], self._items(w, 3)),
            messages.DATACLASS: lambda w: registered.decode(w, self.decode),
            messages.FAILED: self._decode_failed,
            messages.OBJECT: references.arrived,
            messages.HOME: references.home,
            messages.PROMISE: references.promise,
            messages.TEXT: self._decode_text,
            messages.JSON: lambda w: loads(self._decode_text(w)),
            messages.PARTS: lambda w: bulk.container(w[1], self._items(w, 2)),
            messages.TABLE: lambda w: bulk.table(w, self.decode),
            messages.MAPPING: self._decode_mapping,
            messages.GRAPH: lambda w: GraphReader(self.decode, _empty, self._fill).decode(w),
            messages.HERE: lambda w: w[1].value if type(w[1]) is Box else w[1],
        }

    def decode_with(self, wire: "Wire", buffers: "Buffers") -> "Value":
        """The value of a wire form whose buffers came along."""
        self.arrived = buffers
        keys.begin()
        try:
            return self.decode(wire)
        except BaseException:
            self._references.abandon(wire)
            raise

    def decode_all(self, wires: "list[Wire]", buffers: "Buffers") -> "list[Value]":
        """The values of arguments."""
        self.arrived = buffers
        keys.begin()
        values: "list[Value]" = []
        try:
            for wire in wires:
                values.append(self.decode(wire) if type(wire) in _TAGGED else wire)
        except BaseException:
            self._references.abandon({"": [[wire] for wire in wires]})
            raise
        return values

    def decode_error(self, wire: "Wire", buffers: "Buffers") -> "BaseException":
        """The exception of a wire form, or what is wrong with a form that is none."""
        try:
            error = self.decode_with(wire, buffers)
        except BaseException as exc:
            return registered.cause(exc)
        if isinstance(error, Exception):
            return error
        return errors.ProtocolError(f"expected an exception, received {error!r}")

    def decode(self, wire: "Wire") -> "Value":
        """The value of a wire form.

        Raises:
            ProtocolError: it is not one.
        """
        kind = type(wire)
        if kind is dict:
            decode = self.decode
            return {k: decode(x) if type(x) in _TAGGED else x for k, x in wire.items()}
        if kind is not list:
            return wire
        try:
            return self._decoders[wire[0]](wire)
        except (KeyError, IndexError, TypeError, ValueError) as exc:
            if type(exc) is TypeError and wire[0] in _KEYED and any(referring([wire])):
                raise registered.Failure(exc) from None  # what a call gave is no key
            raise errors.ProtocolError(f"undecodable value {short(wire)}: {exc!r}") from None

    def _items(self, wire: "list[Wire]", start: "int") -> "list[Value]":
        decode = self.decode
        return [decode(x) if type(x) in _TAGGED else x for x in wire[start:]]

    def _buffer(self, wire: "list[Wire]") -> "Buffer":
        """Take a buffer that came: named twice, a short message could make it many."""
        index = wire[1]
        if type(index) is not int or index < 0:
            raise ValueError(f"buffer index {index!r}")
        buffer = self.arrived[index]
        if buffer is None:
            raise ValueError(f"buffer {index} twice")
        self.arrived[index] = None  # type: ignore[index]
        return buffer

    def _decode_dict(self, wire: "list[Wire]") -> "Value":
        return standard.fill({}, self._items(wire, 1))

    def _decode_mapping(self, wire: "list[Wire]") -> "Value":
        names, values = self.decode(wire[1]), self.decode(wire[2])
        if type(names) is not list or type(values) is not list:
            raise TypeError("expected lists of keys and of values")
        return dict(zip(keys.light(names), values))

    def _decode_array(self, wire: "list[Wire]") -> "Value":
        buffer = self._buffer(wire)
        value = arrays.decode_array(wire, buffer)
        self._emptied(buffer)
        return value

    def _decode_bytes(self, wire: "list[Wire]") -> "Value":
        buffer = self._buffer(wire)
        value = arrays.to_bytes(buffer)
        self._emptied(buffer)
        return value

    def _decode_text(self, wire: "list[Wire]") -> "str":
        buffer = self._buffer(wire)
        text = memory.to_text(buffer)
        self._emptied(buffer)
        return text

    def _emptied(self, buffer: "Buffer") -> None:
        """A buffer was copied out of: back to the sender, if it is worth it."""
        if self.returns and not memory.arrays_stay and buffer.byteLength >= memory.REUSED:
            self.emptied.append(buffer)

    def _fill(self, value: "Value", wire: "list[Wire]") -> None:
        """Put the parts of a graph's node into what `_empty` gave."""
        if wire[0] == messages.DATACLASS:
            registered.fill(value, wire[1], self.decode(wire[2]))
        elif wire[0] == messages.SET_:
            value.update(keys.light(self._items(wire, 1)))
        else:
            standard.fill(value, self._items(wire, 3 if wire[0] == messages.VALUE else 1))

    def _decode_failed(self, wire: "list[Wire]") -> "Value":
        raise registered.Failure(self.decode(wire[1]))


class _Slices:
    """Gives the slice that it is asked for: MicroPython's `slice` cannot be called."""

    def __getitem__(self, key: "slice") -> "slice":
        return key


def _slice(start: "Value", stop: "Value", step: "Value") -> "slice":
    return _Slices()[start:stop:step]


def _empty(wire: "list[Wire]") -> "Value":
    """A value of a graph's node to be filled later; None if it can only be made whole."""
    kind = wire[0]
    if kind == messages.LIST:
        return []
    if kind == messages.DICT:
        return {}
    if kind == messages.SET_:
        return set()
    if kind == messages.VALUE:
        return standard.empty(wire[1], wire[2])
    return registered.blank(wire[1]) if kind == messages.DATACLASS else None


def _raw(value: "Value") -> bytes:
    return value.tobytes() if isinstance(value, arrays.Array) else value


def _complex(real: "float", imag: "float") -> complex:
    if platform.MICROPYTHON and str(imag) == "-0.0":  # its `complex` would add it to 0
        return -complex(-real, 0.0)
    return complex(real, imag)


def _decode_float(wire: "list[Wire]") -> float:
    if wire[1] not in ("nan", "inf", "-inf"):
        raise ValueError(f"float {wire[1]!r}")
    return float(wire[1])


__all__ = ["DEPTH", "Codec", "dumps", "loads"]
