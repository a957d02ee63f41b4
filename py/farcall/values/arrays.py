"""Arrays and bytes by value: in buffers that are transferred, not cloned (see platform.buffers).

An ndarray arrives as an ndarray. Where Python has no NumPy, as on MicroPython, an array stays in
JavaScript, in an `Array`:

    digits = await engine.digits()          # farcall.Array of dtype "<f4" and shape (10, 28, 28)
    context.putImageData(digits[0].js, 0, 0)
"""

from farcall import messages, platform
from farcall.platform import buffers as memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from farcall.messages import Wire
    from farcall.platform.buffers import Buffer
    from farcall.platform.javascript import JavaScript
    from farcall.values.references import Value

# dtype of each JavaScript typed array, and back. Uint8ClampedArray holds what a canvas gives.
DTYPES = {
    "Int8Array": "|i1",
    "Uint8Array": "|u1",
    "Uint8ClampedArray": "|u1",
    "Int16Array": "<i2",
    "Uint16Array": "<u2",
    "Int32Array": "<i4",
    "Uint32Array": "<u4",
    "BigInt64Array": "<i8",
    "BigUint64Array": "<u8",
    "Float16Array": "<f2",
    "Float32Array": "<f4",
    "Float64Array": "<f8",
    "ArrayBuffer": "|u1",
}
_KINDS = {
    "|b1": "Uint8Array",
    "|i1": "Int8Array",
    "|u1": "Uint8Array",
    "<i2": "Int16Array",
    "<u2": "Uint16Array",
    "<i4": "Int32Array",
    "<u4": "Uint32Array",
    "<f4": "Float32Array",
    "<f8": "Float64Array",
    "<i8": "BigInt64Array",
    "<u8": "BigUint64Array",
}
BYTES = "bytes"


class Array:
    """A typed array that stays in JavaScript, with NumPy's dtype and shape.

    Attributes:
        js: the typed array, flat and in C order; a Uint8Array for dtypes JavaScript lacks.
        dtype: NumPy's name of it ("<f4"), or "bytes" for what was a bytes object.
        shape: tuple of int.
        order: "C" or "F": how the flat elements fill the shape.
    """

    def __init__(
        self, js: "JavaScript", dtype: "str", shape: "tuple[int, ...]", order: "str" = "C"
    ):
        self.js = js
        self.dtype = dtype
        self.shape = tuple(shape)
        self.order = order

    def __len__(self) -> int:
        return self.shape[0] if self.shape else int(self.js.length)

    def __getitem__(self, index: "Any") -> "Any":
        """A flat element of a 1-D array, else the sub-array at `index` (C order only)."""
        if isinstance(index, slice):
            return [self[i] for i in range(*_bounds(index, len(self)))]
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(f"index {index} is outside an array of length {len(self)}")
        if len(self.shape) < 2:
            return self.js[index]
        if self.order != "C":
            raise TypeError("an array in Fortran order can only be read through .js")
        step = _product(self.shape[1:])
        part = self.js.subarray(index * step, (index + 1) * step)
        return Array(part, self.dtype, self.shape[1:])

    def __iter__(self) -> "Iterator[Any]":
        for index in range(len(self)):
            yield self[index]

    def __bytes__(self) -> bytes:
        return bytes.fromhex(platform.javascript.toHex(self.js))

    def tobytes(self) -> bytes:
        """The raw bytes as a Python object."""
        return self.__bytes__()

    def tolist(self) -> "list[Any]":
        """Nested lists of Python numbers."""
        return [x.tolist() if isinstance(x, Array) else x for x in self]

    def __eq__(self, other: "object") -> bool:
        if isinstance(other, (bytes, bytearray)):
            return self.tobytes() == bytes(other)
        if not isinstance(other, Array):
            return False
        same = (self.dtype, self.shape, self.order) == (other.dtype, other.shape, other.order)
        return same and self.tobytes() == other.tobytes()

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"Array({self.dtype}, shape={self.shape})"


def _bounds(index: "slice", length: "int") -> "tuple[int, int, int]":
    start, stop, step = index.start, index.stop, index.step
    if step not in (None, 1):
        raise TypeError("slices of an Array take no step")
    start = 0 if start is None else start + length if start < 0 else start
    stop = length if stop is None else stop + length if stop < 0 else stop
    return max(0, start), min(length, stop), 1


def _product(shape: "tuple[int, ...]") -> int:
    result = 1
    for n in shape:
        result *= n
    return result


def array(source: "JavaScript", shape: "tuple[int, ...] | None" = None) -> "Array":
    """Give a JavaScript typed array a shape, so that it arrives as an ndarray of that shape."""
    kind = str(platform.javascript.kindOf(source))
    if kind not in DTYPES:
        raise TypeError(f"array: expected a JavaScript typed array, received {kind}")
    length = int(source.byteLength if kind == "ArrayBuffer" else source.length)
    shape = (length,) if shape is None else tuple(shape)
    if _product(shape) != length:
        raise ValueError(f"array: shape {shape} does not hold {length} elements")
    return Array(source, DTYPES[kind], shape)


class Transfer:
    """Marks what is moved: an array's memory, an ImageBitmap."""

    def __init__(self, value: "Value") -> None:
        self.value = value


def transfer(value: "Value") -> "Transfer":
    """Send a JavaScript array's memory, or an ImageBitmap, instead of a copy.

    Using it afterwards raises. Python's own arrays are always copied once: WebAssembly memory
    cannot leave.
    """
    return Transfer(value)


def to_bytes(buffer: "Buffer") -> "bytes | Array":
    """bytes; an `Array` on MicroPython."""
    if memory.BYTES_STAY:
        return Array(buffer, BYTES, (buffer.length,))
    return memory.to_bytes(buffer)


def encode_javascript(
    value: "JavaScript", buffers: "list[Buffer]", move: "bool" = False
) -> "list[Wire]":
    """Wire form of a JavaScript typed array; moves its memory instead of copying if asked."""
    kind = str(platform.javascript.kindOf(value))
    if kind not in DTYPES:
        raise TypeError(f"expected a typed array, received JavaScript's {kind}")
    length = int(value.byteLength if kind == "ArrayBuffer" else value.length)
    if bool(platform.javascript.isDetached(value)):
        raise ValueError("this array was transferred before: its memory is on the other side")
    return _put(value, DTYPES[kind], [length], "C", buffers, move)


def encode_array(value: "Array", buffers: "list[Buffer]", move: "bool" = False) -> "list[Wire]":
    """Wire form of an `Array`."""
    if value.dtype == BYTES:
        buffers.append(platform.javascript.bytesOf(value.js, move))
        return [messages.BYTES, len(buffers) - 1]
    return _put(value.js, value.dtype, list(value.shape), value.order, buffers, move)


def _put(
    value: "JavaScript",
    dtype: "str",
    shape: "list[int]",
    order: "str",
    buffers: "list[Buffer]",
    move: "bool",
) -> "list[Wire]":
    if _product(tuple(shape)) and not value.byteLength:
        raise ValueError("this array was transferred before: its memory is on the other side")
    buffers.append(platform.javascript.bytesOf(value, move))
    return [messages.ARRAY, len(buffers) - 1, dtype, shape, order]


def is_numpy(value: "object") -> bool:
    """True for an ndarray or a NumPy scalar, without importing NumPy."""
    numpy = platform.loaded("numpy")
    return numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic))


def encode_numpy(value: "Any", buffers: "list[Buffer]") -> "list[Wire]":
    """Wire form of an ndarray or a NumPy scalar."""
    import numpy

    if numpy.dtype(value.dtype.str) != value.dtype:  # of a library: "<V2" is all NumPy says
        raise TypeError(
            f"an ndarray of dtype {value.dtype} is not supported: send it as one of NumPy's"
        )
    if hasattr(value, "mask"):
        raise TypeError(f"a {type(value).__name__} is masked: send a numpy.ma.MaskedArray")
    scalar = isinstance(value, numpy.generic)
    array = numpy.asarray(value)  # whose items have a size, as those of an empty str_ have not
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    flat = numpy.ascontiguousarray(array.T if order == "F" else array).reshape(-1)
    buffers.append(memory.from_array(flat))
    shape = None if scalar else list(array.shape)
    return [messages.ARRAY, len(buffers) - 1, array.dtype.str, shape, order]


def decode_array(wire: "list[Wire]", buffer: "Buffer") -> "Value":
    """An ndarray (or NumPy scalar); an `Array` where there is no NumPy.

    Raises:
        ValueError: dtype, shape and the buffer's size do not agree.
    """
    _, _, dtype, shape, order = wire
    if memory.without_numpy():
        return _light(buffer, dtype, shape, order)
    import numpy

    kind = numpy.dtype(dtype)
    dims = tuple(shape or ())
    if not all(type(n) is int and n >= 0 for n in dims):
        raise ValueError(f"shape {dims}")
    count = _product(dims)
    fits = kind.itemsize or count < 2  # NumPy gives items without a size one, and memory for all
    if type(dtype) is not str or kind.hasobject or kind.names or not fits:
        raise ValueError(f"dtype {dtype!r} holds references, fields or nothing")
    wanted, came = kind.itemsize * count, memory.size(buffer)
    if wanted != came:
        raise ValueError(f"shape {dims} of {dtype} takes {wanted} bytes, {came} came")
    result = numpy.empty(dims, kind, order="F" if order == "F" else "C")
    _fill(result, buffer, order)
    return result[()] if shape is None else result


def _fill(result: "Any", buffer: "Buffer", order: "str") -> None:
    if not result.nbytes:
        return
    flat = (result.T if order == "F" else result).reshape(-1).view("u1")
    memory.copy_to(buffer, flat)


def _light(buffer: "Buffer", dtype: "str", shape: "list[int] | None", order: "str") -> "Value":
    typed = platform.javascript.typed(buffer, _KINDS.get(dtype, "Uint8Array"))
    if shape is None:
        return typed[0] if dtype in _KINDS else Array(typed, dtype, ())
    return Array(typed, dtype, tuple(shape), order)


def whole(value: "Any") -> "int | None":
    """What Python takes for a whole number, NumPy's too; None for what it does not."""
    if isinstance(value, int):
        return value
    index = getattr(type(value), "__index__", None)
    if index is None or getattr(value, "ndim", None):
        return None
    try:
        found: int = index(value)
    except Exception:  # of an array that is a fraction
        return None
    return found
