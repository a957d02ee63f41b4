"""Regression metrics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nn import config
from nn.data.numeric import floats, whole
from nn.errors import ConfigError, ShapeError
from nn.losses import fit_weight, matching
from nn.metrics.base import MeanMetric, Metric
from nn.types import Array


def _errors(y_true: Array, y_pred: Array, where: str) -> Array:
    """Return the differences, which whole numbers of few bits could not hold."""
    if not y_pred.ndim:
        raise ShapeError(f"{where}: expected outputs (y_pred) with an axis, received one number")
    pred = floats(y_pred, np.float32)
    difference: Array = pred - matching(y_true, pred, where)
    return difference


class MeanAbsoluteError(MeanMetric):
    """mean(|y_true - y_pred|)."""

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return np.asarray(np.abs(_errors(y_true, y_pred, self.name)).mean(axis=-1))


class MeanSquaredError(MeanMetric):
    """mean((y_true - y_pred)^2)."""

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return np.asarray(np.square(_errors(y_true, y_pred, self.name)).mean(axis=-1))


class RootMeanSquaredError(MeanMetric):
    """sqrt(mean((y_true - y_pred)^2)); weights may be of samples or of elements."""

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return np.asarray(np.square(_errors(y_true, y_pred, self.name)))

    def result(self) -> float:
        return math.sqrt(super().result())


class R2Score(Metric):
    """1 - the squared errors over the squared deviations from the mean, of each output.

    Args:
        class_aggregation: None (one value per output), "uniform_average" or
            "variance_weighted_average".
        num_regressors: number of inputs, for the adjusted score; 0 for the plain one.
    """

    fields = ("class_aggregation", "num_regressors")
    sums = ("total", "squares", "errors", "count", "samples")

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = None,
        **others: Any,
    ) -> None:
        known = (None, "uniform_average", "variance_weighted_average")
        if class_aggregation not in known:
            raise ConfigError(
                f"R2Score: expected class_aggregation of {known}, received {class_aggregation!r}"
            )
        self.class_aggregation = class_aggregation
        self.num_regressors = whole(num_regressors, "R2Score: num_regressors", 0)
        super().__init__(name, **others)

    @classmethod
    def default_name(cls) -> str:
        return "r2_score"

    def reset_state(self) -> None:
        self.total: Any = 0.0
        self.squares: Any = 0.0
        self.errors: Any = 0.0
        self.count: Any = 0.0
        self.samples = 0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        labels, pred = self.numbers(y_true, y_pred)
        true = matching(labels, pred, self.name, exact=True).astype(np.float64)
        if true.ndim != 2:
            raise ShapeError(f"{self.name}: expected outputs (n, outputs), received {pred.shape}")
        weight: Array = np.ones(true.shape)
        if sample_weight is not None:
            weight = fit_weight(sample_weight, true.shape, weight.dtype)
        self.total = self.total + (weight * true).sum(axis=0)
        self.squares = self.squares + (weight * np.square(true)).sum(axis=0)
        self.errors = self.errors + (weight * np.square(pred - true)).sum(axis=0)
        self.count = self.count + weight.sum(axis=0)
        self.samples += true.size  # of all outputs, as in Keras

    def result(self) -> Any:
        if not self.samples:
            return 0.0
        spread = self.squares - self.total * self.total / self.count
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = np.nan_to_num(1 - self.errors / spread, nan=0.0, posinf=0.0, neginf=0.0)
        if self.class_aggregation == "uniform_average":
            scores = scores.mean()
        elif self.class_aggregation == "variance_weighted_average":
            scores = (scores * spread).sum() / spread.sum()
        left = self.samples - self.num_regressors - 1
        if self.num_regressors and left > 0:
            scores = 1 - (1 - scores) * (self.samples - 1) / left
        return [float(v) for v in scores] if np.ndim(scores) else float(scores)


class PearsonCorrelation(MeanMetric):
    """The correlation of labels and outputs along an axis (Pearson 1895)."""

    fields = ("axis",)

    def __init__(self, name: str | None = None, *, axis: int = -1, **others: Any) -> None:
        self.axis = self.along = int(axis)
        super().__init__(name, **others)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        true, pred = _centred(matching(y_true, y_pred, self.name), y_pred, self.axis)
        spread = np.sqrt(np.mean(true**2, self.axis) * np.mean(pred**2, self.axis))
        return np.asarray(np.mean(true * pred, self.axis) / spread)


class ConcordanceCorrelation(PearsonCorrelation):
    """How near labels and outputs are to being equal along an axis (Lin 1989)."""

    def values(self, y_true: Array, y_pred: Array) -> Array:
        labels = matching(y_true, y_pred, self.name)
        true, pred = _centred(labels, y_pred, self.axis)
        shift = np.mean(labels, self.axis) - np.mean(y_pred, self.axis)
        spread = np.mean(true**2, self.axis) + np.mean(pred**2, self.axis) + shift**2
        return np.asarray(2 * np.mean(true * pred, self.axis) / (spread + config.epsilon()))


def _centred(y_true: Array, y_pred: Array, axis: int) -> list[Array]:
    """Return both in float64 without their mean."""
    wide = [array.astype(np.float64) for array in (y_true, y_pred)]
    return [array - array.mean(axis, keepdims=True) for array in wide]
