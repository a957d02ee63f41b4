"""HDF5 files of groups, datasets and text attributes, written without a library.

What h5py and pyfive read and Keras asks for, and no more: new-style groups with their links in the
header, contiguous arrays, attributes of text. The names of the parts are those of the HDF5 File
Format Specification, version 3.0. h5py itself would be 3 MB more to fetch in a browser.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.io.errors import UnsupportedError

Array = NDArray[np.generic]

SIGNATURE = b"\x89HDF\r\n\x1a\n"
NOWHERE = 0xFFFF_FFFF_FFFF_FFFF
SUPERBLOCK = 48  # bytes, checksum included
LEAST_HEAP = 4096  # bytes of a global heap collection, at least

# Types of header messages.
DATASPACE, LINK_INFO, DATATYPE, FILL, LINK, LAYOUT, GROUP_INFO, ATTRIBUTE = (
    1, 2, 3, 5, 6, 8, 10, 12,
)  # fmt: skip

# itemsize -> place and size of exponent, size of mantissa, bias (IEEE 754).
_FLOATS = {2: (10, 5, 10, 15), 4: (23, 8, 23, 127), 8: (52, 11, 52, 1023)}
# Text of any length, UTF-8: a reference of 16 bytes into the global heap.
_TEXT = struct.pack("<BBBBI", 0x19, 1, 1, 0, 16) + struct.pack("<BBBBI", 0x13, 0x10, 0, 0, 1)
_SCALAR = bytes([2, 0, 0, 0])

Tree = dict[str, Any]


def file(datasets: Mapping[str, Array], attributes: Mapping[str, Mapping[str, str]]) -> bytes:
    """Return the bytes of a file.

    Args:
        datasets: arrays by path ("layers/dense/vars/0").
        attributes: text by name, by path of a group.

    Raises:
        UnsupportedError: an array of other things than numbers.
    """
    writer = _Writer()
    references = writer.heap([text for group in attributes.values() for text in group.values()])
    root: Tree = {}
    for path in attributes:
        _place(root, path)
    for path, array in datasets.items():
        parent, _, name = path.rpartition("/")
        _place(root, parent)[name] = np.asarray(array)
    named = {path: {k: next(references) for k in group} for path, group in attributes.items()}
    return writer.finish(writer.group(root, "", named))


def _place(root: Tree, path: str) -> Tree:
    """The group at a path, made if need be."""
    for name in path.split("/") if path else []:
        root = root.setdefault(name, {})
    return root


class _Writer:
    """Appends parts and tells where they are; what refers to them comes after."""

    def __init__(self) -> None:
        self._body = bytearray(SUPERBLOCK)

    def append(self, part: bytes) -> int:
        """The address of what is appended, a multiple of 8."""
        self._body += bytes(-len(self._body) % 8)
        address = len(self._body)
        self._body += part
        return address

    def finish(self, root: int) -> bytes:
        """The whole file, its superblock pointing at the root group."""
        self.append(b"")
        head = SIGNATURE + struct.pack(
            "<BBBBQQQQ", 2, 8, 8, 0, 0, NOWHERE, len(self._body), root
        )  # fmt: skip
        self._body[:SUPERBLOCK] = _checked(head)
        return bytes(self._body)

    def heap(self, texts: list[str]) -> Any:
        """Write a global heap of texts; an iterator over their references."""
        objects, lengths = b"", []
        for index, text in enumerate(texts, 1):
            octets = text.encode()
            lengths.append(len(octets))
            objects += struct.pack("<HHIQ", index, 1, 0, len(octets))
            objects += octets + bytes(-len(octets) % 8)
        free = max(LEAST_HEAP - 16 - len(objects), 16)
        objects += struct.pack("<HHIQ", 0, 0, 0, free) + bytes(free - 16)
        address = self.append(b"GCOL" + struct.pack("<BBHQ", 1, 0, 0, 16 + len(objects)) + objects)
        return iter(
            [struct.pack("<IQI", size, address, index) for index, size in enumerate(lengths, 1)]
        )

    def group(self, tree: Tree, path: str, attributes: Mapping[str, Mapping[str, bytes]]) -> int:
        """Write a group and all in it; the address of its header."""
        messages = [
            (LINK_INFO, struct.pack("<BBQQ", 0, 0, NOWHERE, NOWHERE)),
            (GROUP_INFO, bytes(2)),
        ]
        for name, item in tree.items():
            inner = f"{path}/{name}" if path else name
            nested = isinstance(item, dict)
            place = self.group(item, inner, attributes) if nested else self.dataset(item, inner)
            octets = name.encode()
            link = struct.pack("<BBBH", 1, 0x11, 1, len(octets)) + octets + struct.pack("<Q", place)
            messages.append((LINK, link))
        for name, reference in attributes.get(path, {}).items():
            messages.append((ATTRIBUTE, _attribute(name, reference)))
        return self.append(_header(messages))

    def dataset(self, array: Array, path: str) -> int:
        """Write an array; the address of its header."""
        kind = _number(array.dtype, path)
        octets = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        place = self.append(octets) if octets else NOWHERE
        space = struct.pack("<BBBB", 2, array.ndim, 0, int(array.ndim > 0))
        space += b"".join(struct.pack("<Q", side) for side in array.shape)
        return self.append(
            _header(
                [
                    (DATASPACE, space),
                    (DATATYPE, kind),
                    (FILL, bytes([3, 0x0A])),
                    (LAYOUT, struct.pack("<BBQQ", 3, 1, place, len(octets))),
                ]
            )
        )


def _number(dtype: np.dtype[Any], path: str) -> bytes:
    """The datatype message of a type of numbers, little endian."""
    size = dtype.itemsize
    if dtype.kind == "f" and size in _FLOATS:
        exponent, width, mantissa, bias = _FLOATS[size]
        head = struct.pack("<BBBBI", 0x11, 0x20, 8 * size - 1, 0, size)
        return head + struct.pack("<HHBBBBI", 0, 8 * size, exponent, width, 0, mantissa, bias)
    if dtype.kind in "iu":
        signed = 0x08 if dtype.kind == "i" else 0
        return struct.pack("<BBBBI", 0x10, signed, 0, 0, size) + struct.pack("<HH", 0, 8 * size)
    raise UnsupportedError(f"HDF5 {path!r}: expected numbers, received {dtype}")


def _attribute(name: str, reference: bytes) -> bytes:
    octets = name.encode() + b"\0"
    head = struct.pack("<BBHHHB", 3, 0, len(octets), len(_TEXT), len(_SCALAR), 1)
    return head + octets + _TEXT + _SCALAR + reference


def _header(messages: list[tuple[int, bytes]]) -> bytes:
    """An object header, version 2, in one chunk."""
    body = b"".join(struct.pack("<BHB", kind, len(m), 0) + m for kind, m in messages)
    return _checked(b"OHDR" + struct.pack("<BBI", 2, 2, len(body)) + body)


def _checked(part: bytes) -> bytes:
    return part + struct.pack("<I", lookup3(part))


# -- Bob Jenkins' hash of 2006, in the public domain (burtleburtle.net/bob/c/lookup3.c) -----------


def lookup3(data: bytes) -> int:
    """The checksum of HDF5's metadata: `hashlittle` with the initial value 0."""
    a = b = c = (0xDEADBEEF + len(data)) & 0xFFFF_FFFF
    if not data:
        return c
    words = struct.unpack(f"<{-(-len(data) // 12) * 3}I", data + bytes(-len(data) % 12))
    for index in range(0, len(words) - 3, 3):
        a, b, c = a + words[index], b + words[index + 1], c + words[index + 2]
        a, b, c = _mixed(a, b, c)
    a, b, c = (a + words[-3], b + words[-2], c + words[-1])
    return _final(a, b, c)


def _turned(x: int, by: int) -> int:
    return (x << by | x >> (32 - by)) & 0xFFFF_FFFF


def _mixed(a: int, b: int, c: int) -> tuple[int, int, int]:
    a, b, c = a & 0xFFFF_FFFF, b & 0xFFFF_FFFF, c & 0xFFFF_FFFF
    for first, second, third in ((4, 6, 8), (16, 19, 4)):
        a = (a - c) & 0xFFFF_FFFF ^ _turned(c, first)
        c = (c + b) & 0xFFFF_FFFF
        b = (b - a) & 0xFFFF_FFFF ^ _turned(a, second)
        a = (a + c) & 0xFFFF_FFFF
        c = (c - b) & 0xFFFF_FFFF ^ _turned(b, third)
        b = (b + a) & 0xFFFF_FFFF
    return a, b, c


def _final(a: int, b: int, c: int) -> int:
    a, b, c = a & 0xFFFF_FFFF, b & 0xFFFF_FFFF, c & 0xFFFF_FFFF
    for first, second, third in ((14, 11, 25), (16, 4, 14)):
        c = ((c ^ b) - _turned(b, first)) & 0xFFFF_FFFF
        a = ((a ^ c) - _turned(c, second)) & 0xFFFF_FFFF
        b = ((b ^ a) - _turned(a, third)) & 0xFFFF_FFFF
    return ((c ^ b) - _turned(b, 24)) & 0xFFFF_FFFF
