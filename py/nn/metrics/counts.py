"""Precision, recall and AUC: counts of true and false positives and negatives at thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn.data.numeric import optional, whole
from nn.errors import ConfigError, ShapeError
from nn.losses import fit_weight, matching
from nn.metrics.base import Metric
from nn.metrics.settings import is_number, shares
from nn.types import Array, Config

NEVER = -1e10
"""Replaces outputs that are not among the `top_k`; it is below every threshold."""


class Counts(Metric):
    """Base of metrics that count at thresholds; an output strictly above one is a positive."""

    multi_label = False
    sums: tuple[str, ...] = ("tp", "fp", "fn", "tn")

    def __init__(self, thresholds: Sequence[float], name: str | None = None, **others: Any) -> None:
        self.levels = [float(t) for t in thresholds]
        count = len(self.levels)
        even = np.arange(count) / max(count - 1, 1)
        self._even = count > 2 and np.allclose(self.levels, even, atol=1e-7)
        self._order = np.argsort(self.levels)
        self._ordered = np.asarray(self.levels)[self._order]
        super().__init__(name, **others)

    def reset_state(self) -> None:
        self.tp, self.fp, self.fn, self.tn = (np.zeros(self._shape()) for _ in range(4))

    def _shape(self) -> tuple[int, ...]:
        return (len(self.levels),)

    def seen(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the labels and outputs to count."""
        return y_true, y_pred

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        labels, outputs = self.numbers(y_true, y_pred)
        pred = outputs.astype(np.float64)
        true, pred = self.seen(matching(labels, pred, self.name, exact=True), pred)
        weight: Array = np.ones(pred.shape)
        if sample_weight is not None:
            weight = fit_weight(sample_weight, pred.shape, weight.dtype)
        self.count(true > 0.5, pred, weight)

    def count(self, true: Array, pred: Array, weight: Array) -> None:
        """Count one batch; labels, outputs and weights have the same shape."""
        columns = pred.shape[-1] if self.multi_label else 1
        true, pred, weight = (a.reshape(-1, columns) for a in (true, pred, weight))
        order = self._order
        if self._even:  # Keras takes outputs beyond 0 and 1 for these, at even thresholds alone
            pred = pred.clip(0, 1)
        below = np.searchsorted(self._ordered, pred)  # how many thresholds are below an output
        below[np.isnan(pred)] = 0
        places = below * columns + np.arange(columns)
        for of, hit, missed in ((true, self.tp, self.fn), (~true, self.fp, self.tn)):
            sums = np.bincount(places.ravel(), (weight * of).ravel(), (len(order) + 1) * columns)
            more = sums.reshape(-1, columns)[::-1].cumsum(axis=0)[::-1]
            above = more[1:] if self.multi_label else more[1:, 0]
            hit[order] += above
            missed[order] += more[0] - above

    def value(self) -> Array:
        """Return the metric at each threshold."""
        raise NotImplementedError(f"{type(self).__name__} must define value")

    def result(self) -> Any:
        values = [float(v) for v in self.value()]
        return values[0] if len(values) == 1 else values


class OfPositives(Counts):
    """Base of precision and recall.

    Args:
        thresholds: a number or a list; 0.5 by default, or no threshold if `top_k` is given.
        top_k: only the k largest outputs of each sample can be positives.
        class_id: count this class only.
    """

    fields = ("thresholds", "top_k", "class_id")

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        **others: Any,
    ) -> None:
        self.thresholds = thresholds
        self.top_k = top_k
        self.class_id = class_id
        super().__init__(_levels(self, thresholds, 0.5 if top_k is None else NEVER), name, **others)

    def seen(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        if self.top_k is not None:
            order = np.argsort(-y_pred, axis=-1, kind="stable")[..., : self.top_k]
            kept = np.full(y_pred.shape, NEVER)
            np.put_along_axis(kept, order, np.take_along_axis(y_pred, order, -1), -1)
            y_pred = kept
        if self.class_id is not None:
            if y_pred.ndim < 2 or self.class_id >= y_pred.shape[-1]:
                raise ShapeError(
                    f"{self.name}: expected outputs (n, classes) with class {self.class_id}, "
                    f"received {y_pred.shape}"
                )
            y_true, y_pred = y_true[..., self.class_id], y_pred[..., self.class_id]
        return y_true, y_pred


class Precision(OfPositives):
    """True positives / predicted positives."""

    def value(self) -> Array:
        return ratio(self.tp, self.tp + self.fp)


class Recall(OfPositives):
    """True positives / actual positives."""

    def value(self) -> Array:
        return ratio(self.tp, self.tp + self.fn)


class AtThresholds(Counts):
    """Base of the metrics that are one of the four counts.

    Args:
        thresholds: a number or a list; 0.5 by default.
    """

    fields = ("thresholds",)

    def __init__(self, thresholds: Any = None, name: str | None = None, **others: Any) -> None:
        self.thresholds = thresholds
        super().__init__(_levels(self, thresholds, 0.5), name, **others)


class TruePositives(AtThresholds):
    """The weighted number of outputs above the threshold whose label is 1."""

    def value(self) -> Array:
        return self.tp


class TrueNegatives(AtThresholds):
    """The weighted number of outputs not above the threshold whose label is 0."""

    def value(self) -> Array:
        return self.tn


class FalsePositives(AtThresholds):
    """The weighted number of outputs above the threshold whose label is 0."""

    def value(self) -> Array:
        return self.fp


class FalseNegatives(AtThresholds):
    """The weighted number of outputs not above the threshold whose label is 1."""

    def value(self) -> Array:
        return self.fn


CURVES = ("ROC", "PR", "PRGAIN")
SUMS = ("interpolation", "minoring", "majoring")


class AUC(Counts):
    """The area under the ROC or precision-recall curve, by Riemann sums at thresholds.

    Args:
        num_thresholds: number of evenly spaced thresholds, used if `thresholds` is None.
        curve: "ROC", "PR" or "PRGAIN" (Flach and Kull 2015).
        summation_method: "interpolation" (trapezoids; for PR, Davis and Goadrich 2006), "minoring"
            or "majoring".
        multi_label: compute one area per column of the labels and average them.
        num_labels: number of columns of the labels.
        label_weights: weight of each column in the average.
        from_logits: apply a sigmoid to the outputs first.
    """

    fields = (
        "num_thresholds", "curve", "summation_method", "thresholds", "multi_label", "num_labels",
        "label_weights", "from_logits",
    )  # fmt: skip
    sums = (*Counts.sums, "num_labels")

    def __init__(
        self,
        num_thresholds: int | None = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        *,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
        **others: Any,
    ) -> None:
        self.curve = _one_of("curve", str(curve).upper(), CURVES)
        self.summation_method = _one_of("summation_method", str(summation_method).lower(), SUMS)
        self.thresholds = None if thresholds is None else sorted(_numbers(thresholds, "thresholds"))
        inner = self.thresholds
        if inner is None:
            count = whole(num_thresholds, "AUC: num_thresholds", 2)
            inner = [(i + 1) / (count - 1) for i in range(count - 2)]
        self.num_thresholds = len(inner) + 2
        self.multi_label = multi_label
        self.num_labels = optional(num_labels, "AUC: num_labels")
        if num_labels is not None and not multi_label:
            raise ConfigError(f"AUC: expected num_labels with multi_label, received {num_labels}")
        self.label_weights = (
            None if label_weights is None else _numbers(label_weights, "label_weights")
        )
        self.from_logits = from_logits
        super().__init__([-1e-7, *inner, 1 + 1e-7], name, **others)

    @classmethod
    def default_name(cls) -> str:
        return "auc"

    def get_config(self) -> Config:
        settings = super().get_config()
        if self.thresholds is not None:
            del settings["num_thresholds"]
        return settings

    def _shape(self) -> tuple[int, ...]:
        if self.multi_label:
            return (len(self.levels), self.num_labels or 1)
        return (len(self.levels),)

    def seen(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        return y_true, 0.5 * (1 + np.tanh(0.5 * y_pred)) if self.from_logits else y_pred

    def count(self, true: Array, pred: Array, weight: Array) -> None:
        columns = pred.shape[-1] if pred.ndim else 0
        if self.label_weights is not None and len(self.label_weights) != columns:
            raise ShapeError(
                f"{self.name}: expected a weight for each of {columns} labels (label_weights), "
                f"received {len(self.label_weights)}"
            )
        if self.multi_label:
            self._expect_labels(columns)
        elif self.label_weights is not None:
            weight = weight * np.asarray(self.label_weights)
        super().count(true, pred, weight)

    def _expect_labels(self, labels: int) -> None:
        if self.num_labels is None:
            self.num_labels = labels
            self.reset_state()
        if labels != self.num_labels:
            raise ShapeError(f"AUC: expected {self.num_labels} labels, received {labels}")

    def value(self) -> Array:
        if self.curve == "PR" and self.summation_method == "interpolation":
            areas = self._interpolated()
        else:
            x, y = self._points()
            areas = (x[:-1] - x[1:]) * self._heights(y)
        total = areas.sum(axis=0)
        if not self.multi_label:
            return np.asarray([total])
        weights = np.ones(len(total)) if self.label_weights is None else self.label_weights
        return np.asarray([np.average(total, weights=weights)])

    def _points(self) -> tuple[Array, Array]:
        recall = ratio(self.tp, self.tp + self.fn)
        if self.curve == "ROC":
            return ratio(self.fp, self.fp + self.tn), recall
        if self.curve == "PR":
            return recall, ratio(self.tp, self.tp + self.fp)
        odds = ratio(self.tp + self.fn, self.tn + self.fp)
        gain = np.where(self.tp == 0, 0, 1 - odds * ratio(self.fn, self.tp))
        return np.maximum(gain, 0), np.where(self.tp == 0, 1, 1 - odds * ratio(self.fp, self.tp))

    def _heights(self, y: Array) -> Array:
        if self.summation_method == "minoring":
            return np.minimum(y[:-1], y[1:])
        if self.summation_method == "majoring":
            return np.maximum(y[:-1], y[1:])
        return (y[:-1] + y[1:]) / 2

    def _interpolated(self) -> Array:
        """Return areas between thresholds, true positives interpolated linearly in positives."""
        dtp = self.tp[:-1] - self.tp[1:]
        positives = self.tp + self.fp
        slope = ratio(dtp, np.maximum(positives[:-1] - positives[1:], 0))
        intercept = self.tp[1:] - slope * positives[1:]
        both = (positives[:-1] > 0) & (positives[1:] > 0)
        growth = np.where(both, ratio(positives[:-1], positives[1:]), 1)
        area = slope * (dtp + intercept * np.log(growth))
        return ratio(area, np.maximum(self.tp[1:] + self.fn[1:], 0))


def _levels(metric: Counts, thresholds: Any, usual: float) -> list[float]:
    if thresholds is None:
        return [usual]
    return shares(thresholds, f"{type(metric).__name__}: thresholds")


def _numbers(values: Any, what: str) -> list[float]:
    found: list[Any] = list(values) if isinstance(values, Sequence | np.ndarray) else [None]
    if not all(map(is_number, found)):
        raise ConfigError(f"AUC: expected {what} as numbers, received {values!r}")
    return found


def _one_of(what: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ConfigError(f"AUC: {what} must be one of {known}, received {value!r}")
    return value


def ratio(a: Any, b: Any) -> Array:
    """Return a / b, and 0 where b is 0."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return np.asarray(
        np.divide(a, b, out=np.zeros(np.broadcast_shapes(a.shape, b.shape)), where=b != 0)
    )
