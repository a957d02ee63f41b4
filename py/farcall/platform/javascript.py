"""The bridge to JavaScript: its functions, callbacks for it, and evaluation of our own files.

`javascript` is what farcall.js gives: a handful of functions. They exist because MicroPython
cannot catch a JavaScript exception thrown in a synchronous call (it aborts the whole script), so
every call that may throw has its try/catch in JavaScript; and because giving Python the header
string instead of the event saves two proxies a message.
"""

from farcall.platform.interpreter import BROWSER, MICROPYTHON, PYODIDE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    JavaScript = Any  # a proxy of a JavaScript value; its attributes are JavaScript's


class _NoProxy:
    """JsProxy outside a browser, where nothing is a proxy of a JavaScript value."""


js: "JavaScript" = None
javascript: "JavaScript" = None
create_proxy: "Any" = None
JsProxy: "Any" = _NoProxy

if MICROPYTHON:
    import js as _js
    import jsffi as _ffi
elif PYODIDE:
    import js as _js
    from pyodide import ffi as _ffi

if BROWSER:
    js, JsProxy, create_proxy = _js, _ffi.JsProxy, _ffi.create_proxy


def evaluate(path: "str") -> "JavaScript":
    """The value of the expression in a .js file of this package; None outside a browser.

    A text of our own: nothing that a peer sent ever gets here.

    Args:
        path: beside the module that asks: `__file__` with another name.
    """
    if not BROWSER:
        return None
    with open(path) as file:
        return js.eval(file.read())


def beside(module: "str", name: "str") -> "str":
    """Path of a file in the folder of a module, given the module's `__file__`."""
    return module.rpartition("/")[0] + "/" + name


if BROWSER:
    javascript = evaluate(beside(__file__, "farcall.js"))()

if PYODIDE:
    import pyodide_js  # type: ignore[import-not-found]

    # Until 314.0, where the browser has JSPI, each turn of Pyodide's event loop leaves 16 bytes of
    # its 5 MiB of stack behind: "memory access out of bounds" after 327,000 turns (pyodide#6249).
    javascript.mendStack(pyodide_js._module)


def callback(function: "Callable[..., object]") -> "JavaScript":
    """What JavaScript may keep and call; give it to `forget` when done.

    No collector sees both heaps: an object that holds what JavaScript made of its own callback
    must drop that as well, or both stay for ever.
    """
    return create_proxy(function)


def forget(proxy: "JavaScript") -> None:
    """Free a `callback`; MicroPython frees its own."""
    if PYODIDE:
        proxy.destroy()


_NULL = "undefined" if MICROPYTHON else "JsNull" if PYODIDE else ""


def is_null(value: "object") -> bool:
    """True for None, for null, which Pyodide keeps apart from it, and MicroPython's undefined."""
    return value is None or type(value).__name__ == _NULL


def to_array(items: "Iterable[object]") -> "JavaScript":
    """A JavaScript array of the items."""
    array = js.Array.new()
    for item in items:
        array.push(item)
    return array


def from_array(array: "JavaScript", start: "int" = 0) -> "list[JavaScript]":
    """The items of a JavaScript array, from `start` on."""
    return [array[i] for i in range(start, array.length)]


def finalizers(function: "Callable[[int, int], object]") -> "JavaScript":
    """A registry that calls function(id, generation) when a token of it is collected.

    None where Python's own weak references do that.
    """
    return javascript.registry(callback(function)) if MICROPYTHON else None


def in_worker() -> bool:
    """Whether this is a worker of a browser."""
    return BROWSER and bool(javascript.isWorker)


def on_page() -> bool:
    """Whether this is a page of a browser."""
    return BROWSER and not javascript.isWorker


def interruptible() -> "JavaScript":
    """A byte shared with the page that interrupts this worker's Python, or None.

    Only Pyodide listens to one, and only an isolated page (COOP and COEP) can share memory.
    """
    if not PYODIDE:
        return None
    signal = javascript.signal()
    if is_null(signal):
        return None
    pyodide_js.setInterruptBuffer(signal)
    return signal


def pyodide_module() -> "JavaScript":
    """What holds the memory of Python, as the bytes HEAPU8; on Pyodide."""
    return pyodide_js._module


def random_id() -> str:
    """Unguessable enough to name a lock."""
    if BROWSER:
        return str(javascript.random())
    import uuid

    return str(uuid.uuid4())
