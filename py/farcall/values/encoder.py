"""Values to wire form: JSON for what JSON says exactly, tagged lists for the rest.

`encode` is the way of every value. `encode_all` is a short cut of it for arguments, most of which
are their own wire form.
"""

from farcall import errors, messages, platform
from farcall.platform import buffers as memory
from farcall.values import arrays, exceptions, registered, standard
from farcall.values.bulk import LONG, MANY, NEVER, Bulk
from farcall.values.graphs import Graph, few, short
from farcall.values.references import Ref, References

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from typing import Any

    from farcall.messages import Wire
    from farcall.platform.buffers import Buffer
    from farcall.values.references import Value

# Deeper values, and those that hold themselves, go as a graph without recursion. MicroPython's
# stack ends between 100 and 200 Python frames, and a level takes two.
DEPTH = 24
_WORD = 2**63
_SMALL = 2**30  # fits in a word of MicroPython's
_PLAIN = (bool, type(None))
_FUNCTIONS = (type(short),)  # MicroPython has a type more for closures: they go the usual way
_VIEWS: "tuple[type, ...]" = (type({}.keys()), type({}.values()), type({}.items()))
_TAGS = (
    (list, messages.LIST),
    (tuple, messages.TUPLE),
    (set, messages.SET_),
    (frozenset, messages.FROZENSET),
)


_COPIED = (
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    bytearray,
    list,
    tuple,
    dict,
    set,
    frozenset,
    range,
    slice,
    type(None),
    type(Ellipsis),
    BaseException,
    arrays.Array,
) + _VIEWS
MARKS = (Ref, arrays.Transfer)
_PARTS = 4096  # containers before it is asked how many of them are the same
_OFTEN = 4  # times that they may be met on average, before they cross as a graph
_UNCOUNTED = 2**62


class Deep(Exception):
    """The value nests deeper than DEPTH, or meets its parts again and again; see `graphs`."""


class Plain:
    """Encodes numbers, bytes and containers; the base of `Encoder`, which encodes what they hold.

    Attributes:
        buffers: where the buffers of what is encoded go.
        inline: whether bytes in exceptions are part of the text, since no buffers go along.
        long, many: characters and items from which on texts and containers take buffers.
    """

    def __init__(self, buffers: "list[Buffer] | None") -> None:
        self.buffers: "list[Buffer]" = [] if buffers is None else buffers
        self.inline = False
        self.long, self.many = LONG, MANY
        self._left = self._most = _UNCOUNTED  # containers that may be met before `_recount`
        self._bulk = Bulk(self.buffers, self._encode)

    def _encode(self, value: "Value", depth: "int") -> "Wire":
        """Wire form of a value inside another."""
        raise NotImplementedError

    def _recount(self) -> None:
        """See whether the containers met so far are the same ones again and again."""
        raise NotImplementedError

    def _int(self, value: "int", depth: "int" = 0) -> "Wire":
        if -_WORD <= value < _WORD:
            return value
        return [messages.INT, hex(value) if value >= 0 else "-" + hex(-value)]

    def _float(self, value: "float", depth: "int" = 0) -> "Wire":
        if value - value == 0.0:
            return value
        return [messages.FLOAT, "nan" if value != value else "inf" if value > 0 else "-inf"]

    def _each(self, tag: "str", values: "Collection[Value]", depth: "int") -> "list[Wire]":
        self._left -= 1
        if self._left < 0:
            self._recount()
        if len(values) >= self.many:
            return self._bulk.parts(tag, list(values), depth)
        wire: "list[Wire]" = [tag]
        encode, long = self._encode, self.long
        for value in values:
            kind = type(value)
            plain = -_SMALL < value < _SMALL if kind is int else kind in _PLAIN
            if plain or (kind is str and len(value) < long):
                wire.append(value)
            else:
                wire.append(encode(value, depth))
        return wire

    def _list(self, value: "list[Any]", depth: "int") -> "Wire":
        return self._each(messages.LIST, value, depth)

    def _tuple(self, value: "tuple[Any, ...]", depth: "int") -> "Wire":
        return self._each(messages.TUPLE, value, depth)

    def _set(self, value: "set[Any]", depth: "int") -> "Wire":
        return self._each(messages.SET_, value, depth)

    def _frozenset(self, value: "frozenset[Any]", depth: "int") -> "Wire":
        return self._each(messages.FROZENSET, value, depth)

    def _dict(self, value: "dict[Any, Any]", depth: "int") -> "Wire":
        self._left -= 1
        if self._left < 0:
            self._recount()
        if 2 * len(value) >= self.many:
            keys, items = self._list(list(value), depth), self._list(list(value.values()), depth)
            return [messages.MAPPING, keys, items]
        for key in value:
            if type(key) is not str:
                return self._each(messages.DICT, [x for pair in value.items() for x in pair], depth)
        encode, long = self._encode, self.long
        wire: "dict[str, Wire]" = {}
        for key, item in value.items():
            kind = type(item)
            plain = -_SMALL < item < _SMALL if kind is int else kind in _PLAIN
            if plain or (kind is str and len(item) < long):
                wire[key] = item
            else:
                wire[key] = encode(item, depth)
        return wire

    def split(self, value: "Value") -> "tuple[list[Wire], Any] | None":
        """The head of a value's wire form and its parts; None if it has none.

        Parts of an instance of a registered class are a dict of its fields.
        """
        if type(value) in registered.names:
            return registered.split(value)
        found = standard.split(value)
        if found is not None:
            return found
        if isinstance(value, dict):
            return [messages.DICT], [x for pair in value.items() for x in pair]
        for kind, tag in _TAGS:
            if isinstance(value, kind):
                return [tag], list(value)
        if type(value) is slice:
            return [messages.SLICE], [value.start, value.stop, value.step]
        return ([messages.LIST], list(value)) if type(value) in _VIEWS else None

    def _attach(self, tag: "str", data: "bytes | bytearray") -> "list[Wire]":
        if self.inline:
            return [messages.HEX, bytes(data).hex()]
        self.buffers.append(memory.from_bytes(data))
        return [tag, len(self.buffers) - 1]


class Encoder(Plain):
    """Encodes into `buffers`.

    Args:
        references: for values that go by reference.
        buffers: where the buffers of what is encoded go.

    Attributes:
        traceback: whether exceptions carry theirs, and their causes.
    """

    def __init__(
        self, references: "References | None" = None, buffers: "list[Buffer] | None" = None
    ) -> None:
        super().__init__(buffers)
        self._references = references or References()
        self.traceback = True
        self._met: "exceptions.Met | None" = None  # where what is encoded is inside an exception
        self._root: "Value" = None  # what `encode` was given
        self._inside: "dict[int, Value]" = {}  # met in an instance whose class has an `encode`
        self._meetings = 0  # with those: each is written where it is met
        self._encoders = self._encoding_table()

    def _encoding_table(self) -> "dict[type, Callable[[Any, int], Wire]]":
        table: "dict[type, Callable[[Any, int], Wire]]" = {
            int: self._int,
            float: self._float,
            list: self._list,
            tuple: self._tuple,
            dict: self._dict,
            set: self._set,
            frozenset: self._frozenset,
            bytes: lambda v, d: self._attach(messages.BYTES, v),
            bytearray: lambda v, d: self._attach(messages.BYTEARRAY, v),
            complex: lambda v, d: [messages.COMPLEX, self._float(v.real), self._float(v.imag)],
            range: lambda v, d: [messages.RANGE, v.start, v.stop, v.step],
            type(Ellipsis): lambda v, d: [messages.ELLIPSIS],
            slice: lambda v, d: self._each(messages.SLICE, (v.start, v.stop, v.step), d),
            arrays.Array: lambda v, d: arrays.encode_array(v, self.buffers),
            arrays.Transfer: lambda v, d: self._transfer(v),
        }
        for view in _VIEWS:
            table[view] = self._list
        for kind in _FUNCTIONS:  # a callback needs none of the questions that `_other` asks
            table[kind] = self._references.export_function
        return table

    def encode(self, value: "Value") -> "Wire":
        """Wire form of a value; bulk data goes to `buffers`.

        Raises:
            TypeError: something in it can cross neither by value nor by reference.
        """
        mark, referred = len(self.buffers), self._references.mark()
        outer = self._root, self._left, self._most
        self._root, self._left, self._most = value, _PARTS, _PARTS
        try:
            return self._encode(value, 0)
        except Deep:
            del self.buffers[mark:]
            self._references.undo(referred)
            self._left = _UNCOUNTED
            return Graph(self.split, lambda v: self._encode(v, 0)).encode(value)
        finally:
            self._root, self._left, self._most = outer

    def _recount(self) -> None:
        """Go on for a while, if so many of the containers are others.

        Raises:
            Deep: on average each was met more than `_OFTEN` times.
        """
        if few(self._root, self.split, self._most // _OFTEN):
            raise Deep
        self._left = (_OFTEN - 1) * self._most - 1
        self._most *= _OFTEN

    def encode_all(self, values: "Iterable[Value]") -> "list[Wire]":
        """Wire forms of arguments."""
        wire: "list[Wire]" = []
        for value in values:
            kind = type(value)
            plain = kind in _PLAIN or (kind is str and len(value) < self.long)
            if plain or (kind is int and -_WORD <= value < _WORD):
                wire.append(value)
            else:
                wire.append(self.encode(value))
        return wire

    def _encode(self, value: "Value", depth: "int") -> "Wire":
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is str:
            return value if len(value) < self.long else self._bulk.text(value)
        encoder = self._encoders.get(kind)
        if encoder is not None:
            if depth > DEPTH:
                raise Deep
            return encoder(value, depth + 1)
        return self._other(value, depth)

    def _transfer(self, value: "arrays.Transfer") -> "Wire":
        inner = value.value
        if memory.is_view(inner):
            return arrays.encode_javascript(inner, self.buffers, True)
        if isinstance(inner, arrays.Array):
            return arrays.encode_array(inner, self.buffers, True)
        if isinstance(inner, platform.JsProxy):
            platform.javascript.mark(inner)
        return self.encode(inner)

    def _other(self, value: "Value", depth: "int") -> "Wire":
        wire = self._references.outgoing(value)
        if wire is not None:
            return wire
        if registered.names and type(value) in registered.names:
            return self._registered(value, depth + 2)  # it takes more of the stack than a list
        found = self._standard(value)
        if found is not None:
            return self._parts(found, depth + 2)
        if arrays.is_numpy(value):
            return arrays.encode_numpy(value, self.buffers)
        if isinstance(value, BaseException):
            return self.encode_exception(value, depth + 1)
        if isinstance(value, platform.JsProxy):
            return self._javascript(value)
        return self._derived(value, depth)

    def _javascript(self, value: "Value") -> "Wire":
        """Memory crosses as an array; a File, Date, MessagePort as itself, beside the header."""
        if memory.is_view(value):
            return arrays.encode_javascript(value, self.buffers)
        why = platform.javascript.refusal(value)
        if why:
            name = platform.javascript.nameOf(value)
            raise TypeError(f"JavaScript's {name} cannot cross ({why}): send what you need of it")
        self.buffers.append(value)
        return [messages.JAVASCRIPT, len(self.buffers) - 1]

    def _derived(self, value: "Value", depth: "int") -> "Wire":
        """An instance of a subclass crosses as its base; any other object by reference."""
        if platform.is_null(value):
            return None
        if isinstance(value, str):
            return self._encode(platform.exact(str, value), depth)
        if isinstance(value, type):
            return self._references.export(value)
        for kind, encoder in self._encoders.items():
            if isinstance(value, kind):
                return encoder(_as_base(kind, value), depth + 1)
        return self._references.export(value)

    def _standard(self, value: "Value") -> "tuple[list[Wire], Any] | None":
        return standard.split(value)

    def _parts(self, found: "tuple[list[Wire], Any]", depth: "int") -> "Wire":
        if depth > DEPTH:
            raise Deep
        self._left -= 1
        if self._left < 0:
            self._recount()
        head, parts = found
        if isinstance(parts, dict):
            return head + [{key: self._encode(part, depth) for key, part in parts.items()}]
        return head + [self._encode(part, depth) for part in parts]

    def _registered(self, value: "Value", depth: "int") -> "Wire":
        found = registered.split(value)
        if found is not None:
            return self._parts(found, depth)
        first = not self._inside
        self._inside[id(value)] = value
        self._meetings += 1
        try:
            registered.bound(value, self._meetings, len(self._inside))
            return registered.encode(value, self.encode, self._references.later)
        finally:
            if first:
                self._inside, self._meetings = {}, 0

    def encode_exception(self, exc: "BaseException", depth: "int" = 1) -> "list[Wire]":
        """Wire form of an exception: always succeeds, dropping what cannot cross.

        Raises:
            TypeError: inside another exception only; see `exceptions.Met`.
        """
        met = self._met or exceptions.Met()
        met.enter(exc)

        def plain(value: "Value") -> "Wire":
            return _plain_copy(self, met, value)

        try:
            return exceptions.encode(exc, plain, self.traceback and met.traced, depth)
        except BaseException as failure:  # of its `args`, its notes or its traceback
            instead = errors.uncrossable(exc, failure)
            return exceptions.encode(instead, plain, False, depth)
        finally:
            met.leave()


def is_copied(value: "Value") -> bool:
    """Whether a value crosses by value, and not by reference."""
    if isinstance(value, _COPIED) or type(value) in registered.names:
        return True
    return arrays.is_numpy(value) or standard.split(value) is not None


def _plain_copy(around: "Encoder", met: "exceptions.Met", value: "Value") -> "Wire":
    """Wire form of an argument or field of an exception that `around` encodes.

    Raises:
        TypeError: it needs a reference, or a buffer where none go along.
    """
    plain = Encoder(None, None if around.inline else around.buffers)
    plain.traceback, plain.inline, plain._met = around.traceback, around.inline, met
    if around.inline:
        plain.long = plain.many = NEVER
    mark = len(plain.buffers)
    try:
        wire = plain.encode(value)
    except BaseException:
        del plain.buffers[mark:]
        raise
    if around.inline and plain.buffers:
        raise TypeError("needs a buffer")
    return wire


def _as_base(kind: "type", value: "Value") -> "Value":
    return platform.exact(kind, value) if kind in (int, float) else value
