"""Values to wire form and back: JSON for what JSON says exactly, tagged arrays for the rest.

By value: None, bool, int, float, str, bytes, list, tuple, dict, set, ndarray, exceptions and
registered dataclasses. What is left goes by reference, through the `References` given.
"""

import json

from farcall import errors, messages, platform
from farcall.values import arrays, registered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Deeper values, and those that hold themselves, go as a graph without recursion. MicroPython's
# stack ends between 100 and 200 Python frames, and a level takes two.
DEPTH = 24
NODES = 1_000_000
_WORD = 2**63
_PLAIN = (str, bool, type(None))
_TAGGED = (list, dict)

loads: "Any" = json.loads
dumps: "Any" = json.dumps
if not platform.MICROPYTHON:
    _encoder = json.JSONEncoder(
        ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
    )
    _scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
    # What `encode` makes anew each time: half of its time for a short message.
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
            raise ValueError(f"expected JSON, received {_short(text)}")
        return value

    def dumps(value: "Any") -> str:
        """JSON text of lists, dicts and plain values."""
        return "".join(_iterencode(value, 0))


class Deep(Exception):
    """The value nests deeper than DEPTH; it may hold itself."""


class References:
    """What the codec needs from a session for values that go by reference."""

    def export(self, value: "Any") -> "list[Any]":
        """Wire form of an object of this side."""
        raise TypeError(f"a {type(value).__name__} can only cross in a session")

    def outgoing(self, value: "Any") -> "list[Any] | None":
        """Wire form of a proxy or an un-awaited call; None if it is neither."""
        return None

    def later(self, coroutine: "Any", wire: "list[Any]") -> None:
        """Have `wire` filled with what an asynchronous `encode` gives, before it is sent."""
        coroutine.close()
        raise TypeError("an asynchronous encode can only be awaited in a session")

    def arrived(self, wire: "list[Any]") -> "Any":
        """The proxy for an object of the peer."""
        raise errors.ProtocolError(f"a reference outside a session: {wire!r}")

    def home(self, wire: "list[Any]") -> "Any":
        """The object of this side that came back."""
        raise errors.ProtocolError(f"a reference outside a session: {wire!r}")

    def promise(self, wire: "list[Any]") -> "Any":
        """The result of a call made earlier."""
        raise errors.ProtocolError(f"a promise outside a session: {wire!r}")


class Codec:
    """Encodes into `buffers`, decodes from the buffers that came along."""

    def __init__(self, references: "References | None" = None) -> None:
        self._references = references or References()
        self.buffers: "list[Any]" = []
        self.arrived: "Any" = []
        self.emptied: "list[Any]" = []  # buffers of the peer that go back to it
        self.returns = False
        self.traceback = True  # whether exceptions carry theirs, and their causes
        self._encoders: "dict[Any, Callable[[Any, int], Any]]" = {
            int: self._int,
            float: self._float,
            list: self._list,
            tuple: self._tuple,
            dict: self._dict,
            set: self._set,
            frozenset: self._frozenset,
            bytes: self._bytes,
            bytearray: self._bytearray,
            memoryview: self._memoryview,
            complex: lambda v, d: [messages.COMPLEX, self._float(v.real), self._float(v.imag)],
            range: lambda v, d: [messages.RANGE, v.start, v.stop, v.step],
            type(Ellipsis): lambda v, d: [messages.ELLIPSIS],
            slice: self._slice,
            type({}.keys()): self._list,
            type({}.values()): self._list,
            type({}.items()): self._list,
            arrays.Array: lambda v, d: arrays.encode_array(v, self.buffers),
            arrays.Transfer: lambda v, d: self._transfer(v),
        }
        self._decoders: "dict[str, Callable[[Any], Any]]" = {
            messages.LIST: lambda w: self._items(w, 1),
            messages.TUPLE: lambda w: tuple(self._items(w, 1)),
            messages.SET_: lambda w: set(self._items(w, 1)),
            messages.FROZENSET: lambda w: frozenset(self._items(w, 1)),
            messages.DICT: self._decode_dict,
            messages.INT: lambda w: int(w[1], 16),
            messages.FLOAT: _decode_float,
            messages.COMPLEX: lambda w: complex(self.decode(w[1]), self.decode(w[2])),
            messages.RANGE: lambda w: range(w[1], w[2], w[3]),
            messages.SLICE: lambda w: slice(*self._items(w, 1)),
            messages.ELLIPSIS: lambda w: Ellipsis,
            messages.BYTES: self._decode_bytes,
            messages.BYTEARRAY: lambda w: bytearray(_raw(self._decode_bytes(w))),
            messages.ARRAY: self._decode_array,
            messages.PORT: self._buffer,
            messages.EXCEPTION: self._decode_exception,
            messages.DATACLASS: self._decode_registered,
            messages.FAILED: self._decode_failed,
            messages.OBJECT: lambda w: self._references.arrived(w),
            messages.HOME: lambda w: self._references.home(w),
            messages.PROMISE: lambda w: self._references.promise(w),
            messages.GRAPH: self._decode_graph,
        }
        self._nodes: "list[Any]" = []

    # -- encoding

    def encode(self, value: "Any") -> "Any":
        """Wire form of a value; bulk data goes to `buffers`.

        Raises:
            TypeError: something in it can cross neither by value nor by reference.
        """
        mark = len(self.buffers)
        try:
            return self._encode(value, 0)
        except Deep:
            del self.buffers[mark:]
            return Graph(self).encode(value)

    def encode_all(self, values: "Any") -> "list[Any]":
        """Wire forms of arguments."""
        wire: "list[Any]" = []
        for value in values:
            kind = type(value)
            if kind in _PLAIN or (kind is int and -_WORD <= value < _WORD):
                wire.append(value)
            else:
                wire.append(self.encode(value))
        return wire

    def _encode(self, value: "Any", depth: "int") -> "Any":
        kind = type(value)
        if kind in _PLAIN:
            return value
        encoder = self._encoders.get(kind)
        if encoder is not None:
            if depth > DEPTH:
                raise Deep
            return encoder(value, depth + 1)
        return self._other(value, depth)

    def _int(self, value: "int", depth: "int" = 0) -> "Any":
        if -_WORD <= value < _WORD:
            return value
        return [messages.INT, hex(value) if value >= 0 else "-" + hex(-value)]

    def _float(self, value: "float", depth: "int" = 0) -> "Any":
        if value - value == 0.0:
            return value
        return [messages.FLOAT, "nan" if value != value else "inf" if value > 0 else "-inf"]

    def _each(self, tag: "str", values: "Any", depth: "int") -> "list[Any]":
        wire: "list[Any]" = [tag]
        encode = self._encode
        for value in values:
            wire.append(value if type(value) in _PLAIN else encode(value, depth))
        return wire

    def _list(self, value: "list[Any]", depth: "int") -> "Any":
        return self._each(messages.LIST, value, depth)

    def _tuple(self, value: "tuple[Any, ...]", depth: "int") -> "Any":
        return self._each(messages.TUPLE, value, depth)

    def _set(self, value: "set[Any]", depth: "int") -> "Any":
        return self._each(messages.SET_, value, depth)

    def _frozenset(self, value: "frozenset[Any]", depth: "int") -> "Any":
        return self._each(messages.FROZENSET, value, depth)

    def _dict(self, value: "dict[Any, Any]", depth: "int") -> "Any":
        if all(type(key) is str for key in value):
            return {key: self._encode(item, depth) for key, item in value.items()}
        flat: "list[Any]" = []
        for key, item in value.items():
            flat.append(key)
            flat.append(item)
        return self._each(messages.DICT, flat, depth)

    def _slice(self, value: "Any", depth: "int") -> "Any":
        return self._each(messages.SLICE, (value.start, value.stop, value.step), depth)

    def _bytes(self, value: "bytes", depth: "int" = 0) -> "Any":
        return self._attach(messages.BYTES, value)

    def _bytearray(self, value: "bytearray", depth: "int" = 0) -> "Any":
        return self._attach(messages.BYTEARRAY, value)

    def _memoryview(self, value: "memoryview", depth: "int" = 0) -> "Any":
        return self._attach(messages.BYTES, bytes(value))

    def _transfer(self, value: "arrays.Transfer") -> "Any":
        inner = value.value
        if arrays.is_javascript_array(inner):
            return arrays.encode_javascript(inner, self.buffers, True)
        if isinstance(inner, arrays.Array):
            return arrays.encode_array(inner, self.buffers, True)
        return self.encode(inner)

    def _attach(self, tag: "str", data: "Any") -> "list[Any]":
        self.buffers.append(arrays.from_bytes(data))
        return [tag, len(self.buffers) - 1]

    def _other(self, value: "Any", depth: "int") -> "Any":
        wire = self._references.outgoing(value)
        if wire is not None:
            return wire
        if arrays.is_numpy(value):
            return arrays.encode_numpy(value, self.buffers)
        if arrays.is_javascript_array(value):
            return arrays.encode_javascript(value, self.buffers)
        if arrays.is_port(value):
            self.buffers.append(value)
            return [messages.PORT, len(self.buffers) - 1]
        if registered.names and type(value) in registered.names:
            return self._registered(value, depth + 1)
        if isinstance(value, Exception):
            return self.encode_exception(value, depth + 1)
        if isinstance(value, str):
            return str(value)
        if isinstance(value, type):
            return self._references.export(value)
        for kind, encoder in self._encoders.items():  # IntEnum, OrderedDict, namedtuple ...
            if isinstance(value, kind):
                return encoder(_as_base(kind, value), depth + 1)
        return self._references.export(value)

    def _registered(self, value: "Any", depth: "int") -> "Any":
        if depth > DEPTH:
            raise Deep
        name = registered.names[type(value)]
        handler = registered.by_name[name]
        if handler.encode is None:
            fields = {f: self._encode(getattr(value, f), depth) for f in handler.fields}
            return [messages.DATACLASS, name, fields]
        made = handler.encode(value)
        if not platform.is_awaitable(made):
            return [messages.DATACLASS, name, self._encode(made, depth)]
        wire: "list[Any]" = [messages.DATACLASS, name, None]
        self._references.later(made, wire)
        return wire

    def encode_exception(self, exc: "BaseException", depth: "int" = 1) -> "Any":
        """Wire form of an exception: always succeeds, dropping what cannot cross."""
        args = [self._argument(a) for a in exc.args]
        cause = getattr(exc, "__cause__", None)
        if cause is None and not getattr(exc, "__suppress_context__", True):
            cause = exc.__context__
        if isinstance(cause, errors.RemoteTraceback) or depth > 4 or not self.traceback:
            cause = None
        text = platform.traceback_text(exc) if self.traceback else ""
        notes = [str(n) for n in getattr(exc, "__notes__", [])]
        inner = self.encode_exception(cause, depth + 1) if cause is not None else None
        names = errors.lineage(exc)
        return [messages.EXCEPTION, names, args, _message(exc), text, notes, inner]

    def _argument(self, value: "Any") -> "Any":
        codec = Codec()
        codec.traceback = self.traceback
        try:
            if type(value) in (str, int, float, bool, bytes, tuple, list, dict, type(None)):
                return codec.encode_plain(value)
            return codec.encode_plain(str(value))
        except Exception:
            return repr(value)

    def encode_plain(self, value: "Any") -> "Any":
        """Wire form of a value without buffers or references.

        Raises:
            TypeError: it needs one of them.
        """
        wire = self.encode(value)
        if self.buffers:
            raise TypeError("needs a buffer")
        return wire

    # -- decoding

    def decode_with(self, wire: "Any", buffers: "Any") -> "Any":
        """The value of a wire form whose buffers came along."""
        self.arrived = buffers
        return self.decode(wire)

    def decode_all(self, wires: "list[Any]", buffers: "Any") -> "list[Any]":
        """The values of arguments."""
        self.arrived = buffers
        decode = self.decode
        return [decode(w) if type(w) in _TAGGED else w for w in wires]

    def decode(self, wire: "Any") -> "Any":
        """The value of a wire form.

        Raises:
            ProtocolError: it is not one.
        """
        kind = type(wire)
        if kind is dict:
            return {key: self.decode(item) for key, item in wire.items()}
        if kind is not list:
            return wire
        try:
            return self._decoders[wire[0]](wire)
        except (KeyError, IndexError, TypeError, ValueError) as exc:
            raise errors.ProtocolError(f"undecodable value {_short(wire)}: {exc!r}") from None

    def _items(self, wire: "list[Any]", start: "int") -> "list[Any]":
        decode = self.decode
        return [decode(x) if type(x) in _TAGGED else x for x in wire[start:]]

    def _buffer(self, wire: "list[Any]") -> "Any":
        index = wire[1]
        if type(index) is not int or index < 0:
            raise ValueError(f"buffer index {index!r}")
        return self.arrived[index]

    def _decode_dict(self, wire: "list[Any]") -> "Any":
        flat = self._items(wire, 1)
        return dict(zip(flat[::2], flat[1::2]))

    def _decode_array(self, wire: "list[Any]") -> "Any":
        buffer = self._buffer(wire)
        value = arrays.decode_array(wire, self.arrived)
        self._emptied(wire[1], buffer)
        return value

    def _decode_bytes(self, wire: "list[Any]") -> "Any":
        buffer = self._buffer(wire)
        value = arrays.to_bytes(buffer)
        self._emptied(wire[1], buffer)
        return value

    def _emptied(self, index: "int", buffer: "Any") -> None:
        """A buffer was copied out of: back to the sender, if it is worth it."""
        if self.returns and arrays.kept_nothing() and buffer.byteLength >= arrays.REUSED:
            self.arrived[index] = None  # a second use of it would be a forged one
            self.emptied.append(buffer)

    def _decode_exception(self, wire: "list[Any]") -> "Exception":
        _, names, args, text, traceback, notes, cause = wire
        values = tuple([self.decode(a) for a in args])
        exc = errors.rebuild([str(n) for n in names], values, str(text))
        inner = self.decode(cause) if cause is not None else None
        return errors.attach(exc, str(traceback), [str(n) for n in notes], inner)

    def _decode_registered(self, wire: "list[Any]") -> "Any":
        _, name, content = wire
        if type(content) is registered.Made:
            if content.error is not None:
                raise registered.Failure(content.error)
            return content.value
        handler = registered.registered(name)
        values = self.decode(content)
        if handler.decode is not None:
            made = handler.decode(values)
            if platform.is_awaitable(made):
                made.close()
                raise ValueError(f"the decode of {name} must be awaited, which cannot be done here")
            return made
        if set(values) != set(handler.fields):
            wanted = sorted(handler.fields)
            raise ValueError(f"{name} has fields {wanted}, received {sorted(values)}")
        return handler.cls(**values)

    def _decode_failed(self, wire: "list[Any]") -> "Any":
        raise registered.Failure(self.decode(wire[1]))

    def _decode_graph(self, wire: "list[Any]") -> "Any":
        return Graph(self).decode(wire)


class Graph:
    """Containers as numbered nodes: cycles, shared parts and any depth, without recursion."""

    def __init__(self, codec: "Codec") -> None:
        self._codec = codec
        self._numbers: "dict[int, int]" = {}
        self._containers: "list[Any]" = []

    def encode(self, value: "Any") -> "list[Any]":
        """Wire form of a value whose lists, dicts and sets become nodes."""
        root = self._part(value)
        nodes: "list[Any]" = []
        while len(nodes) < len(self._containers):  # grows while its parts are visited
            nodes.append(self._node(self._containers[len(nodes)]))
        return [messages.GRAPH, root, nodes]

    def _part(self, value: "Any") -> "Any":
        if isinstance(value, (list, dict, set, tuple)) and type(value) in (list, dict, set, tuple):
            return [messages.NODE, self._number(value)]
        return self._codec._encode(value, 0)

    def _number(self, value: "Any") -> int:
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._containers)
            self._containers.append(value)
            if number > NODES:
                raise ValueError(f"a value of more than {NODES} containers")
        return number

    def _node(self, value: "Any") -> "list[Any]":
        if isinstance(value, dict):
            flat = [self._part(x) for pair in value.items() for x in pair]
            return [messages.DICT] + flat
        tags: "dict[Any, str]" = {list: messages.LIST, tuple: messages.TUPLE, set: messages.SET_}
        tag = tags[type(value)]
        return [tag] + [self._part(x) for x in value]

    def decode(self, wire: "list[Any]") -> "Any":
        """The value: empty containers first, then their parts.

        Tuples cannot be filled later: they are made last to first, which is the order in which
        nothing is needed before it exists, unless a tuple holds itself through tuples only,
        which Python cannot build either.
        """
        _, root, nodes = wire
        made: "list[Any]" = [{"l": [], "d": {}, "s": set()}.get(n[0]) for n in nodes]
        for index in range(len(nodes) - 1, -1, -1):
            self._tuple(nodes, made, index)
        for node, container in zip(nodes, made):
            self._fill(container, node, made)
        return self._value(root, made)

    def _tuple(self, nodes: "list[Any]", made: "list[Any]", index: "int") -> None:
        stack = [index]
        while stack:
            if len(stack) > len(nodes):
                raise ValueError("a tuple that holds itself")
            top = stack[-1]
            missing = [] if made[top] is not None else self._missing(nodes[top], made)
            if missing:
                stack.extend(missing)
                continue
            if made[top] is None:
                made[top] = tuple([self._value(part, made) for part in nodes[top][1:]])
            stack.pop()

    def _missing(self, node: "list[Any]", made: "list[Any]") -> "list[int]":
        if node[0] != messages.TUPLE:
            raise ValueError(f"node {_short(node)}")
        return [
            p[1]
            for p in node[1:]
            if type(p) is list and p[0] == messages.NODE and made[p[1]] is None
        ]

    def _fill(self, container: "Any", node: "list[Any]", made: "list[Any]") -> None:
        if node[0] == messages.TUPLE:
            return
        parts = [self._value(part, made) for part in node[1:]]
        if node[0] == messages.LIST:
            container.extend(parts)
        elif node[0] == messages.SET_:
            container.update(parts)
        else:
            container.update(zip(parts[::2], parts[1::2]))

    def _value(self, part: "Any", made: "list[Any]") -> "Any":
        if type(part) is list and part and part[0] == messages.NODE:
            if type(part[1]) is not int or not 0 <= part[1] < len(made):
                raise ValueError(f"node {part[1]!r} of {len(made)}")
            return made[part[1]]
        return self._codec.decode(part)


def _as_base(kind: "Any", value: "Any") -> "Any":
    return kind(value) if kind in (int, float) else value


def _raw(value: "Any") -> bytes:
    return value.tobytes() if isinstance(value, arrays.Array) else value


def _decode_float(wire: "list[Any]") -> float:
    if wire[1] not in ("nan", "inf", "-inf"):
        raise ValueError(f"float {wire[1]!r}")
    return float(wire[1])


def _message(exc: "BaseException") -> str:
    try:
        return str(exc)
    except Exception:
        return "(str() of the exception failed)"


def _short(wire: "Any") -> str:
    text = repr(wire)
    return text if len(text) <= 200 else text[:200] + "..."
