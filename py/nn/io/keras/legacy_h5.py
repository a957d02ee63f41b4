"""Reader of Keras' older whole-model files, `.h5`: topology, weights, arguments of `compile`.

>>> model = nn.io.load(open("model.h5", "rb").read())   # what keras.Model.save("model.h5") wrote

Keras 2 and 3 store the topology as JSON in an attribute of the file, and the weights by layer in
the order of the attribute `weight_names` (keras/src/legacy/saving/legacy_h5_format.py). To save for
Keras, write `.keras`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nn.io import snapshot
from nn.io.errors import MismatchError, MissingEntryError, reads
from nn.io.hdf5 import read
from nn.io.keras import arrays as arrays_of_calls
from nn.io.keras import read_config, stores
from nn.io.limits import DEFAULT_LIMITS, Limits
from nn.io.tree import from_json
from nn.lazy import load as part

if TYPE_CHECKING:
    from nn.layers.base import Layer
    from nn.models.model import Model

Array = NDArray[np.generic]
Attributes = Mapping[str, Mapping[str, Any]]

_ATTRIBUTES = ("model_config", "training_config", "keras_version")
WEIGHTS, OPTIMIZER = "model_weights", "optimizer_weights"


@reads("h5")
def load(
    data: bytes,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    compile: bool = True,
) -> Model:
    """Return the model in a `.h5` file; the arguments are those of `nn.io.npz.load`.

    Raises:
        MissingEntryError: the file holds weights only.
        FormatError: see `nn.io.errors` for its subclasses.
    """
    arrays, attributes = read.read(data, limits, _ATTRIBUTES)
    document = _document(attributes, "model_config", limits)
    if document is None:
        raise MissingEntryError(
            "h5: expected a whole model, found no 'model_config': a file of weights alone has no "
            "topology; save the model as .keras"
        )
    version = attributes[""].get("keras_version", "2")
    topology = read_config.read(arrays_of_calls.placed(document), custom_objects, version)
    model = snapshot.build(topology, custom_objects=custom_objects, limits=limits)
    for layer in model.layers:
        if layer.variables:
            _assign(layer, _listed(arrays, attributes, f"{WEIGHTS}/{layer.name}"))
    settings = _document(attributes, "training_config", limits)
    if compile and settings:
        slots = _slots(arrays, attributes)
        listed = stores.ordered_variables(topology["config"], model)
        checkpoint = part("nn.io.keras.checkpoint")
        if not str(version).startswith("3"):
            settings = checkpoint.for_every_output(model, settings)
        checkpoint.compile_model(model, settings, slots, listed)
    return model


def _document(attributes: Attributes, name: str, limits: Limits) -> Any:
    text = attributes.get("", {}).get(name)
    if not isinstance(text, str):
        return None
    return from_json(text.encode(errors="replace"), f"h5, {name}", limits)


def _names(attributes: Mapping[str, Any]) -> list[str]:
    """Return `weight_names`, which Keras splits into several attributes above 64 KiB."""
    whole = attributes.get("weight_names")
    if whole is not None:
        return list(whole)
    names: list[str] = []
    while f"weight_names{len(names)}" in attributes:
        names.append(f"weight_names{len(names)}")
    return [name for part in names for name in attributes[part]]


def _listed(arrays: Mapping[str, Array], attributes: Attributes, group: str) -> list[Array]:
    """Return the arrays of a group in the listed order.

    Raises:
        MissingEntryError: the group or a listed array is missing.
    """
    if group not in attributes:
        raise MissingEntryError(f"h5: expected a group {group!r}, found none")
    paths = [f"{group}/{name}" for name in _names(attributes[group])]
    missing = [path for path in paths if path not in arrays]
    if missing:
        raise MissingEntryError(f"h5: expected an array {missing[0]!r}, found none")
    return [arrays[path] for path in paths]


def _assign(layer: Layer, arrays: Sequence[Array]) -> None:
    variables = [*layer.trainable_weights, *layer.non_trainable_weights]
    if len(arrays) != len(variables):
        raise MismatchError(
            f"h5, {layer.name!r}: expected {len(variables)} arrays, received {len(arrays)}"
        )
    for variable, array in zip(variables, arrays, strict=True):
        snapshot.check_weight(f"{variable.path} (h5)", array, variable.shape)
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _slots(arrays: Mapping[str, Array], attributes: Attributes) -> list[Array] | None:
    """Return the optimizer's variables; those before Keras 2.11 have another order."""
    names = _names(attributes.get(OPTIMIZER, {}))
    if not names or names[0].removesuffix(":0").rpartition("/")[2] != "iteration":
        return None
    return _listed(arrays, attributes, OPTIMIZER)
