"""HDF5 reader: returns arrays and attributes, using h5py or else pyfive (pure Python, NumPy only).

Links to other files are not followed, and virtual and external datasets are not read, because a
model file needs no other files. `nn.io.hdf5.write` writes files without a library.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.io.errors import CorruptError, FormatError, LimitError, UnknownFormatError, UnsupportedError
from nn.io.limits import DEFAULT_LIMITS, Limits

Array = NDArray[np.generic]

SIGNATURE = b"\x89HDF\r\n\x1a\n"

_HEAP = b"GCOL\x01\0\0\0"

# Groups can contain themselves; Keras nests two levels per nested model.
_DEPTH = 32


def reader() -> Any:
    """Return h5py, or else pyfive.

    Raises:
        UnsupportedError: neither is installed.
    """
    for name in ("h5py", "pyfive"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise UnsupportedError("HDF5: expected h5py or pyfive to be installed, found neither")


def read(
    data: bytes, limits: Limits = DEFAULT_LIMITS, names: Sequence[str] = ()
) -> tuple[dict[str, Array], dict[str, dict[str, Any]]]:
    """Return datasets by path ("layers/dense/vars/0"), and attributes by the path of their group.

    The path "" holds the file's attributes, those listed in `names` only.

    Raises:
        UnknownFormatError: not an HDF5 file.
        UnsupportedError: no library is installed, or a dataset is not plain numbers.
        LimitError: too many or too large datasets for ``limits``.
        CorruptError: the library cannot read it.
    """
    if not data.startswith(SIGNATURE):
        raise UnknownFormatError(f"HDF5: expected {SIGNATURE!r}, received {data[:8]!r}")
    _check_heaps(data)
    module = reader()
    try:
        with module.File(io.BytesIO(data), "r") as file:
            return _read(file, limits, names)
    except FormatError:
        raise
    except Exception as error:  # damaged files raise anything, such as struct.error
        raise CorruptError(f"HDF5: {type(error).__name__}: {error}") from error


def _check_heaps(data: bytes) -> None:
    """Raise CorruptError for string heaps that their objects do not fill.

    HDF5's library (2.0) reads such a heap in an endless loop that Python cannot interrupt.
    Source: HDF5 File Format Specification 3.0, III.E.
    """
    start = data.find(_HEAP)
    while start >= 0:
        size = int.from_bytes(data[start + 8 : start + 16], "little")
        place = 16
        while place + 16 <= size:
            index = int.from_bytes(data[start + place : start + place + 2], "little")
            length = int.from_bytes(data[start + place + 8 : start + place + 16], "little")
            place += -(-length // 8) * 8 + (16 if index else 0)  # free space includes its header
            if not index:
                break
        if place > size or start + size > len(data) or (size - place >= 16):
            raise CorruptError(f"HDF5: the heap at byte {start}: expected objects of {size} bytes")
        start = data.find(_HEAP, start + 4)


def _read(
    file: Any, limits: Limits, names: Sequence[str]
) -> tuple[dict[str, Array], dict[str, dict[str, Any]]]:
    datasets: dict[str, Any] = {}
    wanted = {key: file.attrs[key] for key in names if key in file.attrs}
    attributes: dict[str, dict[str, Any]] = {"": _plain(wanted)}
    total = 0
    for path, item in _walk(file, "", 0):
        limits.check_entries(len(datasets) + len(attributes) + 1, "HDF5")
        if hasattr(item, "keys"):
            attributes[path] = _plain(item.attrs)
            continue
        _check(path, item)
        total += math.prod(item.shape) * item.dtype.itemsize
        limits.check_total(total, f"HDF5 dataset {path!r}")
        datasets[path] = item
    return {path: np.asarray(item[...]) for path, item in datasets.items()}, attributes


def _walk(group: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    if depth > _DEPTH:
        raise LimitError(f"HDF5 {path!r}: expected at most {_DEPTH} groups inside one another")
    for name in group:
        inner = f"{path}/{name}" if path else name
        _check_link(group, name, inner)
        item = group[name]
        yield inner, item
        if hasattr(item, "keys"):
            yield from _walk(item, inner, depth + 1)


def _check_link(group: Any, name: str, path: str) -> None:
    # pyfive follows no links to other files; h5py would open any file that the process can.
    if type(group).__module__.startswith("h5py"):
        kind = type(group.get(name, getlink=True)).__name__
        if kind != "HardLink":
            raise UnsupportedError(f"HDF5 {path!r}: expected data in this file, received {kind}")


def _check(path: str, dataset: Any) -> None:
    if getattr(dataset, "external", None) or getattr(dataset, "is_virtual", False):
        raise UnsupportedError(f"HDF5 {path!r}: expected data in this file, received a reference")
    if dataset.dtype.kind not in "biuf":
        raise UnsupportedError(f"HDF5 {path!r}: expected numbers, received {dataset.dtype}")


def _plain(attributes: Any) -> dict[str, Any]:
    return {key: _text(value) for key, value in attributes.items()}


def _text(value: Any) -> Any:
    """Return a string as str, and an array of strings as a list."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "OSU":
        return [_text(item) for item in value.ravel().tolist()]
    return value.decode() if isinstance(value, bytes) else value
