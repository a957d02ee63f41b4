"""IDX, the file format of MNIST: two zero bytes, type, rank, big-endian sizes, elements.

Source: http://yann.lecun.com/exdb/mnist (described at the end of the page).
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

from nn.data.numeric import contents, numeric
from nn.errors import EmptyError, MagicError, TooLargeError, TruncatedError
from nn.keras_arguments import checked
from nn.types import Array, prod

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP = b"\x1f\x8b"
LIMIT = (1 << 31) - 2
"""Maximum size of a file in bytes, declared or decompressed (WebAssembly addresses 4 GiB)."""


@checked
def parse_idx(data: Any, *, rank: int | None = None, limit: float = LIMIT) -> Array:
    """Read an IDX file, gzipped or not: (n, 28, 28) uint8 for MNIST's images, (n,) uint8 for
    labels.

    Args:
        data: the file's bytes (any buffer).
        rank: expected number of axes: 3 for images, 1 for labels; None accepts any.
        limit: maximum size in bytes.

    Raises:
        EmptyError: the file is empty.
        MagicError: not an IDX file, or one of another rank.
        TruncatedError: the size differs from what the header declares, or gzip data are damaged.
        TooLargeError: the header declares more than `limit` bytes.
    """
    raw = contents(data, "IDX")
    if not raw:
        raise EmptyError("IDX: expected a header, received 0 bytes")
    if raw[:2] == _GZIP:
        raw = gunzip(raw, int(limit))
    dtype, shape, start = _header(raw, rank)
    size = prod(shape) * dtype.itemsize
    if size > limit:
        raise TooLargeError(
            f"IDX: expected at most {limit} bytes, header declares {size} for {shape}"
        )
    if len(raw) - start != size:
        raise TruncatedError(
            f"IDX: header declares {size} bytes of data for {shape}, received {len(raw) - start}"
        )
    return np.frombuffer(raw, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


@checked
def write_idx(array: Any) -> bytes:
    """Return `array` as an IDX file.

    Raises:
        MagicError: IDX cannot store the array's dtype.
        DataError: it is not of numbers.
    """
    array = numeric(array, "IDX")
    for code, name in _TYPES.items():
        dtype = np.dtype(name)
        if (dtype.kind, dtype.itemsize) == (array.dtype.kind, array.dtype.itemsize):
            head = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
            return head + array.astype(dtype).tobytes()
    raise MagicError(f"IDX: no element type for {array.dtype}")


def gunzip(raw: bytes, limit: int = LIMIT) -> bytes:
    """Decompress one gzip member of at most `limit` bytes.

    Raises:
        TruncatedError: the stream is damaged or incomplete.
        TooLargeError: it decompresses to more than `limit` bytes.
    """
    stream = zlib.decompressobj(wbits=31)
    try:
        plain = stream.decompress(raw, limit + 1)
    except zlib.error as error:
        raise TruncatedError(f"gzip: {error}") from error
    if len(plain) > limit:
        raise TooLargeError(f"gzip: expected at most {limit} bytes, received more")
    if not stream.eof:
        raise TruncatedError(f"gzip: the stream ends early, after {len(plain)} bytes of content")
    return plain


def _header(raw: bytes, rank: int | None) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    if len(raw) < 4:
        raise TruncatedError(f"IDX: expected a header of 4 bytes or more, received {len(raw)}")
    zero, code, axes = struct.unpack(">HBB", raw[:4])
    if zero or code not in _TYPES or axes == 0:
        raise MagicError(
            f"IDX: expected magic 0x0000{{08..0e}}{{rank}}, received 0x{raw[:4].hex()}"
        )
    if rank is not None and axes != rank:
        raise MagicError(
            f"IDX: expected magic 0x{0x800 + rank:08x} ({rank} axes), "
            f"received 0x{raw[:4].hex()} ({axes} axes)"
        )
    start = 4 + 4 * axes
    if len(raw) < start:
        raise TruncatedError(f"IDX: expected a header of {start} bytes, received {len(raw)}")
    return np.dtype(_TYPES[code]), struct.unpack(f">{axes}I", raw[4:start]), start
