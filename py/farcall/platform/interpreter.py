"""Which interpreter runs this, and what each does differently.

>>> from farcall import platform
>>> platform.BROWSER  # Pyodide or MicroPython
False
"""

import asyncio
import builtins
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

MICROPYTHON = sys.implementation.name == "micropython"
PYODIDE = sys.platform == "emscripten" and not MICROPYTHON
BROWSER = MICROPYTHON or PYODIDE

CancelledError = asyncio.CancelledError
TimeoutError: "Any" = getattr(builtins, "TimeoutError", None) or asyncio.TimeoutError

# Whether `__del__` of Python's classes runs.
CALLS_DEL = not MICROPYTHON
# MicroPython has one type for generators and coroutines.
GENERATORS = () if MICROPYTHON else ("generator", "async_generator")


def traceback_text(exc: "BaseException") -> str:
    """The traceback as the interpreter would print it."""
    if MICROPYTHON:
        import io

        text = io.StringIO()
        sys.print_exception(exc, text)  # type: ignore[attr-defined]
        return str(text.getvalue())
    import traceback

    return "".join(traceback.format_exception(exc))


def last_exception_text() -> str:
    """The traceback that ended the script, if the interpreter kept it (Pyodide does)."""
    exc = getattr(sys, "last_exc", None)
    return traceback_text(exc) if exc is not None else ""


def report(text: "str") -> None:
    """Print to the browser's console, or to stderr."""
    print(text, file=sys.stderr)  # noqa: T201


def is_module(value: "object") -> bool:
    """True for Python modules, on every interpreter."""
    return type(value).__name__ == "module"


def loaded(name: "str") -> "ModuleType | None":
    """A module if something has imported it already."""
    return sys.modules.get(name)


def classes(*names: "str") -> "tuple[Any, ...]":
    """Those of the classes, named with their modules, that something has loaded."""
    found = [getattr(loaded(name.split(".")[0]), name.split(".")[1], None) for name in names]
    return tuple([cls for cls in found if cls is not None])


def imported(name: "str") -> "ModuleType | None":
    """A module of the standard library or NumPy, imported if need be; None if it is missing."""
    if name in sys.modules:
        return sys.modules[name]
    try:
        found = __import__(name)
    except ImportError:
        return None
    return sys.modules.get(name, found)  # MicroPython does not list what is built into it


def standard_module(cls: "type") -> str:
    """Module of a class of the standard library; "" if it is builtin or from elsewhere."""
    name = getattr(cls, "__module__", "")
    if name == "builtins" or not isinstance(name, str):
        return ""
    known = getattr(sys, "stdlib_module_names", ())
    return name if name.split(".")[0] in known else ""


def exact(kind: "Any", value: "Any") -> "Any":
    """A value of a subclass of str, int or float as that type, whatever the subclass overrides."""
    if MICROPYTHON:
        return value[:] if kind is str else kind(value)
    if kind is str:
        return str.__str__(value)
    return int.__index__(value) if kind is int else float.__float__(value)


def collect_garbage(allowed: "bool") -> None:
    """Have MicroPython collect at the end of each turn, as it does, or put it off; elsewhere no-op.

    A collection visits every object: once for each slice of a large value is half of its time.
    """
    if MICROPYTHON:
        import gc

        if allowed:
            gc.enable()
        else:
            gc.disable()


if MICROPYTHON:
    import weakref as _weakref

    WRAPPERS: "tuple[type, ...]" = ()
    DESCRIPTORS: "tuple[type, ...]" = (property, classmethod, staticmethod)

    def weak(value: "object", gone: "Callable[[Any], object]") -> "Any":
        """A reference that does not keep `value` alive; MicroPython never calls `gone`."""
        return _weakref.ref(value)
else:
    import functools as _functools
    import types as _types
    import weakref as _weakref

    # What is called as the function is that it holds.
    WRAPPERS = (_functools.partial, type(_functools.lru_cache(is_module)))
    # What a class keeps for its instances, and hands out itself when it is read off the class.
    DESCRIPTORS = (
        property,
        classmethod,
        staticmethod,
        _types.MemberDescriptorType,
        _types.GetSetDescriptorType,
        _functools.cached_property,
        _functools.partialmethod,
        _functools.singledispatchmethod,
    )

    def weak(value: "object", gone: "Callable[[Any], object]") -> "Any":
        """A reference that does not keep `value` alive; `gone` is called when it is collected."""
        return _weakref.ref(value, gone)
