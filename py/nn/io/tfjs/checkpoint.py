"""Training state of layers-models, as TensorFlow.js saves it with `includeOptimizer`.

`trainingConfig` holds the arguments of `compile`; the optimizer's variables are the weights of the
group "optimizer": the number of steps, then, slot by slot, one array per trained weight
(tfjs-core/src/optimizers/*.ts, `getConfig` and `getWeights`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nn.io.keras import checkpoint
from nn.io.snapshot import expect

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
    compiled = {**training, "optimizer_config": {"class_name": name, "config": config}}
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
