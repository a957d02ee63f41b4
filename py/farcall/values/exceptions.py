"""Exceptions by value: names of their classes, arguments, text, traceback, notes, cause, fields."""

from farcall import errors, messages, platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from farcall.messages import Wire
    from farcall.values.references import Value

# What builtin exceptions keep outside of `args` and `__dict__`.
_MEMBERS = ("errno", "strerror", "filename", "filename2", "name", "path")
# How many of the exceptions inside one may cross again, besides as many as there are.
_AGAIN = 100
# How deep inside others one has a traceback: each is made of those of all inside it too.
_TRACED = 5


class Met:
    """The exceptions inside one that is encoded.

    Those that reach each other by two attributes do so by more ways than there is time for. One
    may cross again, as a field that is an argument too, but not inside itself, and not too often.
    """

    def __init__(self) -> None:
        self._known: "dict[int, BaseException]" = {}  # held, or others get their ids
        self._around: "list[int]" = []
        self._again = 0

    def enter(self, exc: "BaseException") -> None:
        """Begin with an exception.

        Raises:
            TypeError: it is inside itself, or too many were met again.
        """
        if id(exc) in self._known:
            self._again += 1
            if id(exc) in self._around or self._again > _AGAIN + len(self._known):
                raise TypeError("it is there already")
        self._known[id(exc)] = exc
        self._around.append(id(exc))

    @property
    def traced(self) -> bool:
        """Whether the one entered last is not too deep inside others for a traceback."""
        return len(self._around) <= _TRACED

    def leave(self) -> None:
        """End with the exception that was entered last."""
        self._around.pop()


def encode(
    exc: "BaseException", plain: "Callable[[Value], Wire]", traceback: "bool", depth: "int" = 1
) -> "list[Wire]":
    """Wire form of an exception: always succeeds, dropping what cannot cross.

    Args:
        exc: the exception.
        plain: gives the wire form of an argument, or raises.
        traceback: whether its traceback and causes cross.
        depth: of the causes so far.
    """
    args = [_argument(a, plain) for a in errors.arguments(exc)]
    cause = getattr(exc, "__cause__", None)
    if cause is None and not getattr(exc, "__suppress_context__", True):
        cause = exc.__context__
    if isinstance(cause, errors.RemoteTraceback) or depth > 4 or not traceback:
        cause = None
    text = platform.traceback_text(exc) if traceback else ""
    notes = [str(n) for n in getattr(exc, "__notes__", [])]
    inner = None if cause is None else encode(cause, plain, traceback, depth + 1)
    names, said = errors.lineage(exc), _message(exc)
    wire: "list[Wire]" = [messages.EXCEPTION, names, args, said, text, notes, inner]
    fields = _fields(exc, plain)
    module = platform.standard_module(type(exc))
    if fields or module:
        wire.extend([fields, module])
    return wire


def _argument(value: "Value", plain: "Callable[[Value], Wire]") -> "Wire":
    try:
        return plain(value)
    except BaseException:
        return _text(value)


def _text(value: "Value") -> str:
    try:
        return str(value)
    except BaseException:
        return f"<{type(value).__name__}>"


def _message(exc: "BaseException") -> str:
    try:
        return str(exc)
    except BaseException:
        return "(str() of the exception failed)"


def _fields(exc: "BaseException", plain: "Callable[[Value], Wire]") -> "dict[str, Wire]":
    """Public fields whose values cross without a reference."""
    found = {}
    own = dict(getattr(exc, "__dict__", {}))
    for name in _MEMBERS:
        if getattr(exc, name, None) is not None:
            own.setdefault(name, getattr(exc, name))
    for name, value in own.items():
        if errors.is_field(name):
            try:
                found[name] = plain(value)
            except BaseException:
                continue
    return found


def decode(wire: "list[Wire]", decode: "Callable[[Wire], Value]") -> "Exception":
    """The exception of a wire form."""
    _, names, args, text, traceback, notes, cause = wire[:7]
    fields, module = wire[7:9] if len(wire) > 7 else ({}, "")
    values = tuple([decode(a) for a in args])
    named = {str(name): decode(value) for name, value in fields.items()}
    exc = errors.rebuild([str(n) for n in names], values, str(text), named, str(module))
    inner = None if cause is None else decode(cause)
    return errors.attach(exc, str(traceback), [str(n) for n in notes], inner)
