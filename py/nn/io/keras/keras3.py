"""The `.keras` format of Keras 3: a zip of `metadata.json`, `config.json`, `model.weights.h5`.

>>> model = load(open("model.keras", "rb").read())      # what keras.Model.save wrote
>>> data = save(model)                                  # what keras.models.load_model reads

Keras walks a model and names the groups of its weights by class, numbered in order:
``layers/conv2d/vars/0``, ``layers/conv2d_1/vars/0``, ``layers/lstm/cell/vars/0``
(keras/src/saving/saving_lib.py). Topology, weights, the arguments of `compile` and the optimizer's
state are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.io import snapshot
from nn.io.archive import Archive, pack
from nn.io.errors import MismatchError, MissingEntryError, reads
from nn.io.hdf5 import read
from nn.io.keras import arrays as arrays_of_calls
from nn.io.keras import assets, read_config, stores
from nn.io.keras.groups import Groups
from nn.io.limits import DEFAULT_LIMITS, Limits
from nn.io.tree import from_json, to_json
from nn.layers.base import Layer
from nn.lazy import load as part
from nn.models.model import Model

Array = NDArray[np.generic]

CONFIG = "config.json"
METADATA = "metadata.json"
WEIGHTS = "model.weights.h5"

# The version of the written format; Keras reads files of older versions.
_KERAS = "3.0.0"


def save(model: Model, *, include_optimizer: bool = True) -> bytes:
    """Return the model as the bytes of a `.keras` file.

    Args:
        model: a built model.
        include_optimizer: False leaves out the arguments of `compile` and the optimizer's state.

    Raises:
        UnsupportedError: Keras lacks a layer, loss or metric.
    """
    keras_write, keras_training = (
        part("nn.io.keras.write_config"),
        part("nn.io.keras.checkpoint"),
    )
    config = snapshot.get_state(model, include_optimizer=False)["config"]
    stores.sort(config, model)
    datasets, attributes = layer_arrays(model)
    training = keras_training.settings(model) if include_optimizer else None
    document = keras_write.keras3({"class_name": model.kind, "config": config})
    if training is not None:
        model.trainer.prepare()
        document["compile_config"] = training
        listed = stores.ordered_variables(config, model)
        attributes["optimizer/vars"] = {"name": model.optimizer.name}
        for index, array in enumerate(keras_training.variables(model, listed)):
            datasets[f"optimizer/vars/{index}"] = array
    metadata = {"keras_version": _KERAS, "date_saved": "1980-01-01@00:00:00"}
    return pack(
        {
            METADATA: to_json(metadata),
            CONFIG: to_json(document),
            WEIGHTS: part("nn.io.hdf5.write").file(datasets, attributes),
        }
    )


@reads("keras")
def load(
    data: bytes,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    compile: bool = True,
) -> Model:
    """Return the model in a `.keras` file; the arguments are those of `nn.io.npz.load`.

    Raises:
        FormatError: see `nn.io.errors` for its subclasses.
    """
    archive = Archive(data, limits)
    document = arrays_of_calls.placed(from_json(archive.read(CONFIG), CONFIG, limits))
    topology = read_config.read(document, custom_objects, _version(archive, limits))
    assets.fill(topology, archive, lambda: read.read(archive.read(WEIGHTS), limits)[0])
    model = snapshot.build(topology, custom_objects=custom_objects, limits=limits)
    arrays, attributes = read.read(archive.read(WEIGHTS), limits)
    names = {path: item.get("name") for path, item in attributes.items()}
    assign_layers(model, arrays, names, topology["config"])
    groups = Groups(arrays, {})
    # Where layers compute in 16 bits, Keras puts another around the optimizer, to scale losses.
    slots = groups.inside("optimizer/inner_optimizer") or groups.inside("optimizer") or None
    del arrays  # the model has copies; compiling needs memory too
    settings = document.get("compile_config")
    if compile and settings:
        listed = stores.ordered_variables(topology["config"], model)
        part("nn.io.keras.checkpoint").compile_model(model, settings, slots, listed)
    return model


def layer_arrays(model: Model) -> tuple[dict[str, Array], dict[str, dict[str, str]]]:
    """Return the arrays of the layers, and the text attributes of their groups, by path."""
    datasets: dict[str, Array] = {}
    attributes: dict[str, dict[str, str]] = {"vars": {"name": model.name}}
    for path, layer in stores.groups(model, ""):
        attributes[f"{path}/vars"] = {"name": layer.name}
        for place, variable in stores.variables(layer):
            datasets[f"{path}/{place}"] = variable.numpy()
    return datasets, attributes


def assign_layers(
    model: Model,
    arrays: Mapping[str, Array],
    names: Mapping[str, str | None],
    config: Any = None,
) -> None:
    """Copy arrays into the layers of a model.

    Args:
        model: a built model.
        arrays: the arrays by path.
        names: the name of the layer of each group.
        config: the model's configuration, where the file has it.

    Raises:
        FormatError: an array is missing, or does not fit.
    """
    groups = Groups(arrays, names)
    for path, layer in list(stores.groups(model, "", config)):
        group = groups.of(path, layer.name)
        own = groups.inside(group)
        places = [f"{group}/{place}" for place, _ in stores.variables(layer)]
        if len(own) == len(places) and all(place in groups.arrays for place in places):
            own = [groups.arrays[place] for place in places]
        _assign(layer, own, path)


def _version(archive: Archive, limits: Limits) -> Any:
    if METADATA not in archive:
        return "3"
    return from_json(archive.read(METADATA), METADATA, limits).get("keras_version", "3")


def _assign(layer: Layer, arrays: Sequence[Array], path: str) -> None:
    variables = layer.weights
    if len(arrays) < len(variables):
        raise MissingEntryError(
            f"{WEIGHTS}, {path}: expected {len(variables)} arrays for {layer.name!r}, "
            f"received {len(arrays)}"
        )
    if len(arrays) > len(variables):
        raise MismatchError(
            f"{WEIGHTS}, {path}: expected {len(variables)} arrays for {layer.name!r}, "
            f"received {len(arrays)}"
        )
    for variable, array in zip(variables, arrays, strict=True):
        snapshot.check_weight(f"{variable.path} ({path})", array, variable.shape)
        variable.assign(array)
