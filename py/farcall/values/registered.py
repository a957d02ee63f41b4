"""Classes that cross by value: by their fields, or as what their own functions make of them.

Those functions may be coroutine functions. What is sent waits for an `encode`, what has arrived
waits for a `decode`, and everything behind it waits too: the order of messages stays.
"""

from farcall import messages, platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from farcall.messages import Wire
    from farcall.values.references import Value


class Handler:
    """How instances of a class cross."""

    def __init__(
        self,
        cls: "Any",
        fields: "tuple[str, ...]",
        encode: "Callable[[Any], Any] | None",
        decode: "Callable[[Any], Any] | None",
    ) -> None:
        self.cls = cls
        self.fields = fields
        self.encode = encode
        self.decode = decode


by_name: "dict[str, Handler]" = {}
names: "dict[type, str]" = {}  # class -> name
decoded: "set[str]" = set()  # names with a `decode` of their own


def register(
    cls: "Any",
    name: "str | None" = None,
    fields: "Iterable[str] | None" = None,
    *,
    encode: "Callable[[Any], Any] | None" = None,
    decode: "Callable[[Any], Any] | None" = None,
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


def registered(name: "object") -> "Handler":
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

    def __init__(self, error: "BaseException") -> None:
        super().__init__(repr(error))
        self.error = error


def cause(exc: "BaseException") -> "BaseException":
    """What failed, without the carrier."""
    return exc.error if isinstance(exc, Failure) else exc


class Made:
    """In a frame: what a `decode` has made, or the error that it raised."""

    def __init__(self, value: "Value", error: "BaseException | None") -> None:
        self.value = value
        self.error = error


def encode(
    value: "Value",
    depth: "int",
    encode: "Callable[[Value, int], Wire]",
    later: "Callable[[Any, list[Wire]], object]",
) -> "Wire":
    """Wire form of an instance of a registered class.

    Args:
        value: the instance.
        depth: of its parts.
        encode: gives the wire form of a part.
        later: fills a wire form with what a coroutine gives, before it is sent.
    """
    name = names[type(value)]
    handler = by_name[name]
    if handler.encode is None:
        fields = {f: encode(getattr(value, f), depth) for f in handler.fields}
        return [messages.DATACLASS, name, fields]
    made = handler.encode(value)
    if not platform.is_awaitable(made):
        return [messages.DATACLASS, name, encode(made, depth)]
    wire: "list[Wire]" = [messages.DATACLASS, name, None]
    later(made, wire)
    return wire


def decode(wire: "list[Wire]", decode: "Callable[[Wire], Value]") -> "Value":
    """The instance of a wire form.

    Raises:
        ValueError: its class is not registered here, or has other fields.
    """
    _, name, content = wire
    if type(content) is Made:
        if content.error is not None:
            raise Failure(content.error)
        return content.value
    handler = registered(name)
    values = decode(content)
    if handler.decode is not None:
        made = handler.decode(values)
        if platform.is_awaitable(made):
            platform.discard(made)
            raise ValueError(f"the decode of {name} must be awaited, which cannot be done here")
        return made
    if set(values) != set(handler.fields):
        wanted = sorted(handler.fields)
        raise ValueError(f"{name} has fields {wanted}, received {sorted(values)}")
    return handler.cls(**values)
