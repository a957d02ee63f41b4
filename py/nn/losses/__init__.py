"""Losses and their gradients, named and defined as in Keras 3 (`keras.losses`).

A loss computes one value per sample (and per position of any axis but the last). The values are
weighted by `sample_weight` and reduced. As in Keras, "sum_over_batch_size" (the default) divides
their sum by their number; only "mean_with_sample_weight" divides it by the sum of the weights.
"""

from __future__ import annotations

from typing import Any

from nn.errors import ConfigError
from nn.identifiers import describe, resolve
from nn.losses.alignment import CTC
from nn.losses.base import (
    ElementLoss,
    FunctionLoss,
    Loss,
    fit_weight,
    function_of,
    masked_weight,
    matching,
    same_rank,
)
from nn.losses.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
)
from nn.losses.focal import BinaryFocalCrossentropy, CategoricalFocalCrossentropy
from nn.losses.overlap import CategoricalGeneralizedCrossEntropy, Circle, Dice, Tversky
from nn.losses.regression import (
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SquaredHinge,
)
from nn.types import Config

__all__ = [
    "CTC",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "Circle",
    "CosineSimilarity",
    "Dice",
    "ElementLoss",
    "FunctionLoss",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "Tversky",
    "fit_weight",
    "get",
    "masked_weight",
    "matching",
    "same_rank",
    "serialize",
]

CLASSES: dict[str, type[Loss]] = {
    c.__name__: c
    for c in (
        BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy,
        CategoricalFocalCrossentropy, CategoricalHinge, CosineSimilarity, Hinge, Huber,
        KLDivergence, LogCosh, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError,
        MeanSquaredLogarithmicError, Poisson, SparseCategoricalCrossentropy, SquaredHinge, Dice,
        Tversky, CategoricalGeneralizedCrossEntropy, Circle, CTC,
    )
}  # fmt: skip
_ALIASES: dict[str, type[Loss]] = {c.default_name(): c for c in CLASSES.values()}
_ALIASES |= {
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "msle": MeanSquaredLogarithmicError,
    "huber": Huber,
    "kl_divergence": KLDivergence,
    "kld": KLDivergence,
    "log_cosh": LogCosh,
    "logcosh": LogCosh,
    "bce": BinaryCrossentropy,
}
_ALIASES |= {name.upper(): _ALIASES[name] for name in ("bce", "kld", "mae", "mape", "mse", "msle")}

FUNCTIONS = {name: function_of(kind) for name, kind in _ALIASES.items() if name.islower()}
"""Keras' functions of the losses, by name: `nn.losses.mean_squared_error` and the others."""


def get(identifier: Any) -> Loss:
    """Return the loss for a name, configuration or function; a `Loss` is returned as it is.

    Raises:
        ConfigError: the name is unknown.
    """
    return resolve(identifier, Loss, _named, _of_function)


def _of_function(function: Any) -> Loss:
    kind = getattr(function, "kind", None)
    return kind() if isinstance(kind, type) else FunctionLoss(function)


def __getattr__(name: str) -> Any:
    """Return Keras' function of a loss, as `nn.losses.mean_squared_error`."""
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _named(name: Any) -> type[Loss]:
    found = CLASSES.get(name) or _ALIASES.get(name) if isinstance(name, str) else None
    if found is None:
        raise ConfigError(f"loss: expected one of {sorted(_ALIASES)}, received {name!r}")
    return found


deserialize = get


def serialize(loss: Loss) -> Config:
    """Return the loss's class and settings as Keras writes them."""
    return describe(loss)
