"""Base classes of metrics: `Metric`, and means over samples."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from nn.keras_arguments import LeftOut, refuse
from nn.losses import Loss, fit_weight
from nn.types import Array, Config


class Metric:
    """Base class. A subclass defines `update_state`, `result` and `reset_state`."""

    fields: tuple[str, ...] = ()
    left_out: ClassVar[LeftOut] = {"dtype": (None, "sums are float64")}
    order_only = False
    """True where only the order of a sample's outputs counts, so that logits do as well."""
    sums: tuple[str, ...] = ()
    """Attributes that `update_state` changes: what a checkpoint within an epoch keeps."""

    def __init__(self, name: str | None = None, **others: Any) -> None:
        refuse(type(self), others)
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

    def get_state(self) -> Config:
        """Return what has been taken in since the last reset: plain data and arrays."""
        return {name: getattr(self, name) for name in self.sums}

    def set_state(self, state: Config) -> None:
        """Restore what `get_state` returned."""
        for name in self.sums:
            value = state[name]
            setattr(self, name, value.copy() if isinstance(value, np.ndarray) else value)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()

    def get_config(self) -> Config:
        return {"name": self.name} | {f: getattr(self, f) for f in self.fields}

    @classmethod
    def from_config(cls, settings: Config) -> Metric:
        return cls(**settings)


class Mean(Metric):
    """The weighted mean of values.

    Attributes:
        latest: what the latest batch added: the sum of its values, and of their weights.
    """

    sums = ("total", "count")

    def reset_state(self) -> None:
        self.total = 0.0
        self.count = 0.0
        self.latest = (0.0, 0.0)

    def add(self, total: float, count: float) -> None:
        """Add the sum of some values and the sum of their weights."""
        self.total += total
        self.count += count
        self.latest = (total, count)

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


class LossMetric(MeanMetric):
    """The mean of a loss over samples: what a loss's name means among metrics."""

    def __init__(self, loss: Loss, name: str | None = None) -> None:
        self.loss = loss
        super().__init__(name or loss.name)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return self.loss.call(self.loss.prepare(y_true, y_pred), y_pred)
