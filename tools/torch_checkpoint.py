"""Reader of PyTorch's checkpoints of before 1.6, without PyTorch: it runs nothing of the file.

Such a file is five pickles (a number, the protocol, the system, the tensors by name, the keys of
the storages), then the raw elements of each storage after their count as int64. Its pickles may
name four things alone: OrderedDict, the function that makes a tensor, and two types of storage.
Source: torch/serialization.py, `_legacy_load`.
"""

from __future__ import annotations

import io
import math
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


class CheckpointError(ValueError):
    """The file is no checkpoint of this kind, or damaged."""


@dataclass(frozen=True)
class Tensor:
    """Where the elements of a tensor are; offset and strides count elements."""

    storage: str
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def _tensor(storage: str, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
    return Tensor(storage, offset, tuple(size), tuple(stride))


class _Reader(pickle.Unpickler):
    """An unpickler that knows four names.

    Attributes:
        storages: key -> dtype and number of elements.
    """

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.storages: dict[str, tuple[str, int]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in DTYPES:
            return name
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        }
        if (module, name) not in known:
            raise CheckpointError(f"checkpoint: expected tensors, it names {module}.{name}")
        return known[module, name]

    def persistent_load(self, pid: Any) -> str:
        kind, storage, key, _, count, view = pid
        if kind != "storage" or storage not in DTYPES or view is not None:
            raise CheckpointError(f"checkpoint: expected a storage, received {pid!r:.200}")
        self.storages[key] = DTYPES[storage], int(count)
        return str(key)


def read(data: bytes) -> dict[str, Array]:
    """Return the tensors of a checkpoint by name.

    Raises:
        CheckpointError: another kind of file, one that names anything else, or a damaged one.
    """
    file = io.BytesIO(data)
    try:
        found = [_Reader(file).load() for _ in range(3)]
        reader = _Reader(file)
        tensors = reader.load()
        keys = _Reader(file).load()
    except (pickle.UnpicklingError, EOFError, AttributeError, IndexError, TypeError) as error:
        raise CheckpointError(f"checkpoint: {type(error).__name__}: {error}") from error
    if found[:2] != [MAGIC, PROTOCOL] or not found[2]["little_endian"]:
        raise CheckpointError("checkpoint: expected PyTorch's format of before 1.6, little endian")
    storages = {key: _storage(file, *reader.storages[key]) for key in keys}
    if file.read(1):
        raise CheckpointError("checkpoint: expected its end after the storages")
    return {name: _placed(name, tensor, storages) for name, tensor in tensors.items()}


def _storage(file: io.BytesIO, dtype: str, count: int) -> Array:
    stated = int.from_bytes(file.read(8), "little")
    body = file.read(count * np.dtype(dtype).itemsize)
    if stated != count or len(body) != count * np.dtype(dtype).itemsize:
        raise CheckpointError(f"checkpoint: expected a storage of {count}, received {stated}")
    return np.frombuffer(body, dtype)


def _placed(name: str, tensor: Tensor, storages: dict[str, Array]) -> Array:
    elements = storages[tensor.storage][tensor.offset :]
    last = sum((size - 1) * step for size, step in zip(tensor.size, tensor.stride, strict=True))
    if math.prod(tensor.size) and last >= elements.size:
        raise CheckpointError(f"checkpoint: {name}: expected its elements inside the storage")
    strides = [step * elements.itemsize for step in tensor.stride]
    return np.lib.stride_tricks.as_strided(elements, tensor.size, strides).copy()
