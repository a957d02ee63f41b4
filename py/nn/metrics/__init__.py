"""Metrics, accumulated over batches, named and defined as in Keras 3 (`keras.metrics`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nn.errors import ConfigError
from nn.identifiers import describe, resolve
from nn.losses import FUNCTIONS, Loss
from nn.losses import get as loss_named
from nn.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from nn.metrics.base import LossMetric, Mean, MeanMetric, Metric, Sum
from nn.metrics.confusion import ConfusionMatrix, F1Score, FBetaScore
from nn.metrics.constrained import (
    PrecisionAtRecall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
)
from nn.metrics.counts import (
    AUC,
    FalseNegatives,
    FalsePositives,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
)
from nn.metrics.losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsolutePercentageError,
    MeanMetricWrapper,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from nn.metrics.overlap import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from nn.metrics.regression import (
    ConcordanceCorrelation,
    MeanAbsoluteError,
    MeanSquaredError,
    PearsonCorrelation,
    R2Score,
    RootMeanSquaredError,
)
from nn.types import Array, Config

__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "BinaryIoU",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "ConcordanceCorrelation",
    "ConfusionMatrix",
    "CosineSimilarity",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "IoU",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanIoU",
    "MeanMetric",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "OneHotIoU",
    "OneHotMeanIoU",
    "PearsonCorrelation",
    "Poisson",
    "Precision",
    "PrecisionAtRecall",
    "R2Score",
    "Recall",
    "RecallAtPrecision",
    "RootMeanSquaredError",
    "SensitivityAtSpecificity",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SpecificityAtSensitivity",
    "SquaredHinge",
    "Sum",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "fitting",
    "get",
]

CLASSES: dict[str, type[Metric]] = {
    c.__name__: c
    for c in (
        Mean, Sum, Accuracy, SparseCategoricalAccuracy, CategoricalAccuracy, BinaryAccuracy,
        TopKCategoricalAccuracy, SparseTopKCategoricalAccuracy, MeanAbsoluteError,
        MeanSquaredError, RootMeanSquaredError, MeanAbsolutePercentageError,
        MeanSquaredLogarithmicError, LogCoshError, CosineSimilarity, R2Score, BinaryCrossentropy,
        CategoricalCrossentropy, SparseCategoricalCrossentropy, KLDivergence, Poisson, Hinge,
        SquaredHinge, CategoricalHinge, Precision, Recall, TruePositives, TrueNegatives,
        FalsePositives, FalseNegatives, AUC, F1Score, FBetaScore, ConfusionMatrix, IoU, BinaryIoU,
        MeanIoU, OneHotIoU, OneHotMeanIoU, SensitivityAtSpecificity, SpecificityAtSensitivity,
        PrecisionAtRecall, RecallAtPrecision, PearsonCorrelation, ConcordanceCorrelation,
    )
}  # fmt: skip
_ALIASES: dict[str, type[Metric]] = {c.default_name(): c for c in CLASSES.values()}
_ALIASES |= {
    "bce": BinaryCrossentropy,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
}
_ALIASES |= {name.upper(): _ALIASES[name] for name in ("bce", "mae", "mape", "mse", "msle")}


def get(identifier: Any) -> Metric:
    """Return the metric for a name, configuration or function; a `Metric` is returned as it is.

    Raises:
        ConfigError: the name is unknown.
    """
    if callable(identifier) or isinstance(identifier, Metric | dict) or _find(identifier):
        return resolve(identifier, Metric, _named, _of_function)
    return LossMetric(_loss(identifier))


deserialize = get


def serialize(metric: Metric) -> Config:
    """Return the metric's class and settings as Keras writes them."""
    return describe(metric)


OF_SAMPLES: tuple[type[MeanMetric], ...] = (
    BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, TopKCategoricalAccuracy,
    SparseTopKCategoricalAccuracy, PearsonCorrelation, ConcordanceCorrelation,
)  # fmt: skip
"""Metrics whose values of each sample Keras gives as a function too."""


def __getattr__(name: str) -> Any:
    """Return a function of `nn.losses`, as `mean_squared_error`, or of a metric's values."""
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    kind = next((kind for kind in OF_SAMPLES if kind.default_name() == name), None)
    if kind is not None:
        return _values(kind)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _values(kind: type[MeanMetric]) -> Callable[..., Array]:
    """Return the function of a metric: its value for each sample."""

    def values(y_true: Any, y_pred: Any, *settings: Any, **options: Any) -> Array:
        metric = kind(**dict(zip(kind.fields, settings, strict=False)), **options)
        made: Array = np.asarray(metric.values(*metric.numbers(y_true, y_pred)), float)
        return made

    values.__name__ = kind.default_name()
    return values


def _of_function(function: Any) -> Metric:
    return MeanMetricWrapper(function)


def fitting(name: str, y_true: Array, y_pred: Array) -> Metric:
    """Return the metric for a name given to `compile`; its name in the logs is `name`.

    As in Keras, "accuracy" selects the accuracy that fits the shapes of the arrays.
    """
    if name not in ("accuracy", "acc"):
        metric = get(name)
        metric.name = name
        return metric
    if y_pred.ndim < 2 or y_pred.shape[-1] == 1:
        return BinaryAccuracy(name)
    sparse = y_true.ndim < y_pred.ndim or y_true.shape[-1] == 1
    return SparseCategoricalAccuracy(name) if sparse else CategoricalAccuracy(name)


def _find(name: Any) -> type[Metric] | None:
    return CLASSES.get(name) or _ALIASES.get(name) if isinstance(name, str) else None


def _loss(name: Any) -> Loss:
    try:
        return loss_named(name)
    except ConfigError as error:
        raise ConfigError(
            f"metric: expected one of {sorted(_ALIASES)}, received {name!r}"
        ) from error


def _named(name: Any) -> type[Metric]:
    found = _find(name)
    if found is None:
        raise ConfigError(f"metric: expected one of {sorted(_ALIASES)}, received {name!r}")
    return found
