"""Accuracy metrics."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.errors import ShapeError
from nn.losses import matching
from nn.metrics.base import MeanMetric
from nn.types import Array


class SparseCategoricalAccuracy(MeanMetric):
    """The fraction of samples whose largest output is at the integer label."""

    order_only = True
    along = -1

    def values(self, y_true: Array, y_pred: Array) -> Array:
        labels = y_true[..., 0] if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1 else y_true
        if labels.shape != y_pred.shape[:-1]:
            raise wrong_labels(self.name, y_true, y_pred)
        return np.asarray(y_pred.argmax(axis=-1) == labels)


class CategoricalAccuracy(MeanMetric):
    """The fraction of samples whose largest output is at the one-hot label's position."""

    order_only = True
    along = -1

    def values(self, y_true: Array, y_pred: Array) -> Array:
        true = matching(y_true, y_pred, self.name, exact=True)
        return np.asarray(y_pred.argmax(axis=-1) == true.argmax(axis=-1))


class BinaryAccuracy(MeanMetric):
    """The fraction of outputs that equal the label after thresholding (above `threshold` is 1)."""

    fields = ("threshold",)

    def __init__(self, name: str | None = None, *, threshold: float = 0.5, **others: Any) -> None:
        self.threshold = threshold
        super().__init__(name, **others)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return np.asarray((y_pred > self.threshold) == matching(y_true, y_pred, self.name))


class Accuracy(MeanMetric):
    """The fraction of equal elements. In `compile`, "accuracy" selects the accuracy that fits."""

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return np.asarray(matching(y_true, y_pred, self.name) == y_pred)


class TopKCategoricalAccuracy(MeanMetric):
    """The fraction of samples whose one-hot label is among the `k` largest outputs."""

    fields: tuple[str, ...] = ("k",)
    order_only = True
    along = -1

    def __init__(self, k: int = 5, name: str | None = None, **others: Any) -> None:
        self.k = k
        super().__init__(name, **others)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        true = matching(y_true, y_pred, self.name, exact=True)
        return _in_top(true.argmax(axis=-1), y_pred, self.k)


class SparseTopKCategoricalAccuracy(TopKCategoricalAccuracy):
    """The fraction of samples whose integer label is among the `k` largest outputs.

    With `from_sorted_ids` the outputs are labels, sorted from the most to the least likely.
    """

    fields = ("k", "from_sorted_ids")

    def __init__(
        self,
        k: int = 5,
        name: str | None = None,
        *,
        from_sorted_ids: bool = False,
        **others: Any,
    ) -> None:
        self.from_sorted_ids = from_sorted_ids
        super().__init__(k, name, **others)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        labels = y_true[..., 0] if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1 else y_true
        if labels.shape != y_pred.shape[:-1]:
            raise wrong_labels(self.name, y_true, y_pred)
        if self.from_sorted_ids:
            return np.asarray((y_pred[..., : self.k] == labels[..., None]).any(axis=-1))
        return _in_top(labels.astype(np.intp), y_pred, self.k)


def _in_top(labels: Array, y_pred: Array, k: int) -> Array:
    """Return whether labels are among the largest; one that is no class, or has NaN, never is."""
    known = (labels >= 0) & (labels < y_pred.shape[-1])
    mine = np.take_along_axis(y_pred, np.where(known, labels, 0)[..., None], axis=-1)
    return np.asarray(((y_pred > mine).sum(axis=-1) < k) & known & ~np.isnan(mine[..., 0]))


def wrong_labels(where: str, y_true: Array, y_pred: Array) -> ShapeError:
    """Return the error of integer labels that do not fit the outputs."""
    return ShapeError(
        f"{where}: expected integer labels (y_true) of shape {y_pred.shape[:-1]}, "
        f"received {y_true.shape}"
    )
