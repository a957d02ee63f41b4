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


if MICROPYTHON:
    import weakref as _weakref

    def weak(value: "object", gone: "Callable[[Any], object]") -> "Any":
        """A reference that does not keep `value` alive; MicroPython never calls `gone`."""
        return _weakref.ref(value)
else:
    import weakref as _weakref

    def weak(value: "object", gone: "Callable[[Any], object]") -> "Any":
        """A reference that does not keep `value` alive; `gone` is called when it is collected."""
        return _weakref.ref(value, gone)
