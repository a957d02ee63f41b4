"""Metrics, named and defined as in Keras 3 (`keras.metrics`): running values over batches."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.errors import ConfigError
from nn.losses import fit_weight, same_rank
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


CLASSES: dict[str, type[Metric]] = {
    c.__name__: c
    for c in (Mean, Accuracy, SparseCategoricalAccuracy, CategoricalAccuracy, BinaryAccuracy)
}
_ALIASES: dict[str, type[Metric]] = {c.default_name(): c for c in CLASSES.values()}


def get(identifier: Any) -> Metric:
    """Return a metric from its name, configuration or itself.

    Raises:
        ConfigError: nothing has that name.
    """
    if isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, dict):
        return _named(identifier["class_name"]).from_config(identifier.get("config") or {})
    return _named(identifier)()


def fitting(name: str, y_true: Array, y_pred: Array) -> Metric:
    """Return the metric that "accuracy" means for these arrays, as Keras decides; else
    `get(name)`."""
    if name not in ("accuracy", "acc"):
        return get(name)
    if y_pred.ndim < 2 or y_pred.shape[-1] == 1:
        return BinaryAccuracy(name)
    sparse = y_true.ndim < y_pred.ndim or y_true.shape[-1] == 1
    return SparseCategoricalAccuracy(name) if sparse else CategoricalAccuracy(name)


def _named(name: Any) -> type[Metric]:
    found = CLASSES.get(name) or _ALIASES.get(name) if isinstance(name, str) else None
    if found is None:
        raise ConfigError(f"metric: expected one of {sorted(_ALIASES)}, received {name!r}")
    return found
