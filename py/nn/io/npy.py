"""`.npy` files of numeric arrays, read without evaluating or unpickling anything.

NumPy's reader evaluates the header as a Python literal and can unpickle objects. The headers of
plain numeric arrays have one spelling, so a regular expression reads every header accepted here.
Format: numpy/lib/_format_impl.py ("Format Version 1.0", "2.0").
"""

from __future__ import annotations

import io
import math
import re

import numpy as np
from numpy.typing import NDArray

from nn.io.errors import CorruptError, TruncatedError, UnsupportedError

Array = NDArray[np.generic]

_MAGIC = b"\x93NUMPY"
_HEADER = re.compile(
    rb"\{'descr': '([<>|=]?)([biuf])([1248])', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,15}, ?)*(?:\d{1,15})?)\), \} *\n?"
)


def dump(array: Array) -> bytes:
    """Return the `.npy` bytes (C order, little endian) of a numeric array.

    Raises:
        UnsupportedError: the dtype is not bool, integer or float.
    """
    if array.dtype.kind not in "biuf":
        raise UnsupportedError(f"array: expected bool, integer or float, received {array.dtype}")
    stream = io.BytesIO()
    little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    np.save(stream, little, allow_pickle=False)
    return stream.getvalue()


def load(data: bytes, where: str = "array") -> Array:
    """Return the array of `.npy` bytes as a copy in C order and native byte order.

    Raises:
        UnsupportedError: not a plain bool, integer or float array.
        TruncatedError: fewer bytes than the header's shape and dtype need.
        CorruptError: not a `.npy` file, or more bytes than needed.
    """
    header, offset = _header(data, where)
    match = _HEADER.fullmatch(header)
    if match is None:
        raise UnsupportedError(
            f"{where}: expected a header of a plain numeric array, received {header[:100]!r}"
        )
    dtype, shape, fortran = _description(match, where)
    expected = math.prod(shape) * dtype.itemsize
    received = len(data) - offset
    if received != expected:
        kind = TruncatedError if received < expected else CorruptError
        raise kind(f"{where}: expected {expected} bytes for {dtype} {shape}, received {received}")
    flat = np.frombuffer(data, dtype, offset=offset)
    ordered = flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)
    return np.array(ordered, dtype=dtype.newbyteorder("="), order="C")


def _header(data: bytes, where: str) -> tuple[bytes, int]:
    if len(data) < 10 and _MAGIC.startswith(data[:6]):
        raise TruncatedError(f"{where}: expected a header, received {len(data)} bytes")
    if data[:6] != _MAGIC:
        raise CorruptError(f"{where}: expected {_MAGIC!r}, received {data[:6]!r}")
    if data[6:8] not in (b"\x01\x00", b"\x02\x00"):
        raise UnsupportedError(f"{where}: expected .npy 1.0 or 2.0, received {data[6:8]!r}")
    start = 10 if data[6] == 1 else 12
    length = int.from_bytes(data[8:start], "little")
    if len(data) < start + length:
        raise TruncatedError(
            f"{where}: expected a header of {length} bytes, received {len(data) - start}"
        )
    return data[start : start + length], start + length


def _description(
    match: re.Match[bytes], where: str
) -> tuple[np.dtype[np.generic], tuple[int, ...], bool]:
    order, kind, size, fortran, sizes = (group.decode() for group in match.groups())
    try:
        dtype: np.dtype[np.generic] = np.dtype(f"{order}{kind}{size}")
    except TypeError as error:
        raise UnsupportedError(f"{where}: expected a numeric dtype, {error}") from error
    shape = tuple(int(size) for size in sizes.replace(" ", "").split(",") if size)
    return dtype, shape, fortran == "True"
