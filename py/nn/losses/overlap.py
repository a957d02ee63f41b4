"""Losses of regions (Dice, Tversky), of labels with noise, and of embeddings (Circle)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn import config
from nn.data.numeric import floats, numeric
from nn.differentiate import differentiate
from nn.errors import ConfigError, ShapeError
from nn.layers.base import expect_axes
from nn.losses.base import Loss, integer_labels, masked_weight
from nn.types import Array


class Overlap(Loss):
    """Base of losses that compare labels and outputs by sums over axes.

    Args:
        axis: the axes of the sums, one or several; all of them by default, which gives one loss
            for the whole batch.
    """

    axis: Any = None

    def __init__(self, axis: Any, reduction: str | None, name: str | None, **others: Any) -> None:
        super().__init__(reduction, name, **others)
        if isinstance(axis, Sequence):
            self.axis = tuple(map(int, axis))
        elif axis is not None:
            self.axis = int(axis)

    def overlap(self, y_true: Array, y_pred: Any) -> Any:
        """Return how much the two have in common, from 0 to 1."""
        raise NotImplementedError(f"{type(self).__name__} must define overlap")

    def total(self, values: Any) -> Any:
        return np.sum(values, axis=self.axis)

    def call(self, y_true: Array, y_pred: Any) -> Any:
        return 1 - self.overlap(y_true, y_pred)

    def lined(self, y_true: Any, y_pred: Array) -> tuple[Any, Array]:
        return y_true, y_pred

    def prepare(self, y_true: Any, y_pred: Array) -> Array:
        axes = list(self.axis) if isinstance(self.axis, tuple) else self.axis
        expect_axes(axes, y_pred.ndim, self.name)
        return super().prepare(y_true, y_pred)

    def step(self, y_true: Any, y_pred: Array, sample_weight: Any = None) -> tuple[float, Array]:
        true = self.prepare(y_true, y_pred)
        losses, pull = differentiate(self.call, true, y_pred, wrt=1)
        scale = self.scale(losses.shape, sample_weight, y_pred.dtype)
        return float(np.sum(losses * scale)), pull(
            np.broadcast_to(np.sum(scale) if losses.ndim == 0 else scale, losses.shape)
        )

    def scale(self, shape: tuple[int, ...], sample_weight: Any, dtype: Any) -> Any:
        """Return the factor of each loss. One loss of a whole batch has the weights of all."""
        if sample_weight is not None and not shape:
            sample_weight = numeric(sample_weight, f"{self.name}: sample_weight")
            shape = sample_weight.shape
        return super().scale(shape, sample_weight, dtype)


class Dice(Overlap):
    """1 - 2 * sum(true * pred) / (sum(true) + sum(pred)) (Sudre et al. 2017)."""

    fields = ("axis",)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        axis: int | Sequence[int] | None = None,
        **others: Any,
    ) -> None:
        super().__init__(axis, reduction, name, **others)

    def overlap(self, y_true: Array, y_pred: Any) -> Any:
        both = self.total(y_true * y_pred)
        return 2 * both / (self.total(y_true) + self.total(y_pred) + config.epsilon())


class Tversky(Overlap):
    """Dice with weights of false positives and negatives (Salehi et al. 2017).

    Args:
        alpha: the weight of what only the labels have.
        beta: the weight of what only the outputs have.
        reduction: one of `nn.losses.base.REDUCTIONS`.
        name: shown in logs.
        axis: see `Overlap`.
        others: arguments of Keras that mean nothing here.
    """

    fields = ("alpha", "beta", "axis")

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        axis: int | Sequence[int] | None = None,
        **others: Any,
    ) -> None:
        super().__init__(axis, reduction, name, **others)
        self.alpha = alpha
        self.beta = beta

    def overlap(self, y_true: Array, y_pred: Any) -> Any:
        both = self.total(y_true * y_pred)
        labels, outputs = self.total((1 - y_pred) * y_true), self.total(y_pred * (1 - y_true))
        return both / (both + self.alpha * labels + self.beta * outputs + config.epsilon())


class CategoricalGeneralizedCrossEntropy(Loss):
    """(1 - p^q) / q of the labelled class, for labels some of which are wrong (Zhang 2018).

    Args:
        q: from 0 (as cross-entropy) to 1 (as mean absolute error), both excluded.
        reduction: one of `nn.losses.base.REDUCTIONS`.
        name: shown in logs.
        others: arguments of Keras that mean nothing here.
    """

    fields = ("q",)

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        **others: Any,
    ) -> None:
        if not 0 < q < 1:
            raise ConfigError(f"{type(self).__name__}: q must be between 0 and 1, received {q}")
        super().__init__(reduction, name, **others)
        self.q = q

    def prepare(self, y_true: Any, y_pred: Array) -> Array:
        labels, classes = integer_labels(y_true, y_pred, self.name), y_pred.shape[-1]
        if labels.size and not (labels.min() >= 0 and labels.max() < classes):
            raise ShapeError(
                f"{self.name}: expected labels from 0 to {classes - 1}, "
                f"received {labels.min()} to {labels.max()}"
            )
        return np.asarray(labels[..., None] == np.arange(classes), y_pred.dtype)

    def call(self, y_true: Array, y_pred: Array) -> Array:
        return np.asarray((1 - np.sum(y_pred * y_true, axis=-1) ** self.q) / self.q)

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        p = np.sum(y_pred * y_true, axis=-1, keepdims=True)
        return -(p ** (self.q - 1)) * y_true


class Circle(Loss):
    """Of embeddings of length 1 and their labels (Sun et al. 2020).

    Embeddings with one label shall be near, those with different labels apart. A sample whose loss
    is 0, as where no other has its label, does not count in a mean.

    Args:
        gamma: how fast a loss grows with the distance.
        margin: what is near enough.
        remove_diagonal: whether an embedding is not compared with itself.
        reduction: one of `nn.losses.base.REDUCTIONS`.
        name: shown in logs.
        others: arguments of Keras that mean nothing here.
    """

    fields = ("gamma", "margin", "remove_diagonal")

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(reduction, name, **others)
        self.gamma = gamma
        self.margin = margin
        self.remove_diagonal = remove_diagonal

    def prepare(self, y_true: Any, y_pred: Array) -> Array:
        if y_pred.ndim != 2:
            raise ShapeError(
                f"{self.name}: expected embeddings (n, features), received {y_pred.shape}"
            )
        return integer_labels(y_true, y_pred, self.name)

    def call(self, y_true: Array, y_pred: Array) -> Array:
        return self._losses(y_true, y_pred)[0]

    def _losses(self, labels: Array, embeddings: Array) -> tuple[Array, Array, Array]:
        """Return the losses, their derivatives by the distances, and where these are not 0."""
        raw = 1 - embeddings @ embeddings.T
        distance = np.maximum(raw, 0)
        same = labels[:, None] == labels
        other = ~same
        if self.remove_diagonal:
            same = same & ~np.eye(len(labels), dtype=bool)
        m, gamma = self.margin, self.gamma
        weight = np.maximum(1 + m - distance, 0)
        near, near_slope = _logsumexp(gamma * (m + distance) * (distance - m), same)
        apart, apart_slope = _logsumexp(gamma * weight * (1 - m - distance), other)
        z = near + apart
        slope = near_slope * gamma * 2 * distance
        slope -= apart_slope * gamma * (weight + (weight > 0) * (1 - m - distance))
        losses = np.logaddexp(0, z).astype(embeddings.dtype)
        rising = np.exp(z - np.logaddexp(0, z))[:, None]
        return losses, rising * slope, raw > 0

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        pred = floats(numeric(y_pred, f"{self.name}: outputs (y_pred)"), config.floatx())
        losses = self.call(self.prepare(y_true, pred), pred)
        scaled = losses * self._factor(losses, sample_weight)
        return scaled if self.reduction in ("none", None) else float(np.sum(scaled))

    def _factor(self, losses: Array, sample_weight: Any) -> Any:
        weight = masked_weight(sample_weight, losses > 0, self.reduction, losses.dtype)
        return self.scale(losses.shape, weight, losses.dtype)

    def step(self, y_true: Any, y_pred: Array, sample_weight: Any = None) -> tuple[float, Array]:
        losses, slope, free = self._losses(self.prepare(y_true, y_pred), y_pred)
        factor = np.broadcast_to(self._factor(losses, sample_weight), losses.shape)
        pull = slope * free * factor[:, None]
        gradient = -(pull + pull.T) @ y_pred
        return float(np.sum(losses * factor)), gradient.astype(y_pred.dtype)


def _logsumexp(values: Array, where: Array) -> tuple[Array, Array]:
    """Return log(sum(exp(values))) of each row, -inf for an empty one, and its derivatives."""
    inside = np.where(where, values, -np.inf)
    top = np.max(inside, axis=1, keepdims=True, initial=np.finfo(values.dtype).min)
    parts = np.exp(inside - top)
    total = parts.sum(axis=1, keepdims=True)
    filled = total[:, 0] > 0
    sums = np.full(len(values), -np.inf)
    sums[filled] = top[filled, 0] + np.log(total[filled, 0])
    return sums, np.divide(parts, total, out=np.zeros_like(parts), where=total > 0)
