"""Exceptions by value: names of their classes, arguments, text, traceback, notes and cause."""

from farcall import errors, messages, platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from farcall.messages import Wire
    from farcall.values.references import Value

_COPIED = (str, int, float, bool, bytes, tuple, list, dict, type(None))


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
    args = [_argument(a, plain) for a in exc.args]
    cause = getattr(exc, "__cause__", None)
    if cause is None and not getattr(exc, "__suppress_context__", True):
        cause = exc.__context__
    if isinstance(cause, errors.RemoteTraceback) or depth > 4 or not traceback:
        cause = None
    text = platform.traceback_text(exc) if traceback else ""
    notes = [str(n) for n in getattr(exc, "__notes__", [])]
    inner = None if cause is None else encode(cause, plain, traceback, depth + 1)
    return [messages.EXCEPTION, errors.lineage(exc), args, _message(exc), text, notes, inner]


def _argument(value: "Value", plain: "Callable[[Value], Wire]") -> "Wire":
    try:
        return plain(value if type(value) in _COPIED else str(value))
    except Exception:
        return repr(value)


def _message(exc: "BaseException") -> str:
    try:
        return str(exc)
    except Exception:
        return "(str() of the exception failed)"


def decode(wire: "list[Wire]", decode: "Callable[[Wire], Value]") -> "Exception":
    """The exception of a wire form."""
    _, names, args, text, traceback, notes, cause = wire
    values = tuple([decode(a) for a in args])
    exc = errors.rebuild([str(n) for n in names], values, str(text))
    inner = None if cause is None else decode(cause)
    return errors.attach(exc, str(traceback), [str(n) for n in notes], inner)
