"""The native model format: NumPy's `.npz` with a JSON document, `nn.json`.

>>> data = save(model)                          # bytes, for a download or IndexedDB
>>> model = load(data)                          # the same predictions, bit for bit
>>> small = save(model, quantization={"uint8": "*"})

`numpy.load(file, allow_pickle=False)` opens the arrays. The document holds the dtype, shape and
SHA-256 of each array, so any damage is detected and located:

    nn.json             {"format": "nn", "version": 1, "arrays": {…}, "content": {…}}
    <path>.npy          one per array, not compressed
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nn.io import npy, tree
from nn.io import snapshot as snapshot
from nn.io.archive import Archive, pack
from nn.io.errors import CorruptError, MismatchError, MissingEntryError, UnsupportedError, reads
from nn.io.limits import DEFAULT_LIMITS, Limits
from nn.quantize import Globs, Quantized, quantize_arrays

if TYPE_CHECKING:
    from nn.models.model import Model

Array = NDArray[np.generic]

DOCUMENT = "nn.json"
VERSION = 1
_DTYPES = [np.dtype(code).name for code in "?bhilqBHILQefd"]

# The longest header of an array with 32 axes is 4 KiB; NumPy's own are 128 bytes.
_HEADER = 8192


def save(
    model: Model,
    *,
    include_optimizer: bool = True,
    quantization: Mapping[str, Globs] | None = None,
) -> bytes:
    """Return the model as `.npz` bytes: topology, weights and the training state.

    Args:
        model: a built model.
        include_optimizer: False leaves out the training state (optimizer, generator, history).
        quantization: dtype -> globs of weight paths, as for `nn.quantize.choose_dtypes`;
            optimizer slots are never quantized.

    Raises:
        UnsupportedError: a part of the model is not plain data.
        ValueError: the globs conflict.
    """
    content = snapshot.get_state(model, include_optimizer=include_optimizer)
    return encode(content, quantization)


@reads("npz")
def load(
    data: bytes,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    compile: bool = True,
) -> Model:
    """Return the saved model. Its predictions are the same, bit for bit.

    Args:
        data: the whole file.
        custom_objects: class name -> class of the custom layers in the file.
        limits: bounds on the sizes in the file.
        compile: False skips the training state.

    Raises:
        FormatError: see `nn.io.errors` for its subclasses.
    """
    return snapshot.from_state(
        decode(data, limits), custom_objects=custom_objects, limits=limits, compile=compile
    )


def encode(content: Any, quantization: Mapping[str, Globs] | None = None) -> bytes:
    """Return nested plain data and arrays as `.npz` bytes.

    Equal data give equal bytes in one version of Python (zip headers differ between versions).
    """
    document, arrays = tree.flatten(content)
    weights = {name: a for name, a in arrays.items() if name.startswith(snapshot.WEIGHTS)}
    quantized = quantize_arrays(_by_path(weights), quantization)
    entries: dict[str, Any] = {}
    members: dict[str, bytes] = {}
    for name, array in arrays.items():
        stored = quantized.get(name.removeprefix(snapshot.WEIGHTS))
        kept = stored.data if stored and name in weights else array
        entries[name] = _entry(array, kept, stored if name in weights else None)
        members[_member(name)] = npy.dump(kept)
    header = {"format": "nn", "version": VERSION, "arrays": entries, "content": document}
    return pack({DOCUMENT: tree.to_json(header), **members})


def _member(name: str) -> str:
    """Return the member of an array, without what zip archives cannot have in a name."""
    return f"{name}.npy".replace("\\", "%5C").replace("\0", "%00")


def _by_path(weights: Mapping[str, Array]) -> dict[str, Array]:
    return {name.removeprefix(snapshot.WEIGHTS): array for name, array in weights.items()}


def _entry(array: Array, kept: Array, stored: Quantized | None) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "dtype": kept.dtype.name,
        "shape": list(array.shape),
        "sha256": _digest(kept),
    }
    if stored:
        entry["quantization"] = {"scale": stored.scale, "min": stored.minimum}
    return entry


def _digest(array: Array) -> str:
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return hashlib.sha256(little.reshape(-1).view(np.uint8).data).hexdigest()


@reads("npz")
def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Any:
    """Return the data given to `encode`, with quantized arrays as float32.

    Raises:
        FormatError: see `nn.io.errors`.
    """
    archive = Archive(data, limits)
    limits.check_document(archive.size(DOCUMENT), DOCUMENT)
    header = tree.from_json(archive.read(DOCUMENT), DOCUMENT, limits)
    _check_version(header)
    arrays = {name: _array(archive, name, entry) for name, entry in header["arrays"].items()}
    return tree.unflatten(header["content"], arrays, DOCUMENT)


def _check_version(header: Mapping[str, Any]) -> None:
    if header.get("format") != "nn" or header.get("version") != VERSION:
        raise UnsupportedError(
            f"{DOCUMENT}: expected format 'nn', version {VERSION}, "
            f"received {header.get('format')!r}, {header.get('version')!r}"
        )
    for key in ("arrays", "content"):
        if not isinstance(header.get(key), dict):
            raise MissingEntryError(f"{DOCUMENT}: expected an object {key!r}")


def _array(archive: Archive, name: str, entry: Any) -> Array:
    member = _member(name)
    dtype, shape, digest = _description(name, entry)
    most = _HEADER + np.dtype(dtype).itemsize * math.prod(shape)
    if archive.size(member) > most:
        raise CorruptError(
            f"{member}: expected at most {most} bytes for {dtype} {shape}, "
            f"received {archive.size(member)}"
        )
    array = npy.load(archive.read(member), member)
    if array.dtype.name != dtype or array.shape != shape:
        raise MismatchError(
            f"{member}: expected {dtype} {shape}, received {array.dtype.name} {array.shape}"
        )
    if _digest(array) != digest:
        raise CorruptError(f"{member}: expected SHA-256 {digest}, received {_digest(array)}")
    return _dequantize(array, entry.get("quantization"), member)


def _description(name: str, entry: Any) -> tuple[str, tuple[int, ...], str]:
    """Return the checked dtype, shape and digest of an entry."""
    try:
        dtype, shape, digest = entry["dtype"], tuple(entry["shape"]), entry["sha256"]
    except (KeyError, TypeError) as error:
        raise CorruptError(
            f"{DOCUMENT}: array {name!r}: expected dtype, shape and sha256, received {entry!r:.200}"
        ) from error
    if dtype not in _DTYPES or not all(type(size) is int and size >= 0 for size in shape):
        raise CorruptError(
            f"{DOCUMENT}: array {name!r}: expected one of {', '.join(_DTYPES)} and sizes, "
            f"received {dtype!r:.80}, {shape!r:.80}"
        )
    return str(dtype), shape, str(digest)


def _dequantize(array: Array, quantization: Any, where: str) -> Array:
    if quantization is None:
        return array
    try:
        stored = Quantized(array, float(quantization["scale"]), float(quantization["min"]))
        return stored.dequantize()
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise CorruptError(
            f"{where}: expected a scale and a min, received {quantization!r}"
        ) from error
