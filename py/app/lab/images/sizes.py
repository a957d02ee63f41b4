"""How large a picture is, by its header: decoding takes time and memory for each of its pixels."""

from __future__ import annotations

import re
import struct

from app.language import grouped, tr

MOST = 64_000_000
"""Pixels of a picture: a second or two, 256 MB. Cameras of phones take 50 million."""
# Markers of a JPEG's frame: those of a table (C4), an extension (C8) and a condition (CC) are none.
FRAME = re.compile(rb"\xff[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf]")


class TooLarge(ValueError):
    """A picture has more pixels than this page decodes."""


def check(content: bytes) -> None:
    """Refuse a picture before it is decoded.

    Args:
        content: of a file.

    Raises:
        TooLarge: it is a picture with more than MOST pixels.
    """
    width, height = size(content)
    if width * height > MOST:
        raise TooLarge(
            tr(
                "{width} × {height} pixels; at most {most} million are read.",
                width=grouped(width),
                height=grouped(height),
                most=MOST // 1_000_000,
            )
        )


def size(content: bytes) -> tuple[int, int]:
    """Return the width and the height that a picture's header says, (0, 0) where it says none."""
    try:
        return _size(content)
    except struct.error:  # the file is cut
        return 0, 0


def _size(content: bytes) -> tuple[int, int]:
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        return _pair(">2I", content, 16)
    if content[:4] == b"GIF8":
        return _pair("<2H", content, 6)
    if content[:2] == b"BM":
        width, height = _pair("<2i", content, 18)
        return abs(width), abs(height)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return _webp(content)
    if content[:2] == b"\xff\xd8":
        return _jpeg(content)
    if content[4:8] == b"ftyp":  # AVIF: a size for the picture, and for each of its tiles
        sizes = [_pair(">2I", content, found.end()) for found in re.finditer(rb"ispe.{4}", content)]
        return max(sizes, default=(0, 0), key=lambda size: size[0] * size[1])
    return 0, 0


def _pair(kind: str, content: bytes, place: int) -> tuple[int, int]:
    first, second = struct.unpack_from(kind, content, place)
    return first, second


def _webp(content: bytes) -> tuple[int, int]:
    if content[12:16] == b"VP8X":
        sides = struct.unpack_from("<6B", content, 24)
        width, height = ((a | b << 8 | c << 16) + 1 for a, b, c in (sides[:3], sides[3:]))
        return width, height
    if content[12:16] == b"VP8L":
        (both,) = struct.unpack_from("<I", content, 21)
        return 1 + (both & 0x3FFF), 1 + (both >> 14 & 0x3FFF)
    width, height = _pair("<2H", content, 26)
    return width & 0x3FFF, height & 0x3FFF


def _jpeg(content: bytes) -> tuple[int, int]:
    """Go from segment to segment, until one is a frame: a preview inside has frames as well."""
    place = 2
    while not FRAME.match(content, place):
        while content[place + 1 : place + 2] == b"\xff":  # what fills
            place += 1
        place += 2 + struct.unpack_from(">H", content, place + 2)[0]
    height, width = _pair(">2H", content, place + 5)
    return width, height
