"""Classes that cross by value: by their fields, or as what their own functions make of them.

Those functions may be coroutine functions. What is sent waits for an `encode`, what has arrived
waits for a `decode`, and everything behind it waits too: the order of messages stays.
"""

from farcall import messages, platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CONTAINERS = (
    messages.LIST,
    messages.TUPLE,
    messages.SET_,
    messages.FROZENSET,
    messages.DICT,
    messages.SLICE,
)


class Handler:
    """How instances of a class cross."""

    def __init__(self, cls: "Any", fields: "Any", encode: "Any", decode: "Any") -> None:
        self.cls = cls
        self.fields = fields
        self.encode = encode
        self.decode = decode


by_name: "dict[str, Handler]" = {}
names: "dict[Any, str]" = {}  # class -> name
decoded: "set[str]" = set()  # names with a `decode` of their own


def register(
    cls: "Any",
    name: "str | None" = None,
    fields: "Any" = None,
    *,
    encode: "Any" = None,
    decode: "Any" = None,
) -> "Any":
    """Let instances of `cls` cross by value, at any depth.

    Both sides register under the same name; usable as a decorator. `encode` and `decode` may be
    coroutine functions: messages wait for them, so that their order stays.

    Args:
        cls: the class; without `decode` called with the fields as keyword arguments.
        name: the name on the wire; the class's own by default.
        fields: names of the fields; a dataclass's own by default.
        encode: instance -> what crosses instead of it.
        decode: that -> an instance. A side that only sends or only receives needs only one.

    Raises:
        TypeError: neither functions nor fields.
    """
    fields = fields or getattr(cls, "__dataclass_fields__", None)
    if not fields and encode is None and decode is None:
        raise TypeError(f"register: {cls!r} is no dataclass; name its fields")
    name = name or cls.__name__
    by_name[name] = Handler(cls, tuple(fields or ()), encode, decode)
    names[cls] = name
    decoded.discard(name)
    if decode is not None:
        decoded.add(name)
    return cls


def registered(name: "Any") -> "Handler":
    """The handler of a name.

    Raises:
        ValueError: none is registered here.
    """
    handler = by_name.get(name) if type(name) is str else None
    if handler is None:
        raise ValueError(f"class {name!r} is not registered here (farcall.register)")
    return handler


class Failure(Exception):
    """Carries what an `encode` or `decode` raised to where the value would have been."""

    def __init__(self, error: "Any") -> None:
        super().__init__(repr(error))
        self.error = error


def cause(exc: "BaseException") -> "BaseException":
    """What failed, without the carrier."""
    return exc.error if isinstance(exc, Failure) else exc


class Made:
    """Stands in a frame for what a `decode` has made, or the error that it raised."""

    def __init__(self, value: "Any", error: "Any") -> None:
        self.value = value
        self.error = error


class Waits:
    """What one session's messages wait for."""

    def __init__(self, session: "Any") -> None:
        self._session = session
        self.encoding = 0
        self.held: "list[Any] | None" = None  # messages behind one that is being decoded
        self._tasks: "set[Any]" = set()

    def _spawn(self, coroutine: "Any") -> None:
        self._tasks.add(platform.spawn(coroutine))

    # -- out

    def later(self, coroutine: "Any", wire: "list[Any]") -> None:
        """Fill `wire` with what an `encode` gives; nothing is sent before."""
        self.encoding += 1
        self._spawn(self._encode(coroutine, wire))

    async def _encode(self, coroutine: "Any", wire: "list[Any]") -> None:
        session = self._session
        try:
            value = await coroutine
            if session.error is None:
                wire[2] = session.encode_late(value)
        except Exception as exc:
            wire[:] = [messages.FAILED, session.codec.encode_exception(exc)]
        self.encoding -= 1
        if not self.encoding:
            self._tasks.clear()
            session.flush_soon()

    # -- in

    def hold(self, header: "str", batch: "list[Any]", buffers: "Any") -> bool:
        """Whether a message must wait for coroutines; it is handed back when they are done."""
        if not decoded or '"' + messages.DATACLASS + '"' not in header:
            return False
        waiting = []
        for wire in reversed(_registered(batch)):  # inner ones first
            made = self._make(wire, buffers)
            if made is not None:
                waiting.append((wire, made))
                if len(waiting) == 1:
                    self.held = []
        if waiting:
            self._spawn(self._decode(waiting, batch, buffers))
        return bool(waiting)

    def _make(self, wire: "list[Any]", buffers: "Any") -> "Any":
        """Decode one node; its coroutine if it must be awaited."""
        try:
            content = self._session.codec.decode_with(wire[2], buffers)
            value = by_name[wire[1]].decode(content)
            if platform.is_awaitable(value):
                return value
            wire[2] = Made(value, None)
        except Exception as exc:
            wire[2] = Made(None, cause(exc))
        return None

    async def _decode(self, waiting: "list[Any]", batch: "list[Any]", buffers: "Any") -> None:
        for wire, coroutine in waiting:
            try:
                wire[2] = Made(await coroutine, None)
            except Exception as exc:
                wire[2] = Made(None, exc)
        platform.Timer(0, lambda: self._resume(batch, buffers))

    def _resume(self, batch: "list[Any]", buffers: "Any") -> None:
        """Hand the message on, and those behind it until one waits again."""
        held, self.held = self.held or [], None
        self._tasks.clear()
        self._session.resume(batch, buffers)
        for index in range(len(held)):
            self._session._receive(held[index][0], held[index][1])
            if self.held is not None:
                self.held.extend(held[index + 1 :])
                return

    def clear(self) -> None:
        """The session is over: cancel what is under way."""
        self.held = None
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()


def _registered(batch: "list[Any]") -> "list[Any]":
    """All nodes of a batch whose class has a `decode`, outer ones first."""
    found: "list[Any]" = []
    todo = [part for frame in batch[1:] for part in _values(frame)]
    while todo:
        wire = todo.pop()
        if type(wire) is dict:
            todo.extend(wire.values())
        elif type(wire) is not list or not wire:
            continue
        elif wire[0] in _CONTAINERS:
            todo.extend(wire[1:])
        elif wire[0] == messages.GRAPH and len(wire) == 3 and type(wire[2]) is list:
            todo.append(wire[1])
            todo.extend(wire[2])
        elif wire[0] == messages.DATACLASS and len(wire) == 3:
            if type(wire[1]) is str and wire[1] in decoded:
                found.append(wire)
            todo.append(wire[2])
    return found


def _values(frame: "Any") -> "list[Any]":
    """The wire forms in a frame: arguments, keyword arguments, results, items."""
    if type(frame) is not list or len(frame) < 3:
        return []
    kind = frame[0]
    if kind == messages.RET:
        return [frame[2]]
    if kind == messages.ITEMS and type(frame[2]) is list:
        return list(frame[2])
    if kind in (messages.CALL, messages.SET, messages.OP) and len(frame) > 4:
        args = frame[4] if type(frame[4]) is list else []
        return args + frame[5:6]
    return []
