"""The safetensors format: an 8-byte length, a JSON header, raw little-endian arrays.

>>> data = encode({"w": np.zeros((2, 3), "f4")}, {"made_by": "nn"})
>>> arrays, metadata = decode(data)

The library is not used because Pyodide's offline folder lacks it, and because every size is checked
here before memory is allocated. Tests compare with the library.
Format: https://huggingface.co/docs/safetensors (header up to 100 MB, offsets without holes).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nn.io import snapshot
from nn.io.errors import CorruptError, MissingEntryError, TruncatedError, UnsupportedError, reads
from nn.io.limits import DEFAULT_LIMITS, Limits
from nn.io.tree import from_json, to_json

if TYPE_CHECKING:
    from nn.models.model import Model

Array = NDArray[np.generic]

_TOPOLOGY = "nn"
_DTYPES = {
    "BOOL": "?",
    "U8": "<u1",
    "I8": "<i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
}
_NAMES = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}


def encode(arrays: Mapping[str, Array], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return the file's bytes: arrays in the given order, header padded to 8 bytes.

    Args:
        arrays: numeric arrays by name; "__metadata__" is reserved.
        metadata: strings to store in the header.

    Raises:
        UnsupportedError: the format lacks a dtype, or a name is reserved.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    chunks: list[bytes] = []
    offset = 0
    for name, array in arrays.items():
        chunk = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"))).tobytes()
        header[_check_name(name)] = {
            "dtype": _dtype_name(name, array),
            "shape": list(array.shape),
            "data_offsets": [offset, offset + len(chunk)],
        }
        chunks.append(chunk)
        offset += len(chunk)
    text = to_json(header)
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *chunks])


def _check_name(name: str) -> str:
    if name == "__metadata__":
        raise UnsupportedError("safetensors: '__metadata__' cannot name an array")
    return name


def _dtype_name(name: str, array: Array) -> str:
    dtype = np.dtype(array.dtype.newbyteorder("<"))
    if dtype not in _NAMES:
        raise UnsupportedError(f"safetensors array {name!r}: no such dtype as {array.dtype}")
    return _NAMES[dtype]


@reads("safetensors")
def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[dict[str, Array], dict[str, str]]:
    """Return arrays by name (bfloat16 as float32) and the metadata.

    Raises:
        TruncatedError: the file ends before its header or its last array.
        CorruptError: the header is not JSON, or offsets, shapes and length contradict each other.
        UnsupportedError: NumPy lacks a dtype (float8 and smaller).
        LimitError: too many or too large arrays for ``limits``.
    """
    header, body = _split(data, limits)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict):
        raise CorruptError(f"safetensors metadata: expected an object, received {metadata!r}")
    limits.check_entries(len(header), "safetensors")
    spans = {name: _span(name, entry) for name, entry in header.items()}
    _check_spans(spans, len(body))
    arrays = {name: _array(name, header[name], body[a:b]) for name, (a, b) in spans.items()}
    return arrays, {str(key): str(value) for key, value in metadata.items()}


def _split(data: bytes, limits: Limits) -> tuple[dict[str, Any], memoryview]:
    limits.check_total(len(data), "safetensors")
    length = int.from_bytes(data[:8], "little")
    limits.check_document(length, "safetensors header")
    if len(data) < 8 + length:
        raise TruncatedError(
            f"safetensors header: expected {8 + length} bytes, received {len(data)}"
        )
    return from_json(data[8 : 8 + length], "safetensors header", limits), memoryview(data)[
        8 + length :
    ]


def _span(name: str, entry: Any) -> tuple[int, int]:
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    if not (isinstance(offsets, list) and len(offsets) == 2 and all(map(_is_size, offsets))):
        raise CorruptError(f"safetensors array {name!r}: expected two offsets, received {offsets}")
    return offsets[0], offsets[1]


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _check_spans(spans: Mapping[str, tuple[int, int]], length: int) -> None:
    """Check that the arrays fill the body without gaps (hidden data) or overlaps."""
    end = 0
    for name, (start, stop) in sorted(spans.items(), key=lambda item: item[1]):
        if start != end or stop < start:
            raise CorruptError(
                f"safetensors array {name!r}: expected to begin at {end}, received {start}..{stop}"
            )
        end = stop
    if end != length:
        kind = TruncatedError if length < end else CorruptError
        raise kind(f"safetensors: expected {end} bytes of arrays, received {length}")


def _array(name: str, entry: Mapping[str, Any], data: memoryview) -> Array:
    where = f"safetensors array {name!r}"
    shape = entry.get("shape")
    if not (isinstance(shape, list) and all(map(_is_size, shape))):
        raise CorruptError(f"{where}: expected a shape, received {shape!r}")
    dtype = entry.get("dtype")
    stored = np.dtype("<u2" if dtype == "BF16" else _DTYPES.get(str(dtype), "V"))
    if stored.kind == "V":
        raise UnsupportedError(f"{where}: no such dtype as {dtype!r}")
    if math.prod(shape) * stored.itemsize != len(data):
        raise CorruptError(f"{where}: {dtype} {shape} does not fill {len(data)} bytes")
    flat = np.frombuffer(data, stored).astype(stored.newbyteorder("="))
    return (_widen(flat) if dtype == "BF16" else flat).reshape(shape)


def _widen(halves: Array) -> Array:
    """Return bfloat16 values, the upper halves of float32, as float32."""
    return (halves.astype(np.uint32) << np.uint32(16)).view(np.float32)


# Models.


def save(model: Model) -> bytes:
    """Return a file of the model's weights by path, with its topology as JSON metadata "nn".

    The optimizer's state is not saved, since the format is for sharing weights.
    """
    content = snapshot.get_state(model, include_optimizer=False)
    topology = {key: content[key] for key in ("class_name", "config")}
    return encode(content["weights"], {_TOPOLOGY: to_json(topology).decode()})


@reads("safetensors")
def load(
    data: bytes,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Model:
    """Return the model saved by `save`.

    Raises:
        MissingEntryError: the file holds weights only; use `load_weights`.
        FormatError: see `nn.io.errors` for its subclasses.
    """
    arrays, metadata = decode(data, limits)
    if _TOPOLOGY not in metadata:
        raise MissingEntryError(
            f"safetensors: expected a topology under the metadata {_TOPOLOGY!r}, received "
            f"{sorted(metadata)}; for weights alone use load_weights(model, data)"
        )
    topology = from_json(metadata[_TOPOLOGY].encode(), "safetensors topology", limits)
    content = {**topology, "weights": arrays}
    return snapshot.from_state(content, custom_objects=custom_objects, limits=limits)


@reads("safetensors")
def load_weights(
    model: Model,
    data: bytes,
    *,
    rename: Callable[[str], str] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> None:
    """Copy the arrays of a file into the model's weights.

    Args:
        model: a built model.
        data: the file's bytes.
        rename: array name -> weight path ("dense/kernel"), for files from other programs.
        limits: bounds on the sizes in the file.

    Raises:
        MissingEntryError: a weight is not in the file.
        MismatchError: an array has another shape, or belongs to no weight.
    """
    arrays, _ = decode(data, limits)
    named = {rename(name) if rename else name: array for name, array in arrays.items()}
    snapshot.set_weights(model, named)
