"""Writing of the files of a TensorFlow.js layers-model, which `nn.io.tfjs.manifest` reads."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nn.io import snapshot
from nn.io.errors import UnsupportedError
from nn.io.keras import write_config
from nn.io.limits import MEBIBYTE
from nn.io.tfjs import names, write_checks
from nn.io.tfjs.manifest import DOCUMENT, DTYPES, digest
from nn.io.tree import to_json
from nn.lazy import load as part
from nn.quantize import Globs, Quantized, quantize_arrays

if TYPE_CHECKING:
    from nn.models.model import Model

Array = NDArray[np.generic]
Json = dict[str, Any]

SHARD_BYTES = 4 * MEBIBYTE


def files(
    model: Model, quantization: Mapping[str, Globs] | None, include_optimizer: bool
) -> dict[str, bytes]:
    """Return the model's files; see `nn.io.tfjs.save_files`."""
    write_checks.check(model)
    topology = {"class_name": model.kind, "config": write_checks.config(model)}
    document = write_config.keras2(topology)
    weights = names.of_weights(model)
    arrays = {name: variable.numpy() for name, variable in weights.items()}
    paths = snapshot.weight_paths(model) if quantization else {}
    stored = quantize_arrays({path: v.value for path, v in paths.items()}, quantization)
    chosen = {variable: stored[path] for path, variable in paths.items() if path in stored}
    quantized = {name: chosen[v] for name, v in weights.items() if v in chosen}
    training, slots = None, {}
    if include_optimizer and model.compiled:
        write_checks.check_training(model)
        state = part("nn.io.tfjs.checkpoint")
        training, slots = state.settings(model), state.variables(model, weights)
    return encode(document, arrays, training=training, quantized=quantized, slots=slots)


def encode(
    topology: Json,
    arrays: Mapping[str, Array],
    *,
    training: Json | None = None,
    quantized: Mapping[str, Quantized] | None = None,
    slots: Mapping[str, Array] | None = None,
) -> dict[str, bytes]:
    """Return the files as a dict of name -> bytes.

    Args:
        topology: Keras' JSON configuration of the model.
        arrays: float32, int32, bool or uint8 weights by TensorFlow.js' names.
        training: optimizer, loss and metrics as TensorFlow.js reads them.
        quantized: what is stored instead of some weights, by name.
        slots: the optimizer's variables by name.

    Raises:
        UnsupportedError: TensorFlow.js lacks the dtype of a weight.
    """
    quantized = quantized or {}
    entries = [_entry(name, array, quantized.get(name)) for name, array in arrays.items()]
    kept = [quantized[name].data if name in quantized else a for name, a in arrays.items()]
    slots = slots or {}
    entries += [_entry(name, array, None) | {"group": "optimizer"} for name, array in slots.items()]
    body = b"".join(_little(array).tobytes() for array in (*kept, *slots.values()))
    shards = dict(_shards(body))
    document: Json = {
        "format": "layers-model",
        "generatedBy": "nn",
        "convertedBy": None,
        "modelTopology": topology,
        "weightsManifest": [{"paths": list(shards), "weights": entries}],
        "userDefinedMetadata": {"sha256": {name: digest(shard) for name, shard in shards.items()}},
    }
    if training:
        document["trainingConfig"] = training
    return {DOCUMENT: to_json(document), **shards}


def _little(array: Array) -> Array:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))


def _entry(name: str, array: Array, stored: Quantized | None) -> Json:
    if array.dtype.name not in DTYPES:
        raise UnsupportedError(
            f"weight {name!r}: expected {', '.join(DTYPES)}, received {array.dtype}"
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
