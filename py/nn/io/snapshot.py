"""Conversion of a model to plain data and arrays, and back.

{"class_name": "Sequential", "config": {…},            topology, from get_config
 "weights": {"conv2d/kernel": array, …},               by path, in the model's order
 "training": {"compile": {…}, "optimizer": {…},        None if the model is not compiled
              "generator": {…}, "history": {…}, …}}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn import config
from nn.errors import NNError, TooLargeError
from nn.identifiers import CUSTOM
from nn.io.errors import (
    CorruptError,
    FormatError,
    LimitError,
    MismatchError,
    MissingEntryError,
    UnsupportedError,
)
from nn.io.limits import DEFAULT_LIMITS, Limits
from nn.layers.base import Layer
from nn.lazy import load
from nn.models.model import Model
from nn.registry import models
from nn.variables import Variable

Array = NDArray[np.generic]
Json = dict[str, Any]

WEIGHTS = "weights/"


def get_state(model: Model, *, include_optimizer: bool = True) -> Json:
    """Return the complete state of a model: topology, weights and training state.

    Raises:
        UnsupportedError: two weights have the same path, or the loss is not the engine's.
    """
    compiled = include_optimizer and model.compiled
    return {
        "class_name": type(model).__name__,
        "config": model.get_config(),
        "labels": None if model.labels is None else [str(label) for label in model.labels],
        "weights": get_weights(model),
        "training": load("nn.io.checkpoint").get_state(model) if compiled else None,
    }


def get_weights(model: Model) -> dict[str, Array]:
    """Return copies of the weights by path.

    Raises:
        UnsupportedError: two weights have the same path.
    """
    return {path: variable.numpy() for path, variable in weight_paths(model).items()}


def weight_paths(model: Model, *, flat: bool = False) -> dict[str, Variable]:
    """Return the weights by path: "dense/kernel", or "encoder/dense/kernel" in a nested model.

    Where a layer inside another has the name of one outside, its paths begin with the other's name;
    where two inside one have the same name, as cells have, with the names of all around, and the
    second's own ends in _1.

    Args:
        model: a built model.
        flat: leave out the names of nested models, as TensorFlow.js does.

    Raises:
        UnsupportedError: two weights have the same path.
    """
    found = list(_paths(model, "", flat))
    short, longer = (Counter(way[length] for way in found) for length in (0, 1))
    paths = {
        a if short[a] == 1 else b if longer[b] == 1 else c: variable for a, b, c, variable in found
    }
    if len(paths) != len(found):
        raise UnsupportedError(f"{model.name}: expected distinct weight paths, name its layers")
    return paths


def _paths(model: Model, prefix: str, flat: bool) -> Iterator[tuple[str, str, str, Variable]]:
    """Yield three paths that each weight may have, from the shortest on, and the weight."""
    for layer in model.layers:
        if isinstance(layer, Model):
            yield from _paths(layer, prefix if flat else f"{prefix}{layer.name}/", flat)
            continue
        places = _places(layer, f"{prefix}{layer.name}/")
        for variable in layer.variables:
            short = f"{prefix}{variable.path}"
            longer = f"{prefix}{layer.name}/{variable.path}"
            if variable.path.startswith(f"{layer.name}/"):
                yield short, short, short, variable
            else:
                yield short, longer, places.get(variable, longer), variable


def _places(layer: Layer, prefix: str) -> dict[Variable, str]:
    """Return the path of each weight of a layer by the names of all layers around it."""
    found = {variable: f"{prefix}{variable.name}" for variable in layer.own_variables}
    names = Counter[str]()
    for inner in layer.sublayers:
        number = names[inner.name]
        names[inner.name] += 1
        found |= _places(inner, f"{prefix}{inner.name}{f'_{number}' if number else ''}/")
    return found


def from_state(
    content: Any,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    compile: bool = True,
) -> Model:
    """Return the model that `get_state` described; with `compile=False`, without training state.

    Raises:
        FormatError: a part is missing, has an unknown class, or does not fit the others.
    """
    where = "model"
    topology = {key: expect(content, key, kind, where) for key, kind in _PARTS.items()}
    model = build(topology, custom_objects=custom_objects, limits=limits)
    set_weights(model, expect(content, "weights", dict, where))
    content["weights"] = {}  # the model has copies; what follows needs memory too
    if content.get("labels") is not None:  # files of earlier versions of nn have none
        model.labels = [str(label) for label in expect(content, "labels", list, where)]
    training = content.get("training") if compile else None
    if training is not None:
        load("nn.io.checkpoint").set_state(model, training)
    return model


_PARTS: dict[str, type] = {"class_name": str, "config": dict}


def expect(content: Any, key: str, kind: type, where: str) -> Any:
    """Return a part of a document.

    Raises:
        MissingEntryError: the part is missing or has another type.
    """
    value = content.get(key) if isinstance(content, dict) else None
    if not isinstance(value, kind):
        raise MissingEntryError(
            f"{where}: expected {key!r} to be {kind.__name__}, received {type(value).__name__}"
        )
    return value


def build(
    topology: Json,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Model:
    """Return the model of ``{"class_name": …, "config": …}`` with new weights.

    Raises:
        LimitError: its weights take more than ``limits.total`` bytes.
        CorruptError: a layer or a connection is impossible.
    """
    name = topology["class_name"]
    found = {**CUSTOM, **(custom_objects or {})}.get(name) or models.get(name)
    if not (isinstance(found, type) and issubclass(found, Model)):
        raise CorruptError(f"topology: expected one of {', '.join(models)}, received {name!r}")
    settings = topology["config"]
    with config.later_weights():
        made: Model = guarded(
            lambda: found.from_config(settings, custom_objects), "topology", limits
        )
    return made


def guarded(make: Callable[[], Any], where: str, limits: Limits = DEFAULT_LIMITS) -> Any:
    """Return ``make()``, converting its errors to errors of the document named ``where``.

    A configuration reaches every constructor of the engine; each checks its own arguments.

    Raises:
        LimitError: the weights take more than ``limits.total`` bytes.
        CorruptError: a constructor refused its arguments.
    """
    try:
        with config.weight_limit(limits.total):
            return make()
    except FormatError:
        raise
    except (TooLargeError, MemoryError) as error:
        raise LimitError(f"{where}: {error}") from error
    except (NNError, *_OBJECTIONS) as error:
        raise CorruptError(f"{where}: {type(error).__name__}: {error}") from error


_OBJECTIONS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def set_weights(model: Model, weights: Mapping[str, Array]) -> None:
    """Copy arrays into the model's weights by path. If one does not fit, nothing changes.

    Raises:
        FormatError: as `assign`.
    """
    assign(weight_paths(model), weights)


def assign(variables: Mapping[str, Variable], weights: Mapping[str, Array]) -> None:
    """Copy arrays into variables by name. If one does not fit, nothing changes.

    Raises:
        MissingEntryError: the array of a weight is missing.
        MismatchError: a shape differs, or an array belongs to no weight.
    """
    missing = [path for path in variables if path not in weights]
    if missing:
        raise MissingEntryError(f"weights: expected {', '.join(missing)}, which are missing")
    extra = [path for path in weights if path not in variables]
    if extra:
        raise MismatchError(f"weights: {', '.join(extra)} belong to no layer of the model")
    for path, variable in variables.items():
        check_weight(path, weights[path], variable.shape)
    for path, variable in variables.items():
        variable.assign(weights[path])


def check_weight(path: str, array: Any, shape: tuple[int, ...]) -> None:
    """Raise MismatchError unless ``array`` is real-valued and has this shape."""
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise MismatchError(f"weight {path}: expected an array, received {type(array).__name__}")
    if array.shape != shape:
        raise MismatchError(f"weight {path}: expected shape {shape}, received {array.shape}")
