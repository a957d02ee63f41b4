"""Groups, datasets and attributes of an HDF5 file, each size compared with the file's before use.

pyfive (pure Python, NumPy only) finds its way through headers, trees and heaps. What it leaves open
is here: lengths that a damaged file states; texts in global heaps (pyfive 1.0.1 reads beyond a heap
that ends with fewer than 16 free bytes); and the numbers of a dataset, which are a view of the file
where they are stored in one piece (pyfive 1.0.1 takes those of rows above 4 MiB from wrong places).

Source: HDF5 File Format Specification 3.0.
"""

from __future__ import annotations

import io
import itertools
import math
import operator
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyfive.btree import BTreeV1RawDataChunks  # type: ignore[import-untyped]
from pyfive.dataobjects import DataObjects  # type: ignore[import-untyped]
from pyfive.misc_low_level import SuperBlock  # type: ignore[import-untyped]

from nn.io.errors import CorruptError, UnsupportedError
from nn.io.limits import Limits

Array = NDArray[np.generic]

_UNDEFINED = (1 << 64) - 1
_COMPACT, _CONTIGUOUS, _CHUNKED = range(3)
_DEFLATE, _SHUFFLE, _CHECKSUM = 1, 2, 3
_EXTERNAL_FILES = 7  # a header message, IV.A.2.h
_EXTERNAL_LINK = 64  # IV.A.2.g


class File(io.BytesIO):
    """The bytes of a file, with the texts in its heaps.

    Raises:
        CorruptError: in `read`, after twice the file's bytes: its references form a circle.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data
        self._left = 2 * len(data) + (1 << 16)
        self._heaps: dict[int, dict[int, bytes]] = {}

    def root(self) -> Object:
        """Return the group that holds all others."""
        return Object(self, SuperBlock(self, 0).offset_to_dataobjects, "")

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        self._left -= len(found) + 1
        if self._left < 0:
            raise CorruptError("HDF5: expected parts that do not contain themselves")
        return found

    def texts(self, address: int) -> dict[int, bytes]:
        """Return the objects of a global heap by their index (III.E)."""
        if address not in self._heaps:
            self._heaps[address] = dict(_texts(self.data, address))
        return self._heaps[address]


class Object(DataObjects):  # type: ignore[misc]
    """A group or a dataset.

    Args:
        file: the file.
        address: of the object's header in the file.
        path: of the object, "" for the root.
    """

    def __init__(self, file: File, address: int, path: str) -> None:
        super().__init__(file, address)
        self.path = path
        self._file = file

    def members(self) -> Iterator[Object]:
        """Yield what a group holds.

        Raises:
            UnsupportedError: a member is a name for something elsewhere.
        """
        for name, address in self.iter_links():
            path = f"{self.path}/{name}" if self.path else name
            if isinstance(address, str):
                raise UnsupportedError(f"HDF5 {path!r}: expected data, received SoftLink")
            yield Object(self._file, address, path)

    @staticmethod
    def _decode_link_msg(data: bytes, offset: int) -> Any:
        if data[offset + 1] & 8 and data[offset + 2] == _EXTERNAL_LINK:
            raise UnsupportedError("HDF5: expected data in this file, received ExternalLink")
        return DataObjects._decode_link_msg(data, offset)

    def _attr_value(self, ptype: Any, buf: bytes, count: int, offset: int) -> Any:
        if not 0 <= count * ptype.dtype.itemsize <= len(buf) - offset:
            raise CorruptError(f"HDF5: an attribute of {count} values: expected fewer")
        return super()._attr_value(ptype, buf, count, offset)

    def _vlen_size_and_data(self, buf: bytes, offset: int) -> tuple[int, bytes]:
        length, address, index = struct.unpack_from("<IQI", buf, offset)
        text = self._file.texts(address)[index] if address else b""
        if length > len(text):
            raise CorruptError(f"HDF5: a text of {length} bytes: expected at most {len(text)}")
        return length, text

    @property
    def nbytes(self) -> int:
        """The bytes of a dataset's numbers.

        Raises:
            UnsupportedError: they are no numbers, or not in this file.
        """
        dtype = self.ptype.dtype
        if self.find_msg_type(_EXTERNAL_FILES):
            raise UnsupportedError(f"{self}: expected data in this file, received a reference")
        if dtype.kind not in "biuf" and not self._bfloat16:
            raise UnsupportedError(f"{self}: expected numbers, received {dtype}")
        return math.prod(self.shape) * int(dtype.itemsize)

    @property
    def _bfloat16(self) -> bool:
        """Whether a dataset is what Keras makes of bfloat16, which HDF5 has not: pairs of bytes."""
        if self.ptype.dtype != "V2":
            return False
        return self.get_attributes().get("dtype") in ("bfloat16", b"bfloat16")

    def array(self, limits: Limits) -> Array:
        """Return a dataset's numbers: a view of the file where they are stored in one piece.

        Raises:
            CorruptError: the file holds another number of bytes.
            UnsupportedError: a filter or layout that Keras' files don't have.
        """
        start, kind, place = self.get_id_storage_params()
        if not self.nbytes:
            return np.zeros(self.shape, self.ptype.dtype)
        if kind == _CONTIGUOUS:
            (address,) = struct.unpack_from("<Q", self.msg_data, place)
            return self._shaped(self._file.data, address)
        version = self.msg_data[start]
        if kind == _COMPACT and version >= 3:
            (size,) = struct.unpack_from("<H", self.msg_data, place)
            return self._shaped(self.msg_data[place + 2 : place + 2 + size], 0)
        if kind == _CHUNKED and version <= 3:
            return self._joined(limits)
        raise UnsupportedError(f"{self}: expected a layout of HDF5 1.8, received a newer one")

    def _shaped(self, data: bytes, offset: int) -> Array:
        if offset > len(data) - self.nbytes:
            raise CorruptError(
                f"{self}: expected {self.nbytes} bytes from byte {offset}, received {len(data)}"
            )
        count = math.prod(self.shape)
        return np.frombuffer(data, self.ptype.dtype, count, offset).reshape(self.shape)

    def _joined(self, limits: Limits) -> Array:
        """Return the numbers of a dataset that is stored in pieces of one shape."""
        steps = [range(0, size, step) for size, step in zip(self.shape, self.chunks, strict=True)]
        expected = math.prod(map(len, steps))
        pieces = dict(self._pieces())
        if len(pieces) != expected:
            raise CorruptError(f"{self}: expected {expected} chunks, received {len(pieces)}")
        limits.check_expansion(sum(map(len, pieces.values())), self.nbytes, str(self))
        whole: Array = np.empty(self.shape, self.ptype.dtype)
        for corner in itertools.product(*steps):
            ends = map(operator.add, corner, self.chunks)
            target = whole[tuple(map(slice, corner, ends))]
            target[...] = pieces[corner].array[tuple(map(slice, target.shape))]
        return whole

    def _pieces(self) -> Iterator[tuple[tuple[int, ...], _Piece]]:
        """Yield each chunk with the index of its first number."""
        tree = BTreeV1RawDataChunks(self._file, self._chunk_address, self._chunk_dims)
        for node in tree.all_nodes[0]:
            for key, address in zip(node["keys"], node["addresses"], strict=False):
                data = memoryview(self._file.data)[address : address + key["chunk_size"]]
                yield key["chunk_offset"][:-1], _Piece(self, data, key["filter_mask"])

    def __str__(self) -> str:
        return f"HDF5 {self.path!r}"


class _Piece:
    """A chunk of a dataset.

    Args:
        dataset: whose chunk it is.
        stored: its bytes in the file.
        skipped: a bit for each filter that was not used.
    """

    def __init__(self, dataset: Object, stored: memoryview, skipped: int) -> None:
        self._dataset, self._stored, self._skipped = dataset, stored, skipped

    def __len__(self) -> int:
        return len(self._stored)

    @property
    def array(self) -> Array:
        """Its numbers."""
        dataset, data = self._dataset, bytes(self._stored)
        dtype = dataset.ptype.dtype
        length = math.prod(dataset.chunks) * dtype.itemsize
        for number, step in reversed(list(enumerate(dataset.filter_pipeline or ()))):
            if not self._skipped >> number & 1:
                data = _unfiltered(data, step["filter_id"], dtype.itemsize, length + 4)
        if len(data) != length:
            raise CorruptError(
                f"{dataset}: expected chunks of {length} bytes, received {len(data)}"
            )
        return np.frombuffer(data, dtype).reshape(dataset.chunks)


def _unfiltered(data: bytes, kind: int, itemsize: int, most: int) -> bytes:
    if kind == _DEFLATE:
        return zlib.decompressobj().decompress(data, most)
    if kind == _SHUFFLE:
        return np.frombuffer(data, np.uint8).reshape(itemsize, -1).T.tobytes()
    if kind == _CHECKSUM:
        return data[:-4]
    raise UnsupportedError(f"HDF5: expected gzip, shuffle or fletcher32, received filter {kind}")


def _texts(data: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    """Yield the objects of the global heap at a byte with their index."""
    where = f"HDF5: the heap at byte {start}"
    if data[start : start + 5] != b"GCOL\x01":
        raise CorruptError(f"{where}: expected a signature, received {data[start : start + 5]!r}")
    size = int.from_bytes(data[start + 8 : start + 16], "little")
    place = 16
    while place + 16 <= size and start + size <= len(data):
        index, _, length = struct.unpack_from("<HH4xQ", data, start + place)
        if not index:
            place += -(-length // 8) * 8  # free space includes its header
            break
        yield index, data[start + place + 16 : start + place + 16 + length]
        place += 16 + -(-length // 8) * 8
    if place > size or size - place >= 16:
        raise CorruptError(f"{where}: expected objects of {size} bytes")
