"""PNG decoder for images of 8 bits per sample, not interlaced. Source: RFC 2083."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from nn.data.numeric import contents
from nn.errors import DataError, MagicError, TooLargeError, TruncatedError
from nn.keras_arguments import checked
from nn.types import Array

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
LIMIT = 1 << 26


@checked
def parse_png(data: Any, *, limit: float = LIMIT) -> Array:
    """Decode a PNG to (height, width, 1 to 4 channels) uint8; palettes are applied.

    Raises:
        MagicError: not a PNG.
        TruncatedError: the file ends early or a checksum is wrong.
        TooLargeError: the pixels take more than `limit` bytes.
        DataError: an unsupported kind (not 8 bits per sample, or interlaced).
    """
    data = contents(data, "PNG")
    if not data.startswith(SIGNATURE):
        raise MagicError(f"PNG: expected signature {SIGNATURE!r}, received {data[:8]!r}")
    chunks: dict[bytes, bytes] = {}
    for kind, body in _chunks(data):
        chunks[kind] = chunks.get(kind, b"") + body
    if len(chunks.get(b"IHDR", b"")) != 13:
        raise TruncatedError("PNG: expected a header of 13 bytes")
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    if depth != 8 or colour not in _CHANNELS or interlace:
        raise DataError(
            "PNG: expected 8 bits a sample, not interlaced, "
            f"received {depth} bits, colour type {colour}, interlace {interlace}"
        )
    channels = _CHANNELS[colour]
    size = height * (1 + width * channels)
    if size > limit:
        raise TooLargeError(f"PNG: expected at most {limit} bytes of pixels, header says {size}")
    pixels = _unfilter(_inflate(chunks.get(b"IDAT", b""), size), height, width, channels)
    if colour != 3:
        return pixels
    palette = np.frombuffer(chunks.get(b"PLTE", b""), np.uint8)
    if palette.size % 3 or not palette.size or pixels.max() >= palette.size // 3:
        raise DataError("PNG: a pixel lies outside the palette")
    return np.asarray(palette.reshape(-1, 3)[pixels[..., 0]])


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(SIGNATURE)
    while place + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        end = place + 8 + length
        if zlib.crc32(kind + body).to_bytes(4, "big") != data[end : end + 4]:
            raise TruncatedError(f"PNG: chunk {kind!r} is damaged or cut off")
        yield kind, body
        if kind == b"IEND":
            return
        place = end + 4
    raise TruncatedError("PNG: expected an IEND chunk, the file ends before")


def _inflate(packed: bytes, size: int) -> bytes:
    try:
        raw = zlib.decompressobj().decompress(packed, size + 1)
    except zlib.error as error:
        raise TruncatedError(f"PNG: {error}") from error
    if len(raw) != size:
        raise TruncatedError(f"PNG: expected {size} bytes of pixels, received {len(raw)}")
    return raw


def _unfilter(raw: bytes, height: int, width: int, channels: int) -> Array:
    lines = np.frombuffer(raw, np.uint8).reshape(height, 1 + width * channels)
    out = np.zeros((height + 1, width + 1, channels), np.int32)
    for y, line in enumerate(lines):
        given = line[1:].reshape(width, channels).astype(np.int32)
        above, here = out[y], out[y + 1]
        if line[0] == 0:
            here[1:] = given
        elif line[0] == 1:
            here[1:] = np.cumsum(given, axis=0) & 255
        elif line[0] == 2:
            here[1:] = (given + above[1:]) & 255
        elif line[0] in (3, 4):
            _serial(line[0] == 4, given, above, here)
        else:
            raise DataError(f"PNG: expected a filter from 0 to 4, received {line[0]} in row {y}")
    return out[1:, 1:].astype(np.uint8)


def _serial(paeth: bool, given: Array, above: Array, here: Array) -> None:
    """Undo the two filters in which every pixel depends on the one before it."""
    for x in range(len(given)):
        a, b, c = here[x], above[x + 1], above[x]
        if paeth:
            p = a + b - c
            pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
            guess = np.where((pa <= pb) & (pa <= pc), a, np.where(pb <= pc, b, c))
        else:
            guess = (a + b) // 2
        here[x + 1] = (given[x] + guess) & 255
