"""TensorFlow.js layers-models, read and written, also quantized.

>>> files = save_files(model, quantization={"uint8": "*/kernel"})   # {"model.json": …, "group1-…"}
>>> model = load(files)
>>> model = load(save(model))                                       # the same files in one zip

In JavaScript: ``await tf.loadLayersModel("model.json")``; it predicts what `predict` does to 1e-5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nn.io import snapshot
from nn.io.archive import SIGNATURE, Archive, pack
from nn.io.errors import reads
from nn.io.keras import read_config
from nn.io.limits import DEFAULT_LIMITS, Limits
from nn.io.tfjs import manifest, names
from nn.lazy import load as part
from nn.quantize import Globs

if TYPE_CHECKING:
    from nn.models.model import Model

Array = NDArray[np.generic]


def save(model: Model, **options: Any) -> bytes:
    """Return the files of `save_files`, with its options, as a zip archive."""
    return pack(save_files(model, **options))


def save_files(
    model: Model,
    *,
    include_optimizer: bool = False,
    quantization: Mapping[str, Globs] | None = None,
) -> dict[str, bytes]:
    """Return the model's files by name: `model.json` and the shards of its weights.

    Args:
        model: a built model.
        include_optimizer: True adds the arguments of `compile` and the optimizer's slots, so that
            TensorFlow.js trains on, as its own `includeOptimizer` does.
        quantization: dtype -> globs of weight paths, as for `nn.io.npz.save` ("*/kernel" takes in
            a DepthwiseConv2D's, which TensorFlow.js calls depthwise_kernel).

    Raises:
        UnsupportedError: TensorFlow.js lacks a layer, option or activation, or what trains.
    """
    write = part("nn.io.tfjs.write")
    files: dict[str, bytes] = write.files(model, quantization, include_optimizer)
    return files


@reads("tfjs")
def load(
    data: bytes | Mapping[str, bytes],
    *,
    custom_objects: Mapping[str, Any] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    compile: bool = True,
) -> Model:
    """Return the model of layers-model files, given by name or as a zip archive.

    A file that was saved with `includeOptimizer` also has the arguments of `compile` and the
    optimizer's state; `compile=False` leaves them out.

    Raises:
        FormatError: see `nn.io.errors` for its subclasses.
    """
    document, arrays, slots = manifest.decode(_files(data, limits), limits)
    topology = document["modelTopology"]
    settings = read_config.read(
        topology.get("model_config", topology), custom_objects, topology.get("keras_version", "2")
    )
    model = snapshot.build(settings, custom_objects=custom_objects, limits=limits)
    variables = names.of_weights(model)
    weights = names.rename(arrays, variables)
    snapshot.assign(variables, weights)
    training = document.get("trainingConfig")
    if compile and training:
        listed = map(variables.get, weights)
        part("nn.io.tfjs.checkpoint").compile_model(model, training, slots, listed)
    return model


def _files(data: bytes | Mapping[str, bytes], limits: Limits) -> Mapping[str, bytes]:
    if isinstance(data, Mapping):
        return data
    if not data.startswith(SIGNATURE):
        return {manifest.DOCUMENT: data}
    archive = Archive(data, limits)
    return {name: archive.read(name) for name in archive.names}
