"""Buffers: memory that crosses to the other side, a Uint8Array in a browser, a bytearray elsewhere.

Python's own memory cannot be transferred (WebAssembly memory is not detachable), so sending copies
once into a fresh buffer and receiving copies once out of it. What was copied out of goes back to
the sender, whose next buffer of that size it is (`REUSED`). On MicroPython the bytes stay in
JavaScript; they cross to Python and back as hexadecimal text.
"""

from farcall.platform.interpreter import BROWSER, MICROPYTHON, PYODIDE
from farcall.platform.javascript import JsProxy, javascript, to_array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Buffer = Any  # a Uint8Array or a bytearray

REUSED = 65536  # bytes: smaller buffers are not worth the way back
# Whether bytes, and arrays, that came stay in JavaScript. Arrays do where NumPy is missing.
BYTES_STAY = MICROPYTHON
arrays_stay = MICROPYTHON
# Whether emptied buffers go back to the sender.
RETURNED = PYODIDE

if MICROPYTHON:
    import io

    _HEAP = 2**19  # bytes, of the MiB that it has at first
    _STRING = 2**29 - 24  # characters of JavaScript's longest string

    def from_text(text: "str") -> "Buffer":
        """A fresh buffer with a text as UTF-8.

        Its way through JavaScript ends at a NUL, and changes lone surrogates and a byte order mark.
        """
        buffer = javascript.fromText(text)
        data = text.encode()
        return buffer if buffer.length == len(data) else from_bytes(data)

    def to_text(buffer: "Buffer") -> str:
        """The text of a buffer."""
        size = int(buffer.length)
        reserve(size)
        text = javascript.toText(buffer)
        if text is None and 2 * size <= _STRING:
            return bytes.fromhex(javascript.toHex(buffer)).decode()
        if not text and size:  # JavaScript, or its way here, gives "" for what does not fit
            raise MemoryError(f"a text of {size} bytes does not fit in memory")
        return text or ""  # type: ignore[no-any-return] # str() would copy it

    def to_header(buffer: "Buffer") -> str:
        """A header; `large` frames stand for those for which there is no memory.

        MicroPython that is short of memory collects at nearly every object, for minutes.
        """
        size = int(buffer.length)
        while not fits(buffer):
            buffer = javascript.reduced(buffer, size // 4)
            if buffer.length >= size:
                break
            size = int(buffer.length)
        return to_text(buffer)

    def fits(buffer: "Buffer", more: "int" = 0) -> bool:
        """Whether there is memory for a header, its wire forms and values, and `more` bytes."""
        return buffer.length + more < _HEAP or reserve(int(javascript.needs(buffer)) + more)

    def reserve(size: "int") -> bool:
        """Have the heap grow until it holds `size` bytes in one piece; whether it does.

        MicroPython (1.28) fails to allocate what is larger than its heap so far, but the attempt
        adds that much: https://github.com/micropython/micropython, py/gc.c, gc_try_add_heap.
        """
        for _ in range(2 if size >= _HEAP else 0):
            try:
                io.StringIO(size + size // 32).close()  # type: ignore[arg-type]
                return True
            except MemoryError:
                pass
        return size < _HEAP

    def from_bytes(data: "bytes | bytearray | memoryview") -> "Buffer":
        """A fresh buffer with a copy of the bytes.

        JavaScript that iterates over a Python object holds it for ever there (1.28): an iterator
        is entered among what JavaScript holds, and nothing takes it out.
        """
        return javascript.fromHex(bytes(data).hex())

elif PYODIDE:

    def from_text(text: "str") -> "Buffer":
        """A fresh buffer with a text as UTF-8, lone surrogates too."""
        return from_bytes(text.encode("utf-8", "surrogatepass"))

    def to_text(buffer: "Buffer") -> str:
        """The text of a buffer."""
        return to_bytes(buffer).decode("utf-8", "surrogatepass")

    def from_bytes(data: "bytes | bytearray | memoryview") -> "Buffer":
        """A fresh buffer with a copy of the bytes."""
        buffer = javascript.take(len(data))
        if len(data):
            buffer.assign(data)
        return buffer

else:

    def from_text(text: "str") -> "Buffer":
        """A fresh buffer with a text as UTF-8, lone surrogates too."""
        return bytearray(text.encode("utf-8", "surrogatepass"))

    def to_text(buffer: "Buffer") -> str:
        """The text of a buffer."""
        return buffer.decode("utf-8", "surrogatepass")  # type: ignore[no-any-return]

    def from_bytes(data: "bytes | bytearray | memoryview") -> "Buffer":
        """A fresh buffer with a copy of the bytes."""
        return bytearray(data)


if not MICROPYTHON:
    to_header = to_text

    def fits(buffer: "Buffer", more: "int" = 0) -> bool:
        """Memory grows as it is needed."""
        return True


if BROWSER:

    def size(buffer: "Buffer") -> int:
        """Bytes in a buffer; 0 for a port."""
        return int(javascript.byteLength(buffer))

    def risky(buffers: "list[Buffer]") -> bool:
        """Whether they move several ports or streams: the browser may take one, refuse another."""
        return bool(javascript.risky(to_array(buffers)))

    def spare(buffer: "Buffer") -> None:
        """Keep the memory of a buffer for the next one of its size: at most 8, and 256 MiB."""
        javascript.spare(buffer)

    def reused() -> int:
        """How many buffers were made of memory that came back."""
        return int(javascript.reused())

    def is_view(value: "object") -> bool:
        """True for a typed array, DataView or ArrayBuffer of JavaScript's."""
        return isinstance(value, JsProxy) and bool(javascript.isView(value))

    def is_port(value: "object") -> bool:
        """True for a JavaScript MessagePort."""
        return isinstance(value, JsProxy) and bool(javascript.isPort(value))

    def to_bytes(buffer: "Buffer") -> bytes:
        """The bytes of a buffer."""
        return bytes(buffer.to_bytes())

    def from_array(flat: "Any") -> "Buffer":
        """A fresh buffer with a copy of a flat, contiguous ndarray."""
        buffer = javascript.take(flat.nbytes)
        if flat.nbytes:
            buffer.assign(flat.view("u1"))
        return buffer

    def copy_to(buffer: "Buffer", flat: "Any") -> None:
        """Copy a buffer into a flat ndarray of bytes."""
        buffer.assign_to(flat)

else:

    def size(buffer: "Buffer") -> int:
        """Bytes in a buffer."""
        return len(buffer)

    def risky(buffers: "list[Buffer]") -> bool:
        """Nothing is moved outside a browser."""
        return False

    def spare(buffer: "Buffer") -> None:
        """Memory is not reused outside a browser."""

    def reused() -> int:
        """Memory is not reused outside a browser."""
        return 0

    def is_view(value: "object") -> bool:
        """There are no JavaScript arrays outside a browser."""
        return False

    def is_port(value: "object") -> bool:
        """There are no MessagePorts outside a browser."""
        return False

    def to_bytes(buffer: "Buffer") -> bytes:
        """The bytes of a buffer."""
        return bytes(buffer)

    def from_array(flat: "Any") -> "Buffer":
        """A fresh buffer with a copy of a flat, contiguous ndarray."""
        return bytearray(flat.tobytes())

    def copy_to(buffer: "Buffer", flat: "Any") -> None:
        """Copy a buffer into a flat ndarray of bytes."""
        flat[:] = memoryview(buffer)


def total(buffers: "Any") -> int:
    """Bytes in all the buffers together."""
    return sum([size(b) for b in buffers])


def without_numpy() -> bool:
    """Whether arrays stay in JavaScript: on MicroPython, or on Pyodide where NumPy is missing.

    Raises:
        ImportError: there is neither NumPy nor JavaScript.
    """
    global arrays_stay
    if arrays_stay:
        return True
    try:
        import numpy  # noqa: F401
    except ImportError:
        if not BROWSER:
            raise
        arrays_stay = True
    return arrays_stay
