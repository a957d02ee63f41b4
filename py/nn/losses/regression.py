"""Regression, hinge and divergence losses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nn import config
from nn.losses.base import ElementLoss, Loss
from nn.types import Array


class MeanSquaredError(ElementLoss):
    """mean((y_true - y_pred)^2)."""

    fused_activation = "linear"

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        error = y_pred - y_true
        return np.square(error), 2 * error


class MeanAbsoluteError(ElementLoss):
    """mean(|y_true - y_pred|)."""

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        error = y_pred - y_true
        return np.abs(error), np.sign(error)


class MeanAbsolutePercentageError(ElementLoss):
    """100 * mean(|y_true - y_pred| / max(|y_true|, epsilon))."""

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        scale = 100 / np.maximum(np.abs(y_true), y_true.dtype.type(config.epsilon()))
        error = y_pred - y_true
        return np.abs(error) * scale, np.sign(error) * scale


class MeanSquaredLogarithmicError(ElementLoss):
    """mean((log(y_true + 1) - log(y_pred + 1))^2), both clipped to at least epsilon."""

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        epsilon = y_pred.dtype.type(config.epsilon())
        pred = np.maximum(y_pred, epsilon)
        error = np.log1p(pred) - np.log1p(np.maximum(y_true, epsilon))
        return np.square(error), 2 * error / (pred + 1) * (y_pred >= epsilon)


class Huber(ElementLoss):
    """Squared near zero, linear beyond `delta` (Huber 1964)."""

    fields = ("delta",)

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(reduction, name, **others)
        self.delta = delta

    @classmethod
    def default_name(cls) -> str:
        return "huber_loss"

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        error = y_pred - y_true
        size = np.abs(error)
        beyond = self.delta * size - 0.5 * self.delta**2
        value = np.where(size <= self.delta, 0.5 * np.square(error), beyond)
        return value, np.clip(error, -self.delta, self.delta)


class LogCosh(ElementLoss):
    """mean(log(cosh(y_pred - y_true)))."""

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        error = y_pred - y_true
        size = np.abs(error)
        return size + np.log1p(np.exp(-2 * size)) - math.log(2), np.tanh(error)


class Poisson(ElementLoss):
    """mean(y_pred - y_true * log(y_pred + epsilon))."""

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        shifted = y_pred + y_pred.dtype.type(config.epsilon())
        return y_pred - y_true * np.log(shifted), 1 - y_true / shifted


class Hinge(ElementLoss):
    """mean(max(1 - y_true * y_pred, 0)); labels 0 and 1 are converted to -1 and 1."""

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        signs = _signs(y_true)
        margin = np.maximum(1 - signs * y_pred, 0)
        return margin, -signs * (margin > 0)


class SquaredHinge(ElementLoss):
    """mean(max(1 - y_true * y_pred, 0)^2); labels 0 and 1 are converted to -1 and 1."""

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        signs = _signs(y_true)
        margin = np.maximum(1 - signs * y_pred, 0)
        return np.square(margin), -2 * signs * margin


def _signs(y_true: Array) -> Array:
    binary = np.all((y_true == 0) | (y_true == 1))
    return np.where(binary, 2 * y_true - 1, y_true)


class CategoricalHinge(Loss):
    """max(1 + max((1 - y_true) * y_pred) - sum(y_true * y_pred), 0)."""

    def call(self, y_true: Array, y_pred: Array) -> Array:
        positive = (y_true * y_pred).sum(axis=-1)
        negative = ((1 - y_true) * y_pred).max(axis=-1)
        return np.asarray(np.maximum(1 + negative - positive, 0))

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        others = (1 - y_true) * y_pred
        largest = others == others.max(axis=-1, keepdims=True)
        share = largest / largest.sum(axis=-1, keepdims=True)
        active = self.call(y_true, y_pred)[..., None] > 0
        return np.asarray(active * (share * (1 - y_true) - y_true))


class KLDivergence(Loss):
    """sum(y_true * log(y_true / y_pred)), clipped to [epsilon, 1] (Kullback and Leibler 1951)."""

    def call(self, y_true: Array, y_pred: Array) -> Array:
        true, pred = (np.clip(y, config.epsilon(), 1) for y in (y_true, y_pred))
        losses: Array = (true * np.log(true / pred)).sum(axis=-1)
        return losses

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        inside = (y_pred >= config.epsilon()) & (y_pred <= 1)
        return -np.clip(y_true, config.epsilon(), 1) / np.clip(y_pred, config.epsilon(), 1) * inside


class CosineSimilarity(Loss):
    """-sum(normalized y_true * normalized y_pred) along `axis`."""

    fields = ("axis",)

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(reduction, name, **others)
        self.axis = axis

    def call(self, y_true: Array, y_pred: Array) -> Array:
        return -(_unit(y_true)[0] * _unit(y_pred)[0]).sum(axis=-1)

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        true, (pred, size) = _unit(y_true)[0], _unit(y_pred)
        return -(true - pred * (true * pred).sum(axis=-1, keepdims=True)) / size


def _unit(x: Array) -> tuple[Array, Array]:
    size = np.sqrt(np.maximum(np.square(x).sum(axis=-1, keepdims=True), 1e-12))
    return x / size, size
