"""The `.keras` format of Keras 3: a zip of `metadata.json`, `config.json`, `model.weights.h5`.

>>> model = load(open("model.keras", "rb").read())      # what keras.Model.save wrote
>>> data = save(model)                                  # what keras.models.load_model reads

Keras walks a model and names the groups of its weights by class, numbered in order:
``layers/conv2d/vars/0``, ``layers/conv2d_1/vars/0``, ``layers/lstm/cell/vars/0``
(keras/src/saving/saving_lib.py). Topology, weights, the arguments of `compile` and the optimizer's
state are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.identifiers import snake_case
from nn.io import snapshot
from nn.io.archive import Archive, pack
from nn.io.errors import MismatchError, MissingEntryError, reads
from nn.io.hdf5 import read
from nn.io.keras import read_config, stores
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
    content = snapshot.take(model, include_optimizer=False)
    topology = {"class_name": model.kind, "config": content["config"]}
    datasets, attributes = layer_arrays(model)
    training = keras_training.settings(model) if include_optimizer else None
    document = keras_write.keras3(topology)
    if training is not None:
        model.trainer.prepare()
        document["compile_config"] = training
        attributes["optimizer/vars"] = {"name": model.optimizer.name}
        for index, array in enumerate(keras_training.variables(model)):
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
    document = from_json(archive.read(CONFIG), CONFIG, limits)
    topology = read_config.read(document, custom_objects, _version(archive, limits))
    model = snapshot.build(topology, custom_objects=custom_objects, limits=limits)
    arrays, attributes = read.read(archive.read(WEIGHTS), limits)
    assign_layers(model, arrays, {path: item.get("name") for path, item in attributes.items()})
    slots = _arrays(arrays, "optimizer") or None
    del arrays  # the model has copies; compiling needs memory too
    settings = document.get("compile_config")
    if compile and settings:
        part("nn.io.keras.checkpoint").compile_model(model, settings, slots)
    return model


def layer_arrays(model: Model) -> tuple[dict[str, Array], dict[str, dict[str, str]]]:
    """Return the arrays of the layers, and the text attributes of their groups, by path."""
    datasets: dict[str, Array] = {}
    attributes: dict[str, dict[str, str]] = {"vars": {"name": model.name}}
    for path, layer in _groups(model, ""):
        attributes[f"{path}/vars"] = {"name": layer.name}
        for place, variable in stores.variables(layer):
            datasets[f"{path}/{place}"] = variable.numpy()
    return datasets, attributes


def assign_layers(
    model: Model, arrays: Mapping[str, Array], names: Mapping[str, str | None]
) -> None:
    """Copy arrays into the layers of a model.

    Args:
        model: a built model.
        arrays: the arrays by path.
        names: the name of the layer of each group.

    Raises:
        FormatError: an array is missing, or does not fit.
    """
    arrays = {_plain_path(path): array for path, array in arrays.items()}
    names = {_plain_path(path): name for path, name in names.items()}
    for path, layer in list(_groups(model, "")):
        group = _named(path, layer, names)
        places = [f"{group}/{place}" for place, _ in stores.variables(layer)]
        known = all(place in arrays for place in places)
        own = [arrays[place] for place in places] if known else _arrays(arrays, group)
        _assign(layer, own, path)


def _version(archive: Archive, limits: Limits) -> Any:
    if METADATA not in archive:
        return "3"
    return from_json(archive.read(METADATA), METADATA, limits).get("keras_version", "3")


def _plain_path(path: str) -> str:
    """Return a path as Keras 3 writes it; Keras 2.12 and 2.13 call the layers otherwise.

    On Windows they put backslashes between the parts.
    """
    parts = path.replace("\\", "/").split("/")
    return "/".join(
        "layers" if part == "_layer_checkpoint_dependencies" else part for part in parts
    )


def _groups(model: Model, prefix: str) -> Iterator[tuple[str, Layer]]:
    """Yield (group path, layer) for the layers with weights, with paths as Keras names them."""
    used: dict[str, int] = {}
    for layer in model.layers:
        name = "functional" if _is_graph(layer) else snake_case(type(layer).__name__)
        used[name] = used.get(name, -1) + 1
        path = f"{prefix}layers/{name}_{used[name]}" if used[name] else f"{prefix}layers/{name}"
        if isinstance(layer, Model):
            yield from _groups(layer, f"{path}/")
        elif layer.variables:
            yield path, layer


def _is_graph(layer: Layer) -> bool:
    return type(layer).__name__ == "Model"


def _named(path: str, layer: Layer, names: Mapping[str, str | None]) -> str:
    """Return the group with the layer's name, or else the one at its place in the order."""
    parent = path.rpartition("/")[0]
    for group, name in names.items():
        if name == layer.name and group.endswith("/vars"):
            found = group.removesuffix("/vars")
            if found.rpartition("/")[0] == parent:
                return found
    return _located(path, names)


def _located(path: str, groups: Iterable[str]) -> str:
    """Return the group of a layer in a file without names.

    Keras 2.12 and 2.13 count some layers twice: dense, dense_2, dense_4.
    """
    place = ""
    for step in path.split("/"):
        match = re.fullmatch(r"(.*?)(?:_(\d+))?", step)
        kind, number = match.groups() if match else (step, None)
        pattern = re.compile(rf"{re.escape(place + kind)}(?:_(\d+))?")
        found = [m for m in map(pattern.fullmatch, groups) if m]
        found.sort(key=lambda m: int(m[1] or 0))
        index = int(number or 0)
        place = f"{found[index][0] if index < len(found) else place + step}/"
    return place[:-1]


def _arrays(arrays: Mapping[str, Array], group: str) -> list[Array]:
    """Return a layer's arrays: its own in order, then those of nested layers."""
    inside = [path for path in arrays if path.startswith(f"{group}/")]
    own = [path for path in inside if path.startswith(f"{group}/vars/")]
    rest = [path for path in inside if path not in own and "seed_generator" not in path]
    return [arrays[path] for path in [*sorted(own, key=_order), *sorted(rest, key=_order)]]


def _order(path: str) -> tuple[str, int, str]:
    group, _, number = path.rpartition("/")
    return group, int(number) if number.isdigit() else -1, number


def _assign(layer: Layer, arrays: Sequence[Array], path: str) -> None:
    variables = layer.variables
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
