"""Classes that cross by value: by their fields, or as what their own functions make of them.

Those functions may be coroutine functions. What is sent waits for an `encode`, what has arrived
waits for a `decode`, and everything behind it waits too: the order of messages stays.
"""

from farcall import errors, messages, platform

INSIDE = 100_000  # times that instances which share parts are met in one with an `encode`
OFTEN = 4

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from farcall.messages import Wire
    from farcall.values.references import Value


class Handler:
    """How instances of a class cross.

    Attributes:
        late: fields that the constructor does not take: they are set afterwards.
    """

    def __init__(
        self,
        cls: "Any",
        fields: "tuple[str, ...]",
        late: "tuple[str, ...]",
        encode: "Callable[[Any], Any] | None",
        decode: "Callable[[Any], Any] | None",
    ) -> None:
        self.cls = cls
        self.fields = fields
        self.late = late
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
        cls: the class; without `decode` called with the fields as keyword arguments. An Enum or
            a named tuple needs nothing else.
        name: the name on the wire; the class's own by default.
        fields: names of the fields; a dataclass's own by default.
        encode: instance -> what crosses instead of it.
        decode: that -> an instance. A side that only sends or only receives needs only one.

    Raises:
        TypeError: neither functions nor fields; or a dataclass that its fields cannot make.
        ValueError: another class has that name; one that is defined again is no other.
    """
    late: "tuple[str, ...]" = ()
    if not fields and encode is None and decode is None:
        enum = platform.loaded("enum")
        if enum is not None and isinstance(cls, type) and issubclass(cls, enum.Enum):
            encode, decode = _member_value, cls
        else:
            fields, late = _fields(cls)
    name = name or cls.__name__
    other = by_name.get(name)
    fields = tuple(fields or ())
    if other is not None and _place(other.cls) != _place(cls):
        raise ValueError(
            f"register: {_place(other.cls)} is called {name!r} already: "
            f"give {_place(cls)} another name, on both sides"
        )
    by_name[name] = Handler(cls, fields, late, encode, decode)
    names[cls] = name
    decoded.discard(name)
    if decode is not None:
        decoded.add(name)
    return cls


def _place(cls: "Any") -> str:
    """Where a class is defined: one that is defined again, as in a notebook, takes its place."""
    return f"{getattr(cls, '__module__', '')}.{getattr(cls, '__qualname__', cls.__name__)}"


def _member_value(member: "Any") -> "Value":
    return member.value


def _fields(cls: "Any") -> "tuple[tuple[str, ...], tuple[str, ...]]":
    """Fields of a dataclass or named tuple, and those that its constructor does not take."""
    declared = getattr(cls, "__dataclass_fields__", None)
    if declared is None:
        if not getattr(cls, "_fields", None):
            raise TypeError(f"register: {cls!r} is no dataclass; name its fields")
        return tuple(cls._fields), ()
    import dataclasses

    fields = dataclasses.fields(cls)
    names = [f.name for f in fields]
    kinds = {n: getattr(f, "_field_type", None) for n, f in declared.items() if n not in names}
    for name, kind in kinds.items():
        if "INITVAR" in str(kind) and declared[name].default is dataclasses.MISSING:
            raise TypeError(
                f"register: {cls.__name__} needs {name!r}, an InitVar, which its instances do not "
                "keep: give it a default, or give encode and decode"
            )
    return tuple(names), tuple([f.name for f in fields if not f.init])


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
    # `isinstance` asks an exception for a class that it may have no answer to.
    return exc.error if type(exc) is Failure else exc


class Made:
    """In a frame: what a `decode` has made, or the error that it raised."""

    def __init__(self, value: "Value", error: "BaseException | None") -> None:
        self.value = value
        self.error = error


def split(value: "Value") -> "tuple[list[Wire], dict[str, Value]] | None":
    """The head of an instance's wire form and its fields; None if a function encodes it."""
    name = names[type(value)]
    handler = by_name[name]
    if handler.encode is not None:
        return None
    return [messages.DATACLASS, name], {f: getattr(value, f) for f in handler.fields}


def bound(value: "Value", meetings: "int", met: "int") -> None:
    """Let no `encode` meet the same instances again and again.

    Args:
        value: the instance that is met now.
        meetings: how often one was met, this time included.
        met: how many there are.

    Raises:
        LimitError: on average each was met more than OFTEN times, and all more than INSIDE.
    """
    if meetings > max(INSIDE, OFTEN * met):
        raise errors.LimitError(
            f"instances that share parts are met more than {INSIDE} times: "
            f"register {type(value).__name__} by its fields, not by an `encode`"
        )


def encode(
    value: "Value",
    encode: "Callable[[Value], Wire]",
    later: "Callable[[Any, list[Wire]], object]",
) -> "Wire":
    """Wire form of an instance whose class has an `encode`.

    Args:
        value: the instance.
        encode: gives the wire form of what that gave.
        later: fills a wire form with what a coroutine gives, before it is sent.

    Raises:
        ValueError: instances nest too deep in each other.
    """
    name = names[type(value)]
    made = by_name[name].encode(value)  # type: ignore[misc] # `split` handles those without
    if not platform.is_awaitable(made):
        try:
            return [messages.DATACLASS, name, encode(made)]
        except RuntimeError as exc:
            if "recursion" not in str(exc):
                raise
        text = "too deep for its `encode`, or holds itself: register it by its fields"
        raise ValueError(f"a {name} nests {text}")
    wire: "list[Wire]" = [messages.DATACLASS, name, None]
    later(made, wire)
    return wire


def blank(name: "object") -> "Any":
    """An instance without its fields, made without its constructor; None if it cannot be so."""
    handler = registered(name)
    if handler.decode is not None or issubclass(handler.cls, tuple):
        return None
    cls = handler.cls
    return cls.__new__(cls) if hasattr(cls, "__new__") else object.__new__(cls)


def fill(instance: "Any", name: "str", values: "dict[str, Value]") -> None:
    """Run the constructor of an instance that `blank` gave: what it refuses is refused."""
    _construct(name, registered(name), values, instance)


def _construct(
    name: "str", handler: "Handler", values: "dict[str, Value]", instance: "Any" = None
) -> "Any":
    if set(values) != set(handler.fields):
        wanted = sorted(handler.fields)
        raise ValueError(f"{name} has fields {wanted}, received {sorted(values)}")
    late = {field: values.pop(field) for field in handler.late}
    if instance is None:
        instance = handler.cls(**values)
    else:
        instance.__init__(**values)
    for field, value in late.items():
        object.__setattr__(instance, field, value)
    return instance


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
    return _construct(name, handler, values)
