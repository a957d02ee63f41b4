"""Regression metrics."""

from __future__ import annotations

import math

import numpy as np

from nn.losses import matching
from nn.metrics.base import MeanMetric
from nn.types import Array


class MeanAbsoluteErrorMetric(MeanMetric):
    """mean(|y_true - y_pred|)."""

    @classmethod
    def default_name(cls) -> str:
        return "mean_absolute_error"

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return np.asarray(np.abs(y_pred - matching(y_true, y_pred, self.name)).mean(axis=-1))


class MeanSquaredErrorMetric(MeanMetric):
    """mean((y_true - y_pred)^2)."""

    @classmethod
    def default_name(cls) -> str:
        return "mean_squared_error"

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return np.asarray(np.square(y_pred - matching(y_true, y_pred, self.name)).mean(axis=-1))


class RootMeanSquaredError(MeanSquaredErrorMetric):
    """sqrt(mean((y_true - y_pred)^2))."""

    @classmethod
    def default_name(cls) -> str:
        return "root_mean_squared_error"

    def result(self) -> float:
        return math.sqrt(super().result())
