"""Files of a TensorFlow.js layers-model: `model.json` and weights in shards of 4 MiB.

Format: tfjs-core/src/io/types.ts (ModelJSON, WeightsManifestConfig) and
tfjs-converter/python/tensorflowjs/write_weights.py. TensorFlow.js does not detect damaged shards,
so the SHA-256 of each is stored in `userDefinedMetadata`, where its loader allows anything.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.io.errors import CorruptError, MissingEntryError, TruncatedError, UnsupportedError
from nn.io.limits import DEFAULT_LIMITS, MEBIBYTE, Limits
from nn.io.tree import from_json, to_json
from nn.quantize import Globs, Quantized, quantize_arrays

Array = NDArray[np.generic]
Json = dict[str, Any]

DOCUMENT = "model.json"
SHARD_BYTES = 4 * MEBIBYTE

_DTYPES = {"float32": "<f4", "int32": "<i4", "bool": "?", "uint8": "<u1"}
_STORED = {"uint8": "<u1", "uint16": "<u2", "float16": "<f2"}


def encode(
    topology: Json,
    arrays: Mapping[str, Array],
    *,
    training: Json | None = None,
    quantization: Mapping[str, Globs] | None = None,
) -> dict[str, bytes]:
    """Return the files as a dict of name -> bytes.

    Args:
        topology: Keras' JSON configuration of the model.
        arrays: float32, int32, bool or uint8 weights by TensorFlow.js' names.
        training: optimizer, loss and metrics as Keras writes them.
        quantization: dtype -> globs of weight names, as for `nn.quantize.choose_dtypes`.

    Raises:
        UnsupportedError: TensorFlow.js lacks the dtype of a weight.
    """
    quantized = quantize_arrays(arrays, quantization)
    entries = [_entry(name, array, quantized.get(name)) for name, array in arrays.items()]
    kept = (quantized[name].data if name in quantized else a for name, a in arrays.items())
    body = b"".join(_little(array).tobytes() for array in kept)
    shards = dict(_shards(body))
    document: Json = {
        "format": "layers-model",
        "generatedBy": "nn",
        "convertedBy": None,
        "modelTopology": topology,
        "weightsManifest": [{"paths": list(shards), "weights": entries}],
        "userDefinedMetadata": {"sha256": {name: _digest(shard) for name, shard in shards.items()}},
    }
    if training:
        document["trainingConfig"] = training
    return {DOCUMENT: to_json(document), **shards}


def _little(array: Array) -> Array:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _entry(name: str, array: Array, stored: Quantized | None) -> Json:
    if array.dtype.name not in _DTYPES:
        raise UnsupportedError(
            f"weight {name!r}: expected {', '.join(_DTYPES)}, received {array.dtype}"
        )
    entry: Json = {"name": name, "shape": list(array.shape), "dtype": array.dtype.name}
    if stored:
        entry["quantization"] = {"dtype": stored.dtype, "original_dtype": "float32"}
        if stored.dtype != "float16":
            entry["quantization"] |= {"scale": stored.scale, "min": stored.minimum}
    return entry


def _shards(body: bytes) -> Iterator[tuple[str, bytes]]:
    count = max(1, math.ceil(len(body) / SHARD_BYTES))
    for index in range(count):
        shard = body[index * SHARD_BYTES : (index + 1) * SHARD_BYTES]
        yield f"group1-shard{index + 1}of{count}.bin", shard


def decode(
    files: Mapping[str, bytes], limits: Limits = DEFAULT_LIMITS
) -> tuple[Json, dict[str, Array]]:
    """Return the document and the weights by name; quantized weights become float32.

    Raises:
        FormatError: see `nn.io.errors`.
    """
    if DOCUMENT not in files:
        raise MissingEntryError(f"tfjs: expected {DOCUMENT}, received {', '.join(files) or 'none'}")
    limits.check_total(sum(map(len, files.values())), "tfjs")
    document = from_json(files[DOCUMENT], DOCUMENT, limits)
    if not isinstance(document.get("modelTopology"), dict):
        raise MissingEntryError(f"{DOCUMENT}: expected an object 'modelTopology'")
    arrays: dict[str, Array] = {}
    for group in shard_groups(document):
        arrays |= _group(group, files, _digests(document), limits)
    return document, arrays


def shard_groups(document: Mapping[str, Any]) -> list[Json]:
    """Return the groups of the weights manifest.

    Raises:
        CorruptError: a group lacks paths or weights.
    """
    groups = document.get("weightsManifest")
    if not isinstance(groups, list) or not all(map(_is_group, groups)):
        raise CorruptError(
            f"{DOCUMENT}: expected weightsManifest [{{paths, weights}}], received {groups!r:.200}"
        )
    return groups


def _is_group(group: Any) -> bool:
    return (
        isinstance(group, dict)
        and isinstance(group.get("paths"), list)
        and isinstance(group.get("weights"), list)
        and all(isinstance(path, str) for path in group["paths"])
        and all(isinstance(weight, dict) for weight in group["weights"])
    )


def _digests(document: Mapping[str, Any]) -> Json:
    metadata = document.get("userDefinedMetadata")
    digests = metadata.get("sha256") if isinstance(metadata, dict) else None
    return digests if isinstance(digests, dict) else {}


def _group(
    group: Json, files: Mapping[str, bytes], digests: Json, limits: Limits
) -> dict[str, Array]:
    limits.check_entries(len(group["weights"]), DOCUMENT)
    body = b"".join(_shard(path, files, digests) for path in group["paths"])
    arrays: dict[str, Array] = {}
    position = 0
    for entry in group["weights"]:
        name, dtype, shape = _description(entry)
        size = math.prod(shape) * dtype.itemsize
        _check_rest(name, size, len(body) - position)
        flat = np.frombuffer(body, dtype, math.prod(shape), position)
        arrays[name] = _restore(flat.reshape(shape), entry, name)
        position += size
    if position != len(body):
        raise CorruptError(
            f"tfjs shards {group['paths']}: expected {position} bytes, received {len(body)}"
        )
    return arrays


def _shard(path: str, files: Mapping[str, bytes], digests: Json) -> bytes:
    if path not in files:
        raise MissingEntryError(f"tfjs: expected a shard {path!r}, received {', '.join(files)}")
    received = _digest(files[path])
    if digests.get(path, received) != received:
        raise CorruptError(
            f"tfjs shard {path!r}: expected SHA-256 {digests[path]}, received {received}"
        )
    return files[path]


def _check_rest(name: str, size: int, rest: int) -> None:
    if size > rest:
        raise TruncatedError(f"tfjs weight {name!r}: expected {size} bytes, received {rest}")


def _description(entry: Json) -> tuple[str, np.dtype[Any], Sequence[int]]:
    """Return the name, stored dtype and shape of an entry."""
    name, shape = entry.get("name"), entry.get("shape")
    if not isinstance(name, str) or not isinstance(shape, list) or not all(map(_is_size, shape)):
        raise CorruptError(f"{DOCUMENT}: expected a weight's name and shape, received {entry!r}")
    quantization = entry.get("quantization")
    if isinstance(quantization, dict):
        kind, known = quantization.get("dtype"), _STORED
    else:
        kind, known = entry.get("dtype"), _DTYPES
    if kind not in known:
        raise UnsupportedError(
            f"tfjs weight {name!r}: expected {', '.join(known)}, received {kind!r}"
        )
    return name, np.dtype(known[kind]), shape


def _is_size(value: object) -> bool:
    return type(value) is int and value >= 0


def _restore(array: Array, entry: Json, name: str) -> Array:
    quantization = entry.get("quantization")
    if not isinstance(quantization, dict):
        return array.astype(array.dtype.newbyteorder("="))
    if array.dtype.kind == "f":
        return Quantized(array).dequantize()
    try:
        scale, minimum = float(quantization["scale"]), float(quantization["min"])
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptError(
            f"tfjs weight {name!r}: expected a scale and a min, received {quantization!r}"
        ) from error
    return Quantized(array, scale, minimum).dequantize()
