"""Values on Comlink's wire: by value, by a port of their own, or by a handler of the user's.

`{"type": "RAW", "value": ...}` holds what structured clone knows. `HANDLER proxy` holds a port
that serves the value; `HANDLER throw` an exception; any other handler is one that both sides put
into `transfer_handlers`. Only a whole argument or result can be served: Comlink has no way to say
"a port inside this list is an object", so that is refused with a text that says so.
"""

from farcall import errors, messages, platform
from farcall.comlink.ports import is_port
from farcall.platform import buffers as memory
from farcall.proxies.remote import Call
from farcall.values import standard
from farcall.values.bulk import NEVER
from farcall.values.codec import Codec, dumps, loads
from farcall.values.graphs import short
from farcall.values.references import References

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.messages import Buffers, Wire
    from farcall.platform.buffers import Buffer
    from farcall.platform.javascript import JavaScript
    from farcall.values.references import Value

RAW = "RAW"
HANDLER = "HANDLER"
PROXY = "proxy"
THROW = "throw"

_EXACT = 2**53  # JavaScript's numbers are exact below; a BigInt beyond
_PY_LENGTH = 1_000_000
# What a JavaScript error is nearest to here. Comlink keeps only its name.
_NEAREST = {
    "RangeError": "ValueError",
    "URIError": "ValueError",
    "SyntaxError": "ValueError",
    "EvalError": "ValueError",
    "ReferenceError": "NameError",
    "DataCloneError": "TypeError",
    "NotAllowedError": "PermissionError",
    "NotFoundError": "LookupError",
    "NotSupportedError": "NotImplementedError",
    "QuotaExceededError": "MemoryError",
    "NetworkError": "OSError",
    "AbortError": "RuntimeError",
}


class Thrown(errors.RemoteError):
    """JavaScript can throw what is no error: `throw 42`. Raise Thrown(42) to do so from here.

    Attributes:
        value: what was thrown.
    """

    def __init__(self, value: "Value" = None) -> None:
        super().__init__(repr(value))
        self.value = value


class Marked:
    """A value that goes by reference although it could be copied; made by `proxy`."""

    def __init__(self, value: "Value") -> None:
        self.value = value


class Moved:
    """A value whose `list` goes along instead of being copied; made by `transfer`."""

    def __init__(self, value: "Value", moved: "list[JavaScript]") -> None:
        self.value = value
        self.list = moved


def proxy(value: "Value") -> "Marked":
    """Send `value` by reference: a dict, a list, anything that would be copied otherwise."""
    return value if isinstance(value, Marked) else Marked(value)


def transfer(value: "Value", moved: "list[JavaScript]") -> "Moved":
    """Send `value`, at any depth, moving these JavaScript buffers, ports or streams with it."""
    return Moved(value, list(moved))


class TransferHandler:
    """How values of some kind cross under a name that both sides know.

    Args:
        can_handle: whether a value is of that kind.
        serialize: gives (what structured clone knows, list of what is moved).
        deserialize: the value again.
    """

    def __init__(
        self,
        can_handle: "Callable[[Value], bool]",
        serialize: "Callable[[Value], tuple[Value, list[JavaScript]]]",
        deserialize: "Callable[[Value], Value]",
    ) -> None:
        self.can_handle = can_handle
        self.serialize = serialize
        self.deserialize = deserialize


transfer_handlers: "dict[str, TransferHandler]" = {}


class _ByReference(Exception):
    """The codec met a value that it cannot copy."""

    def __init__(self, value: "Value") -> None:
        super().__init__()
        self.value = value


class Outgoing(Codec):
    """A frame on its way out: wire forms here, bulk in `buffers`, JavaScript's own in `refs`.

    Args:
        serve: gives the port, as it travels, that serves a value.
    """

    def __init__(self, serve: "Callable[[Value], JavaScript]") -> None:
        super().__init__(_Sent(self))
        self.long = self.many = NEVER  # JavaScript gets a text as a text, a list as a list
        self.refs: "list[JavaScript]" = []
        self.transfers: "list[JavaScript]" = []
        self._serve = serve

    def wire(self, value: "Value") -> "dict[str, Wire]":
        """The wire form of one argument or result.

        Raises:
            TypeError: it cannot cross.
        """
        if isinstance(value, Marked):
            return self._served(value.value)
        for name, handler in transfer_handlers.items():
            if handler.can_handle(value):
                plain, moved = handler.serialize(value)
                self.transfers.extend(moved)
                return {"type": HANDLER, "name": name, "value": self._copied(plain)}
        try:
            return {"type": RAW, "value": self.encode(value)}
        except _ByReference as exc:
            if exc.value is not value:
                raise _inside(exc.value) from None
        return self._served(value)

    def _served(self, value: "Value") -> "dict[str, Wire]":
        return {"type": HANDLER, "name": PROXY, "value": self._reference(self._serve(value))}

    def _copied(self, value: "Value") -> "Wire":
        try:
            return self.encode(value)
        except _ByReference as exc:
            raise _inside(exc.value) from None

    def thrown(self, exc: "BaseException", traceback: "bool") -> "dict[str, Wire]":
        """The wire form of an exception; what of it cannot cross is left out."""
        if isinstance(exc, Thrown):
            payload = {"isError": False, "value": self._copied(exc.value)}
        else:
            payload = {"isError": True, "value": _error(exc, traceback)}
        return {"type": HANDLER, "name": THROW, "value": payload}

    def _int(self, value: "int", depth: "int" = 0) -> "Wire":
        if -_EXACT < value < _EXACT:
            return value
        return [messages.INT, hex(value) if value >= 0 else "-" + hex(-value)]

    def split(self, value: "Value") -> "tuple[list[Wire], Any] | None":
        """The parts of a value as JavaScript has it: an instance is its fields."""
        found = super().split(standard.plain(value))
        if found is None or found[0][0] == messages.SLICE:
            return None
        if isinstance(found[1], dict):
            return [messages.DICT], [x for pair in found[1].items() for x in pair]
        return found

    def _other(self, value: "Value", depth: "int") -> "Wire":
        name = type(value).__name__
        if name == "array":
            found = standard.split(value)
            if found is not None:
                raw, size = found[1]
                return _typed_array(found[0][2], raw, size, self.buffers)
        plain = standard.plain(value)
        if plain is value:
            return super()._other(value, depth)
        if name == "datetime" and platform.BROWSER:
            return self._reference(platform.js.Date.new(plain))
        return self._encode(plain, depth)

    def _reference(self, value: "Value") -> "list[Wire]":
        self.refs.append(value)
        return ["j" if platform.BROWSER else messages.OBJECT, len(self.refs) - 1]


class _Sent(References):
    """What the codec asks for values that JSON cannot say."""

    def __init__(self, frame: "Outgoing") -> None:
        self._frame = frame

    def outgoing(self, value: "Value") -> "Wire":
        """Wire form of JavaScript's own values, and of moved ones."""
        if isinstance(value, Moved):
            self._frame.transfers.extend(value.list)
            return self._frame.encode(value.value)
        if isinstance(value, platform.JsProxy):
            if platform.javascript.isFunction(value):
                raise TypeError("a JavaScript function cannot cross: wrap it in a Python one")
            return self._frame._reference(value)
        if is_port(value):
            return self._frame._reference(value)
        return None

    def mark(self) -> "tuple[int, int]":
        """Where an attempt to encode a value begins."""
        return len(self._frame.refs), len(self._frame.transfers)

    def undo(self, mark: "tuple[int, int]") -> None:
        """Take back what was added to the frame since `mark`."""
        del self._frame.refs[mark[0] :], self._frame.transfers[mark[1] :]

    def export(self, value: "Value", depth: "int" = 0) -> "list[Wire]":
        """Raise for what cannot be copied."""
        platform.refuse_unawaited(value)
        if isinstance(value, Call):
            raise TypeError("a call cannot cross to Comlink before its result is here: await it")
        raise _ByReference(value)


def _inside(value: "object") -> "TypeError":
    return TypeError(
        f"a {type(value).__name__} inside a container cannot cross to Comlink: "
        "pass it as an argument or result itself"
    )


def _error(exc: "BaseException", traceback: "bool") -> "dict[str, Wire]":
    """What Comlink keeps of an error, and ours in `py`, which it carries along unread."""
    codec = Codec()
    codec.traceback = traceback
    codec.inline = True
    wire = codec.encode_exception(exc)
    ours = dumps(wire)
    found = {"message": wire[3], "name": wire[1][0], "stack": wire[4] or f"{wire[1][0]}: {wire[3]}"}
    if len(ours) <= _PY_LENGTH:
        found["py"] = ours
    return found


class _Came(References):
    """What came along with a frame; no reference of farcall's own protocol means anything."""

    refs: "list[JavaScript] | tuple[()]" = ()

    def arrived(self, wire: "list[Wire]") -> "Value":
        """A JavaScript value that stays one."""
        index = wire[1]
        if type(index) is not int or not 0 <= index < len(self.refs):
            raise ValueError(f"reference {index!r} of {len(self.refs)}")
        return self.refs[index]


class Incoming(Codec):
    """Reads frames: what JSON cannot say is an index into what came along."""

    def __init__(self) -> None:
        self._came = _Came()
        super().__init__(self._came)

    def frame(self, text: "str", buffers: "Buffers", refs: "list[JavaScript]") -> "dict[str, Wire]":
        """The fields of a frame.

        Raises:
            ProtocolError: it is none.
            UndecodableError: one of its values is none of Python's; the others are known.
        """
        try:
            wires = loads(text)
        except (ValueError, RuntimeError, MemoryError) as exc:
            raise errors.ProtocolError(f"undecodable frame: {exc!r}") from None
        if not isinstance(wires, dict):
            raise errors.ProtocolError(f"expected a frame, received {short(wires, 80)}")
        self._came.refs = refs
        found: "dict[str, Wire]" = {}
        failure = ""
        for name, wire in wires.items():
            try:
                found[name] = self.decode_with(wire, buffers)
            except Exception as exc:
                failure = failure or f"{name}: {exc}"
        self._came.refs = ()
        if failure:
            raise UndecodableError(f"{failure}{_hint(failure)}", found)
        return found


class UndecodableError(errors.ProtocolError):
    """A value of a frame is none of Python's.

    Attributes:
        fields: those of the frame that are, such as its id.
    """

    def __init__(self, text: "str", fields: "dict[str, Wire] | None" = None) -> None:
        super().__init__(text)
        self.fields = fields or {}


def _hint(failure: "str") -> str:
    unhashable = "unhashable" in failure or "unsupported type for __hash__" in failure
    return "; send an Array, for a Python set or dict holds no such keys" if unhashable else ""


def received(wire: "Wire", adopt: "Callable[[Value], Value]") -> "Value":
    """The value of one argument or result; raises what was thrown.

    Args:
        wire: its fields.
        adopt: gives the proxy of what a port serves.

    Raises:
        ProtocolError: it is no wire value, or uses a handler that is not known here.
    """
    if not isinstance(wire, dict):
        raise errors.ProtocolError(f"expected a wire value, received {short(wire, 80)}")
    kind, name, value = wire.get("type"), wire.get("name"), wire.get("value")
    if kind == RAW:
        return value
    if kind != HANDLER:
        raise errors.ProtocolError(f"expected RAW or HANDLER, received {short(kind, 80)}")
    if name == PROXY:
        return adopt(value)
    if name == THROW:
        raise rebuilt(value)
    handler = transfer_handlers.get(name) if isinstance(name, str) else None
    if handler is None:
        known = ", ".join(sorted(transfer_handlers)) or "none"
        text = f"no transfer handler is called {short(name, 80)} here; there are: {known}"
        raise errors.ProtocolError(text)
    return handler.deserialize(value)


def rebuilt(payload: "Wire") -> "Exception":
    """The exception that a `throw` holds."""
    if not isinstance(payload, dict) or not isinstance(payload.get("isError"), bool):
        raise errors.ProtocolError(f"expected what was thrown, received {short(payload, 80)}")
    value = payload.get("value")
    if not payload["isError"]:
        return Thrown(value)
    if not isinstance(value, dict):
        raise errors.ProtocolError(f"expected an error's fields, received {short(value, 80)}")
    return _python_error(value.get("py")) or _javascript_error(value)


def _python_error(text: "object") -> "Exception | None":
    if not isinstance(text, str) or len(text) > _PY_LENGTH:
        return None
    try:
        found = Codec().decode(loads(text))
    except (errors.ProtocolError, errors.LimitError, ValueError, RuntimeError):
        return None
    return found if isinstance(found, Exception) else None


def _javascript_error(value: "dict[str, Wire]") -> "Exception":
    name, message, stack = (str(value.get(key) or "") for key in ("name", "message", "stack"))
    names = [name[:100] or "Error", "Exception"]
    if name in _NEAREST:
        names.insert(1, _NEAREST[name])
    if name == "SyntaxError":  # Python's own is about Python's source
        names[0] = "JavaScriptSyntaxError"
    exc = errors.rebuild(names, (message,), message)
    return errors.attach(exc, stack, [])


def _typed_array(code: "str", raw: "bytes", size: "int", buffers: "list[Buffer]") -> "Wire":
    """Wire form of an array.array as a typed array: its typecode, bytes, and bytes an item."""
    kind = "f" if code in "fd" else "i" if code.islower() else "u"
    size = size or (8 if code in "dqQ" else 4 if code in "fiI" else 1)
    buffers.append(memory.from_bytes(raw))
    dtype = f"{'|' if size == 1 else '<'}{kind}{size}"
    return [messages.ARRAY, len(buffers) - 1, dtype, [len(raw) // size], "C"]
