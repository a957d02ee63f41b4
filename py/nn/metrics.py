"""Metrics, named and defined as in Keras 3 (`keras.metrics`): running values over batches."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nn.errors import ConfigError
from nn.losses import Loss, fit_weight, same_rank
from nn.losses import get as loss_named
from nn.types import Array, Config

__all__ = [
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "Mean",
    "MeanMetric",
    "Metric",
    "SparseCategoricalAccuracy",
    "fitting",
    "get",
]


class Metric:
    """Base class; a metric of one's own defines `update_state`, `result` and `reset_state`."""

    fields: tuple[str, ...] = ()
    order_only = False
    """True where only the order of a sample's outputs counts, so that logits do as well."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name or self.default_name()
        self.reset_state()

    @classmethod
    def default_name(cls) -> str:
        from nn.layers.base import snake_case

        return snake_case(cls.__name__)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch."""
        raise NotImplementedError(f"{type(self).__name__} must define update_state")

    def result(self) -> Any:
        """Return the value over all batches since the last reset: a float."""
        raise NotImplementedError(f"{type(self).__name__} must define result")

    def reset_state(self) -> None:
        """Forget all batches."""
        raise NotImplementedError(f"{type(self).__name__} must define reset_state")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()

    def get_config(self) -> Config:
        return {"name": self.name} | {f: getattr(self, f) for f in self.fields}

    @classmethod
    def from_config(cls, settings: Config) -> Metric:
        return cls(**settings)


class Mean(Metric):
    """The weighted mean of values."""

    def reset_state(self) -> None:
        self.total = 0.0
        self.count = 0.0

    def add(self, total: float, count: float) -> None:
        """Add a sum of values and the weight that they stand for."""
        self.total += total
        self.count += count

    def update_state(self, y_true: Any, y_pred: Any = None, sample_weight: Any = None) -> None:
        """Take in values; here `y_true` holds them and `y_pred` may hold the weights (Keras'
        order)."""
        values = np.asarray(y_true, np.float64)
        weights = y_pred if sample_weight is None else sample_weight
        if weights is None:
            self.add(float(values.sum()), values.size)
            return
        weight = fit_weight(weights, values.shape, values.dtype)
        self.add(float((values * weight).sum()), float(weight.sum()))

    def result(self) -> float:
        return self.total / self.count if self.count else 0.0


class MeanMetric(Mean):
    """Base of the metrics that are the mean of something per sample."""

    def values(self, y_true: Array, y_pred: Array) -> Array:
        """Return one value for each sample."""
        raise NotImplementedError(f"{type(self).__name__} must define values")

    def update_state(self, y_true: Any, y_pred: Any = None, sample_weight: Any = None) -> None:
        values = self.values(np.asarray(y_true), np.asarray(y_pred))
        if sample_weight is None:
            self.add(float(np.add.reduce(values, axis=None)), values.size)
            return
        weight = fit_weight(sample_weight, values.shape, np.dtype(np.float64))
        self.add(float((values * weight).sum()), float(weight.sum()))


class SparseCategoricalAccuracy(MeanMetric):
    """The share of samples whose largest output is the integer label."""

    order_only = True

    def values(self, y_true: Array, y_pred: Array) -> Array:
        labels = y_true[..., 0] if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1 else y_true
        return np.asarray(y_pred.argmax(axis=-1) == labels)


class CategoricalAccuracy(MeanMetric):
    """The share of samples whose largest output is where the one-hot label is."""

    order_only = True

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return np.asarray(y_pred.argmax(axis=-1) == y_true.argmax(axis=-1))


class BinaryAccuracy(MeanMetric):
    """The share of outputs on the right side of `threshold` (strictly above is 1)."""

    fields = ("threshold",)

    def __init__(self, name: str | None = None, threshold: float = 0.5) -> None:
        self.threshold = threshold
        super().__init__(name)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        true = same_rank(y_true, y_pred)
        right: Array = ((y_pred > self.threshold) == true).mean(axis=-1)
        return right


class Accuracy(MeanMetric):
    """The share of equal elements; as "accuracy" in `compile` it becomes the accuracy that fits."""

    def values(self, y_true: Array, y_pred: Array) -> Array:
        right: Array = same_rank(y_true, y_pred) == y_pred
        return right.mean(axis=-1) if right.ndim > 1 else right


class TopKCategoricalAccuracy(MeanMetric):
    """The share of samples whose one-hot label is among the `k` largest outputs."""

    fields = ("k",)
    order_only = True

    def __init__(self, k: int = 5, name: str | None = None) -> None:
        self.k = k
        super().__init__(name)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return _in_top(y_true.argmax(axis=-1), y_pred, self.k)


class SparseTopKCategoricalAccuracy(TopKCategoricalAccuracy):
    """The share of samples whose integer label is among the `k` largest outputs."""

    def values(self, y_true: Array, y_pred: Array) -> Array:
        labels = y_true[..., 0] if y_true.ndim == y_pred.ndim else y_true
        return _in_top(labels.astype(np.intp), y_pred, self.k)


def _in_top(labels: Array, y_pred: Array, k: int) -> Array:
    mine = np.take_along_axis(y_pred, labels[..., None], axis=-1)
    return np.asarray((y_pred > mine).sum(axis=-1) < k)


class MeanAbsoluteErrorMetric(MeanMetric):
    """The mean of |y_true - y_pred|."""

    @classmethod
    def default_name(cls) -> str:
        return "mean_absolute_error"

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return np.asarray(np.abs(y_pred - same_rank(y_true, y_pred)).mean(axis=-1))


class MeanSquaredErrorMetric(MeanMetric):
    """The mean of (y_true - y_pred)^2."""

    @classmethod
    def default_name(cls) -> str:
        return "mean_squared_error"

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return np.asarray(np.square(y_pred - same_rank(y_true, y_pred)).mean(axis=-1))


class RootMeanSquaredError(MeanSquaredErrorMetric):
    """The root of the mean of (y_true - y_pred)^2."""

    @classmethod
    def default_name(cls) -> str:
        return "root_mean_squared_error"

    def result(self) -> float:
        return math.sqrt(super().result())


class Counts(Metric):
    """Base of the metrics made of true and false positives and negatives at thresholds."""

    def __init__(self, thresholds: Any = None, name: str | None = None) -> None:
        given = 0.5 if thresholds is None else thresholds
        self.thresholds = list(given) if isinstance(given, list | tuple) else [given]
        super().__init__(name)

    def reset_state(self) -> None:
        size = len(self.thresholds)
        self.tp, self.fp, self.fn, self.tn = (np.zeros(size) for _ in range(4))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        pred = np.asarray(y_pred, np.float64)
        true = same_rank(np.asarray(y_true), pred).reshape(-1) > 0.5
        weight = np.ones(pred.shape)
        if sample_weight is not None:
            given = np.asarray(sample_weight, np.float64)
            weight = weight * given.reshape(*given.shape, *[1] * (pred.ndim - given.ndim))
        weight, pred = weight.reshape(-1), pred.reshape(-1)
        positive, negative = weight[true].sum(), weight[~true].sum()
        for i, threshold in enumerate(self.thresholds):
            above = pred > threshold
            tp, fp = weight[above & true].sum(), weight[above & ~true].sum()
            self.tp[i] += tp
            self.fp[i] += fp
            self.fn[i] += positive - tp
            self.tn[i] += negative - fp

    def value(self) -> Array:
        """Return the metric at each threshold."""
        raise NotImplementedError(f"{type(self).__name__} must define value")

    def result(self) -> Any:
        values = [float(v) for v in self.value()]
        return values[0] if len(values) == 1 else values


class Precision(Counts):
    """True positives among the positives that were predicted."""

    fields = ("thresholds",)

    def value(self) -> Array:
        return _ratio(self.tp, self.tp + self.fp)


class Recall(Counts):
    """True positives among the positives that there are."""

    fields = ("thresholds",)

    def value(self) -> Array:
        return _ratio(self.tp, self.tp + self.fn)


class AUC(Counts):
    """The area under the ROC curve, by trapezoids at evenly spaced thresholds."""

    fields = ("num_thresholds",)

    def __init__(self, num_thresholds: int = 200, name: str | None = None) -> None:
        self.num_thresholds = num_thresholds
        inner = [(i + 1) / (num_thresholds - 1) for i in range(num_thresholds - 2)]
        super().__init__([-1e-7, *inner, 1 + 1e-7], name)

    @classmethod
    def default_name(cls) -> str:
        return "auc"

    def value(self) -> Array:
        x, y = _ratio(self.fp, self.fp + self.tn), _ratio(self.tp, self.tp + self.fn)
        return np.asarray([((x[:-1] - x[1:]) * (y[:-1] + y[1:]) / 2).sum()])


class F1Score(Metric):
    """2 * precision * recall / (precision + recall) of each class, from one-hot labels.

    Args:
        average: None (one value a class), "micro", "macro" or "weighted".
        threshold: an output above it is a prediction; None takes the largest of each sample.
    """

    fields = ("average", "threshold")

    def __init__(
        self, average: str | None = None, threshold: float | None = None, name: str | None = None
    ) -> None:
        if average not in (None, "micro", "macro", "weighted"):
            raise ConfigError(f"F1Score: unknown average {average!r}")
        self.average = average
        self.threshold = threshold
        super().__init__(name)

    def reset_state(self) -> None:
        self.tp: Any = 0.0
        self.fp: Any = 0.0
        self.fn: Any = 0.0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        pred, true = np.asarray(y_pred), np.asarray(y_true) > 0.5
        if self.threshold is None:
            hit = pred == pred.max(axis=-1, keepdims=True)
        else:
            hit = pred > self.threshold
        weight = 1.0 if sample_weight is None else np.asarray(sample_weight).reshape(-1, 1)
        self.tp = self.tp + ((hit & true) * weight).sum(axis=0)
        self.fp = self.fp + ((hit & ~true) * weight).sum(axis=0)
        self.fn = self.fn + ((~hit & true) * weight).sum(axis=0)

    def result(self) -> Any:
        if self.average == "micro":
            tp, fp, fn = np.sum(self.tp), np.sum(self.fp), np.sum(self.fn)
            return float(_ratio(2 * tp, 2 * tp + fp + fn))
        scores = _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)
        if self.average == "macro":
            return float(np.mean(scores))
        if self.average == "weighted":
            support = self.tp + self.fn
            return float(np.sum(scores * _ratio(support, np.sum(support))))
        return [float(v) for v in np.atleast_1d(scores)]


class ConfusionMatrix(Metric):
    """How often class i (row) was taken for class j (column): lists of ints."""

    fields = ("num_classes",)

    def __init__(self, num_classes: int, name: str | None = None) -> None:
        self.num_classes = num_classes
        super().__init__(name)

    def reset_state(self) -> None:
        self.matrix = np.zeros((self.num_classes, self.num_classes), np.int64)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        pred, true = np.asarray(y_pred), np.asarray(y_true)
        if true.ndim == pred.ndim and true.shape[-1] > 1:
            true = true.argmax(axis=-1)
        pairs = true.reshape(-1).astype(np.intp), pred.argmax(axis=-1).reshape(-1)
        np.add.at(self.matrix, pairs, 1)

    def result(self) -> list[list[int]]:
        return [[int(n) for n in row] for row in self.matrix]


class LossMetric(MeanMetric):
    """The mean of a loss over samples: what a loss's name means among metrics."""

    def __init__(self, loss: Loss, name: str | None = None) -> None:
        self.loss = loss
        super().__init__(name or loss.name)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return self.loss.call(self.loss.prepare(y_true, y_pred), y_pred)


def _ratio(a: Any, b: Any) -> Array:
    """Divide, with 0 where the divisor is 0."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return np.asarray(
        np.divide(a, b, out=np.zeros(np.broadcast_shapes(a.shape, b.shape)), where=b != 0)
    )


CLASSES: dict[str, type[Metric]] = {
    c.__name__: c
    for c in (
        Mean, Accuracy, SparseCategoricalAccuracy, CategoricalAccuracy, BinaryAccuracy,
        TopKCategoricalAccuracy, SparseTopKCategoricalAccuracy, RootMeanSquaredError, Precision,
        Recall, AUC, F1Score, ConfusionMatrix,
    )
}  # fmt: skip
CLASSES |= {
    "MeanAbsoluteError": MeanAbsoluteErrorMetric,
    "MeanSquaredError": MeanSquaredErrorMetric,
}
_ALIASES: dict[str, type[Metric]] = {c.default_name(): c for c in CLASSES.values()}
_ALIASES |= {"mae": MeanAbsoluteErrorMetric, "mse": MeanSquaredErrorMetric}


def get(identifier: Any) -> Metric:
    """Return a metric from its name, configuration or itself.

    Raises:
        ConfigError: nothing has that name.
    """
    if isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, dict):
        return _named(identifier["class_name"]).from_config(identifier.get("config") or {})
    found = _find(identifier)
    return found() if found is not None else LossMetric(_loss(identifier))


def fitting(name: str, y_true: Array, y_pred: Array) -> Metric:
    """Return the metric that "accuracy" means for these arrays, as Keras decides; else
    `get(name)`."""
    if name not in ("accuracy", "acc"):
        return get(name)
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
