"""Files of a TensorFlow.js layers-model: `model.json` and weights in shards of 4 MiB.

Format: tfjs-core/src/io/types.ts (ModelJSON, WeightsManifestConfig) and
tfjs-converter/python/tensorflowjs/write_weights.py. TensorFlow.js does not detect damaged shards,
so the SHA-256 of each is stored in `userDefinedMetadata`, where its loader allows anything.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.io import package
from nn.io.archive import plain_name
from nn.io.errors import CorruptError, MissingEntryError, TruncatedError, UnsupportedError
from nn.io.limits import DEFAULT_LIMITS, Limits
from nn.io.tree import from_json
from nn.quantize import Quantized

Array = NDArray[np.generic]
Json = dict[str, Any]

DOCUMENT = "model.json"
_BOM = b"\xef\xbb\xbf"

DTYPES = {"float32": "<f4", "int32": "<i4", "bool": "?", "uint8": "<u1"}
_STORED = {"uint8": "<u1", "uint16": "<u2", "float16": "<f2"}


def decode(
    files: Mapping[str, bytes], limits: Limits = DEFAULT_LIMITS
) -> tuple[Json, dict[str, Array], list[Array]]:
    """Return the document, the weights by name, and the optimizer's variables.

    Quantized weights become float32.

    Raises:
        FormatError: see `nn.io.errors`.
    """
    limits.check_total(sum(map(len, files.values())), "tfjs")
    name, files = _relative(package.plain(files))
    document = from_json(files.pop(name).removeprefix(_BOM), name, limits)
    if isinstance(document.get("modelArtifacts"), dict):  # a record of IndexedDB
        document = document["modelArtifacts"]
    _expect_layers_model(document, name)
    arrays: dict[str, Array] = {}
    slots: list[Array] = []
    if "weightsManifest" not in document and isinstance(document.get("weightSpecs"), list):
        body = _stored(document.get("weightData"), files)
        arrays = _arrays(document["weightSpecs"], body, "tfjs weightData", limits, slots)
        return document, arrays, slots
    for group in shard_groups(document):
        arrays |= _group(group, files, _digests(document), limits, slots)
    return document, arrays, slots


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _relative(files: Mapping[str, bytes]) -> tuple[str, dict[str, bytes]]:
    """Return the document's name, and the files with names relative to the document's folder."""
    name = package.document(files)
    if name is None:
        raise MissingEntryError(f"tfjs: expected {DOCUMENT}, received {', '.join(files) or 'none'}")
    folder = name[: name.rfind("/") + 1]
    return name.removeprefix(folder), {n.removeprefix(folder): d for n, d in files.items()}


def _expect_layers_model(document: Json, name: str) -> None:
    topology = document.get("modelTopology")
    if document.get("format") == "graph-model" or (
        isinstance(topology, dict) and "node" in topology
    ):
        raise UnsupportedError(
            f"{name}: expected a layers-model, received a graph-model, of operators in "
            "place of layers; convert the Keras model again, with tensorflowjs_converter "
            "--output_format=tfjs_layers_model"
        )
    if isinstance(topology, dict):
        return
    if "class_name" in document and "config" in document:
        raise MissingEntryError(
            f"{name}: expected a topology and weights, received what to_json wrote: the topology "
            "alone; save the whole model"
        )
    raise MissingEntryError(f"{name}: expected an object 'modelTopology'")


def _stored(data: Any, files: Mapping[str, bytes]) -> bytes:
    """Return the weights inside a document: base64, a list of bytes, or those of the only file."""
    if isinstance(data, str):
        try:
            return base64.b64decode(data, validate=True)
        except ValueError as error:
            raise CorruptError(f"tfjs weightData: expected base64: {error}") from error
    if isinstance(data, dict) and data:  # a Uint8Array as JSON: {"0": 17, "1": 4, ...}
        data = list(data.values())
    if isinstance(data, list) and all(_is_size(item) and item < 256 for item in data):
        return bytes(data)
    if len(files) == 1:
        return next(iter(files.values()))
    raise MissingEntryError(
        "tfjs: expected the weights as base64 in 'weightData', or in one file beside the "
        f"document, received {', '.join(files) or 'none'}"
    )


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
    )


def _digests(document: Mapping[str, Any]) -> Json:
    metadata = document.get("userDefinedMetadata")
    digests = metadata.get("sha256") if isinstance(metadata, dict) else None
    return digests if isinstance(digests, dict) else {}


def _group(
    group: Json, files: Mapping[str, bytes], digests: Json, limits: Limits, slots: list[Array]
) -> dict[str, Array]:
    shards = [_shard(path, files, digests) for path in group["paths"]]
    body = shards[0] if len(shards) == 1 else b"".join(shards)
    return _arrays(group["weights"], body, f"tfjs shards {group['paths']}", limits, slots)


def _arrays(
    entries: list[Any], body: bytes, where: str, limits: Limits, slots: list[Array]
) -> dict[str, Array]:
    """Return the weights by name, and put the optimizer's variables with `slots`."""
    limits.check_entries(len(entries), DOCUMENT)
    arrays: dict[str, Array] = {}
    position = 0
    for entry in entries:
        name, dtype, shape = _description(entry)
        size = math.prod(shape) * dtype.itemsize
        _check_rest(name, size, len(body) - position)
        flat = np.frombuffer(body, dtype, math.prod(shape), position)
        array = _restore(flat.reshape(shape), entry, name)
        if entry.get("group") == "optimizer":
            slots.append(array)
        else:
            arrays[name] = array
        position += size
    if position != len(body):
        raise CorruptError(f"{where}: expected {position} bytes, received {len(body)}")
    return arrays


def _shard(path: str, files: Mapping[str, bytes], digests: Json) -> bytes:
    data = _found(plain_name(path), files)
    if data is None:
        raise MissingEntryError(
            f"tfjs: expected a shard {path!r}, received {', '.join(files) or 'model.json alone'}; "
            "the weights are in it: load all files, as a mapping of names to bytes or in one zip"
        )
    received = digest(data) if path in digests else None
    if received != digests.get(path):
        raise CorruptError(
            f"tfjs shard {path!r}: expected SHA-256 {digests[path]}, received {received}"
        )
    return data


def _found(path: str, files: Mapping[str, bytes]) -> bytes | None:
    """Return the file at a path, or else the only one of that name, as TensorFlow.js does."""
    if path in files:
        return files[path]
    name = path.rpartition("/")[2]
    same = [data for other, data in files.items() if other.rpartition("/")[2] == name]
    return same[0] if len(same) == 1 else None


def _check_rest(name: str, size: int, rest: int) -> None:
    if size > rest:
        raise TruncatedError(f"tfjs weight {name!r}: expected {size} bytes, received {rest}")


def _description(entry: Any) -> tuple[str, np.dtype[Any], Sequence[int]]:
    """Return the name, stored dtype and shape of an entry."""
    found = entry if isinstance(entry, dict) else {}
    name, shape = found.get("name"), found.get("shape")
    if not isinstance(name, str) or not isinstance(shape, list) or not all(map(_is_size, shape)):
        raise CorruptError(
            f"{DOCUMENT}: expected a weight's name and shape, received {entry!r:.200}"
        )
    quantization = found.get("quantization")
    if isinstance(quantization, dict):
        kind, known = quantization.get("dtype"), _STORED
    else:
        kind, known = found.get("dtype"), DTYPES
    if not isinstance(kind, str) or kind not in known:
        raise UnsupportedError(
            f"tfjs weight {name!r}: expected {', '.join(known)}, received {kind!r}"
        )
    return name, np.dtype(known[kind]), shape


def _is_size(value: object) -> bool:
    return type(value) is int and value >= 0


def _restore(array: Array, entry: Json, name: str) -> Array:
    quantization = entry.get("quantization")
    if not isinstance(quantization, dict):
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind == "f":
        return Quantized(array).dequantize()
    try:
        scale, minimum = float(quantization["scale"]), float(quantization["min"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise CorruptError(
            f"tfjs weight {name!r}: expected a scale and a min, received {quantization!r}"
        ) from error
    return Quantized(array, scale, minimum).dequantize()
