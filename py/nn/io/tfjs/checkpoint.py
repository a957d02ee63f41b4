"""Training state of layers-models, as TensorFlow.js saves it with `includeOptimizer`, both ways.

`trainingConfig` holds the arguments of `compile`; the optimizer's variables are the weights of the
group "optimizer": the number of steps, then, slot by slot, one array per trained weight
(tfjs-core/src/optimizers/*.ts, `getConfig` and `getWeights`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nn import losses, metrics
from nn.io.errors import UnsupportedError
from nn.io.keras import checkpoint
from nn.io.snapshot import expect
from nn.optimizers import Optimizer
from nn.training.compiled_outputs import nested, per_output

if TYPE_CHECKING:
    from nn.models.model import Model
    from nn.variables import Variable

Array = NDArray[np.generic]
Json = dict[str, Any]

# Class there -> class in Keras, and the number of its slots.
_OPTIMIZERS = {
    "Adadelta": ("Adadelta", 2),
    "Adagrad": ("Adagrad", 1),
    "Adam": ("Adam", 2),
    "Momentum": ("SGD", 1),
    "RMSProp": ("RMSprop", 2),
}
_SETTINGS = {
    "beta1": "beta_1",
    "beta2": "beta_2",
    "initialAccumulatorValue": "initial_accumulator_value",
    "learningRate": "learning_rate",
    "useNesterov": "nesterov",
}


# Reading.


def compile_model(
    model: Model, training: Json, arrays: Sequence[Array], listed: Iterable[Variable]
) -> None:
    """Compile the model from `trainingConfig` and restore the optimizer.

    What the engine lacks, and variables that do not fit, raise a RuntimeWarning, as in
    `nn.io.keras.checkpoint.compile_model`.

    Args:
        model: the model, with its weights.
        training: the `trainingConfig` of the file.
        arrays: the optimizer's variables in the order of the file.
        listed: the model's weights in the order of the file.

    Raises:
        MissingEntryError: `trainingConfig` names no optimizer.
    """
    item = expect(training, "optimizer_config", dict, "trainingConfig")
    kind = expect(item, "class_name", str, "trainingConfig, optimizer")
    given = expect(item, "config", dict, "trainingConfig, optimizer")
    config = {_setting(kind, key): value for key, value in given.items()}
    name, slots = _OPTIMIZERS.get(kind, (kind, 0))
    compiled = checkpoint.for_every_output(model, training)
    compiled["optimizer_config"] = {"class_name": name, "config": config}
    ordered = _as_in_keras(kind, slots, config, arrays) if arrays else None
    checkpoint.compile_model(model, compiled, ordered, [*listed])


def _setting(kind: str, key: str) -> str:
    return "rho" if (kind, key) == ("RMSProp", "decay") else _SETTINGS.get(key, key)


def _as_in_keras(kind: str, slots: int, config: Json, arrays: Sequence[Array]) -> list[Array]:
    """Return the optimizer's variables as Keras has them, in its order."""
    steps, rest = arrays[0], arrays[1:]
    slots += bool(config.get("centered"))
    each = len(rest) // max(slots, 1)
    groups = [rest[i * each : (i + 1) * each] for i in range(slots)]
    if kind == "Momentum":  # the rate is applied to the sum there, and to its terms in Keras
        groups = [[np.multiply(array, -config["learning_rate"]) for array in groups[0]]]
    if kind == "RMSProp" and not config.get("momentum"):
        del groups[1]  # only zeros
    lines = zip(*groups, strict=True) if kind in ("Adadelta", "Adam") else groups
    return [steps, *chain.from_iterable(lines), *rest[slots * each :]]


# Writing.

# Loss or metric -> its name there.
_LOSSES = {
    "BinaryCrossentropy": "binary_crossentropy",
    "CategoricalCrossentropy": "categorical_crossentropy",
    "CategoricalHinge": "categorical_hinge",
    "CosineSimilarity": "cosine_proximity",
    "Hinge": "hinge",
    "KLDivergence": "kullback_leibler_divergence",
    "LogCosh": "logcosh",
    "MeanAbsoluteError": "mean_absolute_error",
    "MeanAbsolutePercentageError": "mean_absolute_percentage_error",
    "MeanSquaredError": "mean_squared_error",
    "MeanSquaredLogarithmicError": "mean_squared_logarithmic_error",
    "Poisson": "poisson",
    "SparseCategoricalCrossentropy": "sparse_categorical_crossentropy",
    "SquaredHinge": "squared_hinge",
}
_METRICS = {
    "BinaryAccuracy": "binary_accuracy",
    "CategoricalAccuracy": "categorical_accuracy",
    "CategoricalCrossentropy": "categorical_crossentropy",
    "MeanAbsoluteError": "mae",
    "MeanAbsolutePercentageError": "mape",
    "MeanSquaredError": "mse",
    "SparseCategoricalCrossentropy": "sparse_categorical_crossentropy",
}
# Settings of an optimizer there, and its slots, which are kept one after the other.
_WRITTEN = {
    "Adagrad": ("Adagrad", {"initial_accumulator_value"}, ("accumulator",)),
    "Adam": ("Adam", {"beta_1", "beta_2", "epsilon"}, ("momentum", "velocity")),
    "RMSprop": ("RMSProp", {"rho", "momentum", "epsilon"}, ("velocity", "momentum")),
    "SGD": ("SGD", {"momentum", "nesterov"}, ()),
}
_CAMEL = {ours: theirs for theirs, ours in _SETTINGS.items()} | {"rho": "decay"}


def settings(model: Model) -> Json:
    """Return the `trainingConfig` of a compiled model.

    Raises:
        UnsupportedError: TensorFlow.js lacks an argument of `compile`, or computes it otherwise.
    """
    given, names = model.trainer.settings, model.output_names
    for key in ("loss_weights", "weighted_metrics"):
        if given[key]:
            raise UnsupportedError(f"compile: TensorFlow.js reads no {key}, received {given[key]}")
    found = [_loss(loss) for loss in per_output(given["loss"], names, "loss")]
    watched = [[_metric(m) for m in each] for each in nested(given["metrics"], names, "metrics")]
    kind, config, _ = _optimizer(model.optimizer)
    return {
        "optimizer_config": {"class_name": kind, "config": config},
        "loss": found if len(found) > 1 else found[0],
        "metrics": watched[0] if _alike(watched) else _by_output(model, watched),
    }


def variables(model: Model, weights: Mapping[str, Variable]) -> dict[str, Array]:
    """Return the optimizer's variables by name, in the order that TensorFlow.js reads.

    Args:
        model: a compiled model.
        weights: its variables by TensorFlow.js' names, in the order of the file.

    Raises:
        UnsupportedError: layers have been frozen since `compile`, or thawed, which it can't know.
    """
    model.trainer.prepare()
    optimizer, trained = model.optimizer, set(model.parameters.variables)
    if trained != set(model.trainable_weights):
        raise UnsupportedError("expected a model compiled after layers were frozen, compile again")
    kind, config, slots = _optimizer(optimizer)
    found: dict[str, Array] = {"iter": np.asarray(optimizer.iterations, np.int32)}
    for slot in slots:
        for name, variable in weights.items():
            if variable in trained:
                held = slot in optimizer.slots
                array = optimizer.part(slot, variable) if held else np.zeros_like(variable.value)
                if kind == "Momentum":  # see `_as_in_keras`
                    array = np.divide(array, -config["learningRate"])
                found[f"{name}/{slot}"] = array
    return found


def _optimizer(optimizer: Optimizer) -> tuple[str, Json, Sequence[str]]:
    """Return an optimizer's class there, its settings and its slots."""
    name, config = type(optimizer).__name__, optimizer.get_config()
    if name not in _WRITTEN:
        known = ", ".join(_WRITTEN)
        raise UnsupportedError(f"optimizer: TensorFlow.js trains on with {known}, received {name}")
    kind, keys, slots = _WRITTEN[name]
    rate = config["learning_rate"]
    if not isinstance(rate, float | int) or rate <= 0:
        raise UnsupportedError(f"optimizer: TensorFlow.js takes a learning rate, received {rate}")
    plain = type(optimizer)().get_config()
    for key, value in config.items():
        fixed = key not in (*keys, "name", "learning_rate") or (name, key) == ("Adam", "epsilon")
        if fixed and value != plain[key]:
            raise UnsupportedError(f"{name}: TensorFlow.js has no {key}={value}")
    settings = {_CAMEL.get(key, key): config[key] for key in ("learning_rate", *sorted(keys))}
    if name == "RMSprop":
        settings["centered"] = False
    if name != "SGD":
        return kind, settings, slots
    if config["momentum"]:
        return "Momentum", settings, ("momentum",)
    return kind, {"learningRate": rate}, slots


def _loss(given: Any) -> str:
    loss = None if given is None else losses.get(given)
    return _name(loss, _LOSSES, "loss")


def _metric(given: Any) -> str:
    if given in ("accuracy", "acc"):
        return str(given)
    metric = metrics.get(given)
    return _name(getattr(metric, "loss", metric), _METRICS, "metric")


def _name(value: Any, known: Mapping[str, str], what: str) -> str:
    """Return the name there of a loss or metric with no options of its own."""
    name = type(value).__name__
    found = known.get(name)
    if found is None:
        raise UnsupportedError(f"{what}: TensorFlow.js has {', '.join(known)}; received {name}")
    plain = type(value)().get_config()
    for key, option in value.get_config().items():
        if key not in ("name", "dtype") and option != plain[key]:
            raise UnsupportedError(f"{what} {name}: TensorFlow.js has no {key}={option!r}")
    return found


def _alike(watched: Sequence[Sequence[str]]) -> bool:
    """Return whether all outputs have the same metrics: a list is for each of them there."""
    return all(each == watched[0] for each in watched)


def _by_output(model: Model, watched: Sequence[Sequence[str]]) -> dict[str, str]:
    """Return one metric of each output by the name of its layer."""
    named = {}
    for tensor, each in zip(model.outputs, watched, strict=True):
        if len(each) > 1:
            raise UnsupportedError(f"metrics: TensorFlow.js reads one an output, received {each}")
        if each:
            named[tensor.node.layer.name] = each[0]
    return named
