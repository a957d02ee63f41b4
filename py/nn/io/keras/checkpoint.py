"""Keras' `compile_config` and optimizer state, read and written.

`compile_config` holds the arguments of `compile` as JSON: names, or {"module", "class_name",
"config", ...}. The optimizer's variables are one list: the step count, the learning rate unless it
is a schedule, then, slot by slot, one array per trainable weight; the two moments of Adam and
Adamax alternate (keras/src/optimizers/*.py, `build`).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nn import losses, metrics, optimizers, schedules
from nn.errors import ConfigError
from nn.io import checkpoint
from nn.io.errors import FormatError, MismatchError, UnsupportedError
from nn.io.snapshot import guarded
from nn.optimizers.base import ACCUMULATOR, AVERAGE
from nn.types import prod

if TYPE_CHECKING:
    from nn.models.model import Model
    from nn.variables import Variable

Array = NDArray[np.generic]
Json = dict[str, Any]

_TOGETHER = {
    "Adafactor": ("row", "column", "velocity"),
    "Adam": ("momentum", "velocity"),
    "AdamW": ("momentum", "velocity"),
    "Adadelta": ("accumulated_grad", "accumulated_delta_var"),
    "Adamax": ("momentum", "norm"),
    "Ftrl": ("accumulator", "linear"),
    "Lamb": ("momentum", "velocity"),
    "Muon": ("momentum", "velocity"),
    "Nadam": ("momentum", "velocity"),
    "ScheduleFreeAdamW": ("momentum", "velocity"),
}
_ARGUMENTS = ("loss", "loss_weights", "metrics", "weighted_metrics")


# Writing.


def settings(model: Model) -> Json | None:
    """Return Keras' `compile_config`, or None if the model is not compiled.

    Raises:
        UnsupportedError: Keras lacks a loss, metric or schedule.
    """
    if not model.compiled:
        return None
    plain = checkpoint.compile_settings(model)
    return {key: _written(value, key) for key, value in plain.items()}


_MODULES: dict[str, Mapping[str, Any]] = {
    "keras.optimizers": optimizers.CLASSES,
    "keras.losses": losses.CLASSES,
    "keras.metrics": metrics.CLASSES,
    "keras.optimizers.schedules": schedules.CLASSES,
}
_OURS_ALONE = ("ConfusionMatrix", "OneCycle")


def _written(value: Any, where: str) -> Any:
    if isinstance(value, list):
        return [_written(item, where) for item in value]
    if not isinstance(value, dict):
        return value
    if "class_name" not in value:
        return {
            key: _written(item, key if key in _ARGUMENTS else where) for key, item in value.items()
        }
    name = value["class_name"]
    if name in _OURS_ALONE:
        raise UnsupportedError(
            f"{where}: Keras has no {name}; save with include_optimizer=False, or compile without"
        )
    places = {"metrics": "keras.metrics", "weighted_metrics": "keras.metrics"}
    found = [module for module, classes in _MODULES.items() if name in classes]
    module = places[where] if places.get(where) in found else found[0]
    config = {key: _written(item, key) for key, item in value["config"].items()}
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


def variables(model: Model, listed: Sequence[Variable]) -> list[Array]:
    """Return the optimizer's variables, in Keras' order.

    Args:
        model: a compiled model.
        listed: its variables in that order; see `nn.io.keras.stores.ordered_variables`.
    """
    optimizer = model.optimizer
    count = np.asarray(optimizer.iterations, np.int32)
    rate = optimizer.rate
    head = [count] if callable(rate) else [count, np.asarray(rate, np.float32)]
    slots = [optimizer.state[s][span].reshape(v) for s, span, v in _places(model, listed)]
    return [*head, *slots, *_tail(optimizer)]


def _tail(optimizer: optimizers.Optimizer) -> list[Array]:
    """Return what Keras keeps behind the slots: of Nadam, a number that the steps give here."""
    if not isinstance(optimizer, optimizers.Nadam):
        return []
    return [np.asarray(optimizer.product(optimizer.iterations), np.float32)]


def _places(
    model: Model, listed: Sequence[Variable]
) -> Iterator[tuple[str, slice, tuple[int, ...]]]:
    """Yield slot, span and shape of each array, in the order of the variables."""
    optimizer, parameters = model.optimizer, model.parameters
    order = {variable: place for place, variable in enumerate(dict.fromkeys(listed))}
    pieces = list(zip(parameters.spans, parameters.variables, strict=True))
    pieces.sort(key=lambda piece: order.get(piece[1], len(order)))
    for slots in _groups(optimizer):
        for span, variable in pieces:
            for slot in slots:
                shape = optimizer.slot_shape(slot, variable)
                if shape is not None:
                    yield slot, slice(span.start, span.start + prod(shape)), shape


def _groups(optimizer: optimizers.Optimizer) -> Iterator[Sequence[str]]:
    together = _TOGETHER.get(type(optimizer).__name__, ())
    common = [s for s in (AVERAGE, ACCUMULATOR) if s in optimizer.all_slots()]
    yield from ([slot] for slot in common)
    if together:
        yield together
    yield from ([slot] for slot in optimizer.slots if slot not in together)


# Reading.


def compile_model(
    model: Model, config: Any, arrays: Sequence[Array] | None, listed: Sequence[Variable]
) -> None:
    """Compile the model from Keras' settings and restore the optimizer.

    If the engine lacks a setting, a RuntimeWarning names it and the model stays uncompiled, able to
    predict. If the optimizer's variables do not fit, as of a model that was frozen after it was
    trained, a RuntimeWarning says so and the optimizer starts over, as in Keras.

    Args:
        config: Keras' `compile_config` or older `training_config`; None does nothing.
        arrays: the optimizer's variables in Keras' order, if the file has them.
        listed: the model's variables in that order; see `nn.io.keras.stores.ordered_variables`.
    """
    chosen = _chosen(config)
    if chosen is None:
        return
    try:
        arguments = {key: _read(config.get(key), key) for key in _ARGUMENTS}
        optimizer = _optimizer(chosen)
        guarded(lambda: model.compile(optimizer, **arguments), "compile settings")
        guarded(lambda: model.trainer.prepare(), "compile settings")
    except FormatError as error:
        model._trainer = None
        warnings.warn(f"loaded without compiling: {error}", RuntimeWarning, stacklevel=4)
        return
    try:
        if arrays is not None:
            _restore(model, arrays, listed)
    except MismatchError as error:
        warnings.warn(f"the optimizer starts over: {error}", RuntimeWarning, stacklevel=4)


def for_every_output(model: Model, config: Json) -> Json:
    """Return a `training_config` of Keras 2 or TensorFlow.js with what it means in Keras 3.

    There a plain list of metrics is for each output, where it has one metric of each in Keras 3.
    """
    found, count = dict(config), len(model.outputs)
    for key in ("metrics", "weighted_metrics"):
        listed = found.get(key)
        if count > 1 and listed and isinstance(listed, list):
            plain = not any(isinstance(each, list) or each is None for each in listed)
            found[key] = [listed] * count if plain else listed
    return found


def _chosen(config: Any) -> Any:
    """Return the optimizer of the settings, or None if there is none."""
    found = config if isinstance(config, dict) else {}
    return found.get("optimizer", found.get("optimizer_config"))


# Names that losses had in Keras 2 and have in TensorFlow.js.
_OLDER = {
    "cosine_proximity": "cosine_similarity",
    "kullback_leibler_divergence": "kl_divergence",
}


def _read(value: Any, where: str) -> Any:
    """Return settings as `compile` accepts them, without those that only Keras needs."""
    if where == "loss" and isinstance(value, str):
        return _OLDER.get(value, value)
    if isinstance(value, list):
        return [_read(item, where) for item in value]
    if not isinstance(value, dict):
        return value
    if "class_name" not in value:
        return {key: _read(item, where) for key, item in value.items()}
    name, config = str(value["class_name"]).rpartition(">")[2], value.get("config")
    if name == "function":
        return config
    settings = config if isinstance(config, dict) else {}
    if name == "MeanMetricWrapper":  # Keras 2 stores a function's name
        return settings.get("fn")
    kept = {key: _read(item, key) for key, item in settings.items() if key != "dtype"}
    return {"class_name": name, "config": kept}


# Options of older Keras that do not change the result.
_INERT = ("jit_compile", "is_legacy_optimizer")


def _optimizer(value: Any) -> Any:
    if isinstance(value, str):
        return value
    read = _read(value, "optimizer")
    name = read.get("class_name") if isinstance(read, dict) else None
    found = optimizers.CLASSES.get(str(name))
    if found is None:
        known = ", ".join(optimizers.CLASSES)
        raise UnsupportedError(f"optimizer: expected one of {known}, received {value!r:.200}")
    known_options = {"name", "learning_rate", *found.common, *found.fields}
    config = {}
    for key, item in read["config"].items():
        if key in known_options:
            config[key] = item
        elif key == "lr":
            config["learning_rate"] = item
        elif item and key not in _INERT:
            raise UnsupportedError(f"optimizer {name}: no option {key!r} here, received {item!r}")
    return {"class_name": name, "config": config}


def _restore(model: Model, arrays: Sequence[Array], listed: Sequence[Variable]) -> None:
    """Copy an optimizer's variables into its slots.

    Raises:
        MismatchError: their number or shapes differ.
    """
    optimizer = model.optimizer
    places = list(_places(model, listed))
    head = 1 if callable(optimizer.rate) else 2
    if len(arrays) == 1 or (len(arrays) == 1 + len(places) and arrays[1].shape):
        head = 1  # Keras 2 keeps the rate, a number, with the settings
    if len(arrays) in (head, head + len(_tail(optimizer))):
        places = []  # saved before the first step
    tail = len(arrays) - head if not places else len(_tail(optimizer))
    if len(arrays) != head + len(places) + tail:
        raise MismatchError(
            f"optimizer: expected {head + len(places) + tail} variables, received {len(arrays)}"
        )
    state = optimizer.get_state() | {"iterations": int(np.ravel(arrays[0])[0])}
    for (slot, span, shape), array in zip(places, arrays[head : head + len(places)], strict=True):
        if array.shape != shape:
            raise MismatchError(
                f"optimizer, {slot}: expected shape {shape}, received {array.shape}"
            )
        state[slot][span] = array.ravel()
    try:
        optimizer.set_state(state)
    except ConfigError as error:
        raise MismatchError(f"optimizer: {error}") from error
