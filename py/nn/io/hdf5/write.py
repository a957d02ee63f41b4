"""HDF5 writer for groups, datasets and text attributes.

It writes the subset that Keras needs and that h5py and pyfive read: new-style groups with links in
the header, contiguous arrays, text attributes. Names follow the HDF5 File Format Specification,
version 3.0. A browser would have to download 3 MB more for h5py.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.io.errors import UnsupportedError, utf8

Array = NDArray[np.generic]

SIGNATURE = b"\x89HDF\r\n\x1a\n"
NOWHERE = 0xFFFF_FFFF_FFFF_FFFF
SUPERBLOCK = 48  # bytes, checksum included
LEAST_HEAP = 4096  # minimum size of a global heap collection in bytes

# Types of header messages.
DATASPACE, LINK_INFO, DATATYPE, FILL, LINK, LAYOUT, GROUP_INFO, ATTRIBUTE = (
    1, 2, 3, 5, 6, 8, 10, 12,
)  # fmt: skip

# itemsize -> position and size of exponent, size of mantissa, bias (IEEE 754).
_FLOATS = {2: (10, 5, 10, 15), 4: (23, 8, 23, 127), 8: (52, 11, 52, 1023)}
# UTF-8 text of any length: a 16-byte reference into the global heap.
_TEXT = struct.pack("<BBBBI", 0x19, 1, 1, 0, 16) + struct.pack("<BBBBI", 0x13, 0x10, 0, 0, 1)
_SCALAR = bytes([2, 0, 0, 0])

Tree = dict[str, Any]


def file(datasets: Mapping[str, Array], attributes: Mapping[str, Mapping[str, str]]) -> bytes:
    """Return the bytes of a file.

    Args:
        datasets: arrays by path ("layers/dense/vars/0").
        attributes: group path -> name -> text.

    Raises:
        UnsupportedError: an array does not hold numbers, or a text is not Unicode.
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
    """Return the group at a path; create it if it is missing."""
    for name in path.split("/") if path else []:
        root = root.setdefault(name, {})
    return root


class _Writer:
    """Appends parts of a file and returns their addresses. Referenced parts come first."""

    def __init__(self) -> None:
        self._body = bytearray(SUPERBLOCK)

    def append(self, part: bytes) -> int:
        """Append a part and return its address, a multiple of 8."""
        self._body += bytes(-len(self._body) % 8)
        address = len(self._body)
        self._body += part
        return address

    def finish(self, root: int) -> bytes:
        """Return the whole file, with a superblock that refers to the root group."""
        self.append(b"")
        head = SIGNATURE + struct.pack(
            "<BBBBQQQQ", 2, 8, 8, 0, 0, NOWHERE, len(self._body), root
        )  # fmt: skip
        self._body[:SUPERBLOCK] = _checked(head)
        return bytes(self._body)

    def heap(self, texts: list[str]) -> Any:
        """Write a global heap of strings and return an iterator over their references."""
        objects, lengths = b"", []
        for index, text in enumerate(texts, 1):
            body = utf8(text)
            lengths.append(len(body))
            objects += struct.pack("<HHIQ", index, 1, 0, len(body))
            objects += body + bytes(-len(body) % 8)
        free = max(LEAST_HEAP - 16 - len(objects), 16)
        objects += struct.pack("<HHIQ", 0, 0, 0, free) + bytes(free - 16)
        address = self.append(b"GCOL" + struct.pack("<BBHQ", 1, 0, 0, 16 + len(objects)) + objects)
        return iter(
            [struct.pack("<IQI", size, address, index) for index, size in enumerate(lengths, 1)]
        )

    def group(self, tree: Tree, path: str, attributes: Mapping[str, Mapping[str, bytes]]) -> int:
        """Write a group and its contents; return the address of its header."""
        messages = [
            (LINK_INFO, struct.pack("<BBQQ", 0, 0, NOWHERE, NOWHERE)),
            (GROUP_INFO, bytes(2)),
        ]
        for name, item in tree.items():
            inner = f"{path}/{name}" if path else name
            nested = isinstance(item, dict)
            place = self.group(item, inner, attributes) if nested else self.dataset(item, inner)
            body = utf8(name)
            link = struct.pack("<BBBH", 1, 0x11, 1, len(body)) + body + struct.pack("<Q", place)
            messages.append((LINK, link))
        for name, reference in attributes.get(path, {}).items():
            messages.append((ATTRIBUTE, _attribute(name, reference)))
        return self.append(_header(messages))

    def dataset(self, array: Array, path: str) -> int:
        """Write an array; return the address of its header."""
        kind = _number(array.dtype, path)
        body = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        place = self.append(body) if body else NOWHERE
        space = struct.pack("<BBBB", 2, array.ndim, 0, int(array.ndim > 0))
        space += b"".join(struct.pack("<Q", side) for side in array.shape)
        return self.append(
            _header(
                [
                    (DATASPACE, space),
                    (DATATYPE, kind),
                    (FILL, bytes([3, 0x0A])),
                    (LAYOUT, struct.pack("<BBQQ", 3, 1, place, len(body))),
                ]
            )
        )


def _number(dtype: np.dtype[Any], path: str) -> bytes:
    """Return the datatype message of a little-endian numeric dtype."""
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
    body = utf8(name) + b"\0"
    head = struct.pack("<BBHHHB", 3, 0, len(body), len(_TEXT), len(_SCALAR), 1)
    return head + body + _TEXT + _SCALAR + reference


def _header(messages: list[tuple[int, bytes]]) -> bytes:
    """Return an object header, version 2, in one chunk."""
    body = b"".join(struct.pack("<BHB", kind, len(m), 0) + m for kind, m in messages)
    return _checked(b"OHDR" + struct.pack("<BBI", 2, 2, len(body)) + body)


def _checked(part: bytes) -> bytes:
    return part + struct.pack("<I", lookup3(part))


# -- Bob Jenkins' hash of 2006, in the public domain (burtleburtle.net/bob/c/lookup3.c) -----------


def lookup3(data: bytes) -> int:
    """Return the checksum of HDF5 metadata: `hashlittle` with the initial value 0."""
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
