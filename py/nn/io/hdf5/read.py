"""HDF5 reader: returns arrays and attributes. pyfive (pure Python, NumPy only) must be installed.

Links to other files are not followed, and virtual and external datasets are not read, because a
model file needs no other files. `nn.io.hdf5.write` writes files without a library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.io.errors import CorruptError, FormatError, LimitError, UnknownFormatError, UnsupportedError
from nn.io.limits import DEFAULT_LIMITS, Limits

Array = NDArray[np.generic]

SIGNATURE = b"\x89HDF\r\n\x1a\n"

# Groups can contain themselves; Keras nests two levels per nested model.
_DEPTH = 32


def read(
    data: bytes, limits: Limits = DEFAULT_LIMITS, names: Sequence[str] = ()
) -> tuple[dict[str, Array], dict[str, dict[str, Any]]]:
    """Return datasets by path ("layers/dense/vars/0"), and attributes by the path of their group.

    Keras' bfloat16 comes as float32. Arrays may be views of `data`. The path "" holds the file's
    attributes, those listed in `names` only.

    Raises:
        UnknownFormatError: not an HDF5 file.
        UnsupportedError: pyfive is not installed, or a dataset is not plain numbers.
        LimitError: too many or too large datasets for ``limits``.
        CorruptError: sizes or references that do not fit the file.
    """
    if not data.startswith(SIGNATURE):
        raise UnknownFormatError(f"HDF5: expected {SIGNATURE!r}, received {data[:8]!r}")
    objects = _objects()
    try:
        return _read(objects.File(data).root(), limits, names)
    except FormatError:
        raise
    except NotImplementedError as error:
        raise UnsupportedError(f"HDF5: {error}") from error
    except Exception as error:  # damaged files raise anything, such as struct.error
        raise CorruptError(f"HDF5: {type(error).__name__}: {error}") from error


def _objects() -> Any:
    try:
        return import_module("nn.io.hdf5.objects")
    except ImportError as error:
        raise UnsupportedError(f"HDF5: expected pyfive to be installed: {error}") from error


def _read(
    root: Any, limits: Limits, names: Sequence[str]
) -> tuple[dict[str, Array], dict[str, dict[str, Any]]]:
    datasets: dict[str, Any] = {}
    found = root.get_attributes() if names else {}
    attributes = {"": _plain({key: found[key] for key in names if key in found})}
    total = 0
    for item in _walk(root, 0):
        path = item.path
        limits.check_entries(len(datasets) + len(attributes) + 1, "HDF5")
        if not item.is_dataset:
            attributes[path] = _plain(item.get_attributes())
            continue
        total += item.nbytes
        limits.check_total(total, f"HDF5 dataset {path!r}")
        datasets[path] = item
    return {path: _numbers(item.array(limits)) for path, item in datasets.items()}, attributes


def _numbers(array: Array) -> Array:
    """Return an array, of bfloat16 as float32, of which it is the upper halves."""
    if array.dtype.kind != "V":
        return array
    return np.asarray(array.view("<u2").astype(np.uint32) << np.uint32(16)).view(np.float32)


def _walk(group: Any, depth: int) -> Iterator[Any]:
    if depth > _DEPTH:
        raise LimitError(f"HDF5 {group.path!r}: expected at most {_DEPTH} groups in one another")
    for item in group.members():
        yield item
        if not item.is_dataset:
            yield from _walk(item, depth + 1)


def _plain(attributes: Any) -> dict[str, Any]:
    return {key: _text(value) for key, value in attributes.items()}


def _text(value: Any) -> Any:
    """Return a string as str, and an array of strings as a list."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "OSU":
        return [_text(item) for item in value.ravel().tolist()]
    return value.decode() if isinstance(value, bytes) else value
