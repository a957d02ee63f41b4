"""Metrics that average a loss of each sample: regression, cross-entropies, hinges, divergences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from nn import losses
from nn.data.numeric import floats
from nn.losses import Loss, masked_weight
from nn.metrics.base import MeanMetric
from nn.types import Array


class LossOfSamples(MeanMetric):
    """Base of metrics that are the mean of a loss; subclasses name it in `kind`."""

    kind: ClassVar[type[Loss]]

    def __init__(self, name: str | None = None, **others: Any) -> None:
        options = {field: getattr(self, field) for field in self.fields}
        self.loss = self.kind(**options)
        super().__init__(name, **others)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        true, pred = self.loss.lined(y_true, floats(y_pred, np.float32))
        return self.loss.call(self.loss.prepare(true, pred), pred)


class MeanAbsolutePercentageError(LossOfSamples):
    """100 * mean(|y_true - y_pred| / |y_true|)."""

    kind = losses.MeanAbsolutePercentageError


class MeanSquaredLogarithmicError(LossOfSamples):
    """mean((log(y_true + 1) - log(y_pred + 1))^2)."""

    kind = losses.MeanSquaredLogarithmicError


class LogCoshError(LossOfSamples):
    """mean(log(cosh(y_pred - y_true)))."""

    kind = losses.LogCosh

    @classmethod
    def default_name(cls) -> str:
        return "logcosh"


class Poisson(LossOfSamples):
    """mean(y_pred - y_true * log(y_pred))."""

    kind = losses.Poisson


class KLDivergence(LossOfSamples):
    """sum(y_true * log(y_true / y_pred))."""

    kind = losses.KLDivergence

    @classmethod
    def default_name(cls) -> str:
        return "kl_divergence"


class Hinge(LossOfSamples):
    """mean(max(1 - y_true * y_pred, 0))."""

    kind = losses.Hinge


class SquaredHinge(LossOfSamples):
    """mean(max(1 - y_true * y_pred, 0)^2)."""

    kind = losses.SquaredHinge


class CategoricalHinge(LossOfSamples):
    """max(1 + max((1 - y_true) * y_pred) - sum(y_true * y_pred), 0)."""

    kind = losses.CategoricalHinge


class CosineSimilarity(LossOfSamples):
    """The sum of the products of y_true and y_pred, both scaled to length 1 along `axis`."""

    kind = losses.CosineSimilarity
    fields = ("axis",)

    def __init__(self, name: str | None = None, *, axis: int = -1, **others: Any) -> None:
        self.axis = axis
        super().__init__(name, **others)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return -super().values(y_true, y_pred)


class BinaryCrossentropy(LossOfSamples):
    """The binary cross-entropy of probabilities or logits."""

    kind = losses.BinaryCrossentropy
    fields = ("from_logits", "label_smoothing")

    def __init__(
        self,
        name: str | None = None,
        *,
        from_logits: bool = False,
        label_smoothing: float = 0,
        **others: Any,
    ) -> None:
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        super().__init__(name, **others)


class CategoricalCrossentropy(LossOfSamples):
    """The cross-entropy of one-hot labels and probabilities or logits."""

    kind = losses.CategoricalCrossentropy
    fields = ("from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        name: str | None = None,
        *,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
        **others: Any,
    ) -> None:
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis
        super().__init__(name, **others)


class SparseCategoricalCrossentropy(LossOfSamples):
    """The cross-entropy of integer labels and probabilities or logits."""

    kind = losses.SparseCategoricalCrossentropy
    fields = ("from_logits", "ignore_class", "axis")

    def __init__(
        self,
        name: str | None = None,
        *,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
        **others: Any,
    ) -> None:
        self.from_logits = from_logits
        self.ignore_class = ignore_class
        self.axis = axis
        super().__init__(name, **others)

    def weights(self, y_true: Array, y_pred: Array, sample_weight: Any) -> Any:
        """Return weights that are 0 for the class that is ignored, as in Keras; without weights its
        samples count as correct."""
        if self.ignore_class is None:
            return sample_weight
        true, pred = self.loss.lined(y_true, y_pred)
        kept = self.loss.prepare(true, pred) != self.ignore_class
        return masked_weight(sample_weight, kept, "sum", np.dtype(np.float64))


class MeanMetricWrapper(MeanMetric):
    """The mean of what a function of labels and outputs gives for each sample.

    Args:
        fn: called with y_true and y_pred.
        name: by default the function's.
        options: further arguments of the function.
    """

    def __init__(
        self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **options: Any
    ) -> None:
        self.fn = fn
        self.options = options
        super().__init__(name or getattr(fn, "__name__", type(fn).__name__), dtype=dtype)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return np.asarray(self.fn(y_true, y_pred, **self.options))
