"""Exceptions that farcall raises, and rebuilding those of the other side.

TimeoutError is the built-in one: asyncio's on MicroPython, which has no built-in.
"""

import builtins

from farcall import platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class FarcallError(Exception):
    """Base class of farcall's exceptions, except PolicyError and TimeoutError."""

    remote_traceback = ""


class RemoteError(FarcallError):
    """Of a type that this side does not know, whose name it has; `.remote_traceback` is a text."""


class ProtocolError(FarcallError):
    """The peer sent something that is not the protocol, or broke a limit."""


class LimitError(FarcallError):
    """A limit of the side that raised it: calls pending, running or queued, objects held, sizes."""


class SessionClosedError(FarcallError):
    """The session was closed, here or by the peer."""


class ReleasedError(SessionClosedError):
    """The proxy was released here."""


class WorkerError(FarcallError):
    """A worker did not start, or is gone."""


class WorkerBootError(WorkerError):
    """The worker never served; `.remote_traceback` if known."""


class WorkerDiedError(WorkerError):
    """The worker served once and is gone: terminated, crashed, tab discarded."""


class PolicyError(AttributeError):
    """The owner does not serve that name."""

    remote_traceback = ""


TimeoutError = platform.TimeoutError

_unknown: "dict[tuple[str, ...], Any]" = {}
# MicroPython's native exceptions refuse attributes; a subclass of the same name takes them.
_known: "dict[str, Any]" = {
    cls.__name__: cls
    for cls in (
        FarcallError,
        RemoteError,
        ProtocolError,
        LimitError,
        SessionClosedError,
        ReleasedError,
        WorkerError,
        WorkerBootError,
        WorkerDiedError,
        PolicyError,
    )
}


def register_exception(cls: "Any", name: "str | None" = None) -> "Any":
    """Let `cls` be rebuilt from the wire under its name; usable as a decorator.

    Args:
        cls: an exception class. One whose constructor refuses the `args` that it was raised with
            is made without calling it.
        name: the name on the wire; the class's own by default.
    """
    if not (isinstance(cls, type) and issubclass(cls, Exception)):
        raise TypeError(f"register_exception: expected an Exception class, received {cls!r}")
    _known[name or cls.__name__] = cls
    return cls


def lineage(exc: "BaseException") -> "list[str]":
    """Names of the exception's classes, its own first, `Exception` last."""
    if hasattr(type(exc), "__mro__"):
        return [c.__name__ for c in type(exc).__mro__ if issubclass(c, BaseException)]
    return _lineage_by_bases(type(exc), [])


def _lineage_by_bases(cls: "Any", names: "list[str]") -> "list[str]":
    if cls is not object and cls.__name__ not in names:
        names.append(cls.__name__)
        for base in cls.__bases__:
            _lineage_by_bases(base, names)
    return names


def known(name: "str") -> "Any":
    """The class that this side rebuilds `name` as, or None.

    Only Exception and below: a peer must not be able to raise SystemExit or KeyboardInterrupt here.
    """
    if name in ("StopIteration", "StopAsyncIteration"):  # would end a loop or coroutine here
        return None
    cls = _known.get(name)
    if cls is None:
        cls = TimeoutError if name == "TimeoutError" else getattr(builtins, name, None)
        if not (isinstance(cls, type) and issubclass(cls, Exception)):
            return None
        if platform.MICROPYTHON:
            cls = type(name, (cls,), {})
        _known[name] = cls
    return cls


def uncrossable(exc: "BaseException", why: "BaseException") -> "RemoteError":
    """What crosses in place of an exception that says nothing of itself without raising another."""
    return RemoteError(f"{_named(exc)}, which cannot cross: {_named(why)}")


def _named(exc: "BaseException") -> str:
    try:
        return str(type(exc).__name__)
    except BaseException:  # of its metaclass
        return "an exception"


def rebuild(
    names: "list[str]",
    args: "tuple[object, ...]",
    text: "str",
    fields: "dict[str, object] | None" = None,
    module: "str" = "",
) -> "Exception":
    """An exception of the first of `names` if known here, else of a class made for it.

    The made class derives from RemoteError and the nearest known base. MicroPython cannot combine
    two native layouts: there it derives from that base, or from RemoteError if that is Exception.

    Args:
        names: of its class and the bases.
        args: what it was raised with.
        text: what it says.
        fields: its public fields, set once it is made.
        module: of a class of the standard library that is not builtin; never imported for it.
    """
    cls = (known(names[0]) or _standard(names[0], module)) if names else RemoteError
    exc: "Any" = None if cls is None else _instance(cls, args, text, fields)
    if exc is None:
        made = _made(tuple(names))
        exc = _group(made, args, text) if is_group(made) else made(text)
        if not platform.MICROPYTHON and not is_group(made):
            exc.args, exc._said = args, text
        _set_fields(exc, fields)
    result: "Exception" = exc
    return result


def _standard(name: "str", module: "str") -> "Any":
    """An exception class of the standard library, if its module is imported here."""
    cls = getattr(platform.loaded(module), name, None) if module else None
    if cls is None or platform.standard_module(cls) != module:
        return None
    return cls if isinstance(cls, type) and issubclass(cls, Exception) else None


def _instance(
    cls: "Any", args: "tuple[object, ...]", text: "str", fields: "dict[str, object] | None"
) -> "Any":
    """An exception of `cls`; without its constructor where that refuses. None if neither works."""
    exc, same = None, False
    try:
        exc = cls(*args)
        same = bool(exc.args == args)
    except BaseException:  # a class of the program may do anything here, and so may an argument
        pass
    if same:
        _set_fields(exc, fields)
        return exc
    if platform.MICROPYTHON:
        return exc
    try:
        bare = cls.__new__(cls, *args)
        bare.args = args
        _set_fields(bare, fields)
        return bare if str(bare) == text or exc is None else exc
    except BaseException:
        return exc


def is_field(name: "str") -> bool:
    """Whether an exception may be given this attribute."""
    return name[:1] != "_" and name not in _METHODS


_METHODS = ("args", "with_traceback", "add_note", "remote_traceback")


def _set_fields(exc: "Any", fields: "dict[str, object] | None") -> None:
    """Set what crossed; no property of the class runs where there is a `__dict__`."""
    for name, value in (fields or {}).items():
        if not is_field(name):
            continue
        try:
            if platform.MICROPYTHON or not hasattr(exc, "__dict__") or _is_member(exc, name):
                setattr(exc, name, value)
            else:
                exc.__dict__[name] = value
        except BaseException:
            continue


def _is_member(exc: "Any", name: "str") -> bool:
    """Whether a builtin exception keeps this field itself."""
    return type(getattr(type(exc), name, None)).__name__ == "member_descriptor"


def is_group(cls: "type") -> bool:
    """Whether a class is of groups of Exceptions."""
    group = getattr(builtins, "ExceptionGroup", None)
    return group is not None and issubclass(cls, group)


def arguments(exc: "Any") -> "tuple[object, ...]":
    """What an exception is made with: for a class that the peer makes up, what any group is."""
    if is_group(type(exc)) and type(exc) not in _known.values():
        return (exc.message, list(exc.exceptions))
    args: "tuple[object, ...]" = exc.args
    return args


def _group(made: "Any", args: "tuple[object, ...]", text: "str") -> "Any":
    """A group whose class was made up; of its text alone if its arguments are those of another."""
    try:
        return made(*args)
    except (TypeError, ValueError):
        return made(text, [RemoteError(text)])


def _made(names: "tuple[str, ...]") -> "Any":
    cls = _unknown.get(names)
    if cls is None:
        made = (None, RemoteError, FarcallError)  # before the base of one that was made up too
        base = next((known(n) for n in names[1:] if known(n) not in made), Exception)
        own = {} if platform.MICROPYTHON or is_group(base) else {"__str__": _text}
        cls = _unknown[names] = type(names[0] if names else "RemoteError", _bases(base), own)
        if len(_unknown) > 1000:  # names come from the peer: bound what it can make us keep
            _unknown.clear()
    return cls


def _text(exc: "Any") -> str:
    """What it said on the other side, whose class may write its arguments in a way of its own."""
    said = exc.__dict__.get("_said")
    return Exception.__str__(exc) if said is None else str(said)


def _bases(base: "Any") -> "tuple[Any, ...]":
    if base is Exception or base is _known.get("Exception"):
        return (RemoteError,)
    if platform.MICROPYTHON or issubclass(base, RemoteError) or is_group(base):
        return (base,)  # a group's constructor takes the exceptions
    try:
        type("probe", (RemoteError, base), {})
    except TypeError:  # layouts of two native bases conflict
        return (RemoteError,)
    return (RemoteError, base)


class RemoteTraceback(Exception):
    """Carries the other side's traceback as the `__cause__` of what was raised there."""

    def __init__(self, text: "str") -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return "\n" + self.text


def attach(
    exc: "Exception", traceback: "str", notes: "list[str]", cause: "BaseException | None" = None
) -> "Exception":
    """Hang the remote traceback, notes and cause on `exc`.

    `__cause__` is the remote cause if there was one, else a RemoteTraceback, so that an uncaught
    error shows where it came from.
    """
    try:
        exc.remote_traceback = traceback  # type: ignore[attr-defined]
    except AttributeError:
        return exc
    if not platform.MICROPYTHON:
        exc.__cause__ = cause or (RemoteTraceback(traceback) if traceback else None)
        for note in notes:
            exc.add_note(note)
    return exc


def again(error: "Any") -> "Any":
    """A fresh exception like `error`: raising one object twice piles up its traceback."""
    try:
        copy = type(error)(*error.args)
        copy.remote_traceback = getattr(error, "remote_traceback", "")
        return copy
    except Exception:
        return error
