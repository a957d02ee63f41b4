"""Per-class metrics: the F1 score and the confusion matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.data.numeric import whole
from nn.errors import ConfigError, ShapeError
from nn.losses import fit_weight, matching
from nn.metrics.accuracy import wrong_labels
from nn.metrics.base import Metric
from nn.metrics.counts import ratio
from nn.metrics.settings import is_number, share
from nn.types import Array


class FBetaScore(Metric):
    """(1 + b^2) * precision * recall / (b^2 * precision + recall) of each class.

    Labels are one-hot, or the share of each class.

    Args:
        average: None (one value per class), "micro", "macro" or "weighted".
        beta: b, the weight of recall.
        threshold: outputs above it are predictions; None uses the largest output of each sample.
    """

    fields: tuple[str, ...] = ("average", "beta", "threshold")
    along = -1
    sums = ("tp", "fp", "fn")

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = None,
        **others: Any,
    ) -> None:
        if average not in (None, "micro", "macro", "weighted"):
            raise ConfigError(f"{type(self).__name__}: unknown average {average!r}")
        if not (is_number(beta) and beta > 0):
            raise ConfigError(f"{type(self).__name__}: expected a beta above 0, received {beta!r}")
        self.average = average
        self.beta = beta
        self.threshold = threshold
        if threshold is not None and not share(threshold, f"{type(self).__name__}: threshold"):
            raise ConfigError(f"{type(self).__name__}: expected a threshold above 0, received 0")
        super().__init__(name, **others)

    @classmethod
    def default_name(cls) -> str:
        return "fbeta_score"

    def reset_state(self) -> None:
        self.tp: Any = 0.0
        self.fp: Any = 0.0
        self.fn: Any = 0.0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        labels, pred = self.numbers(y_true, y_pred)
        true = matching(labels, pred, self.name, exact=True).astype(np.float64)
        if pred.ndim != 2:
            raise ShapeError(f"{self.name}: expected outputs (n, classes), received {pred.shape}")
        if self.threshold is None:  # as in Keras, outputs that are all 0 predict nothing
            hit = (pred == pred.max(axis=-1, keepdims=True)) & (np.abs(pred) > 1e-9)
        else:
            hit = pred > self.threshold
        weight: Any = 1.0
        if sample_weight is not None:
            weight = fit_weight(sample_weight, pred.shape[:1], np.dtype(np.float64))[:, None]
        self.tp = self.tp + (hit * true * weight).sum(axis=0)
        self.fp = self.fp + (hit * (1 - true) * weight).sum(axis=0)
        self.fn = self.fn + (~hit * true * weight).sum(axis=0)

    def result(self) -> Any:
        if self.average == "micro":
            tp, fp, fn = np.sum(self.tp), np.sum(self.fp), np.sum(self.fn)
            return float(self._score(tp, fp, fn))
        scores = self._score(self.tp, self.fp, self.fn)
        if self.average == "macro":
            return float(np.mean(scores))
        if self.average == "weighted":
            support = self.tp + self.fn
            return float(np.sum(scores * ratio(support, np.sum(support))))
        return [float(v) for v in np.atleast_1d(scores)]

    def _score(self, tp: Any, fp: Any, fn: Any) -> Array:
        square = self.beta**2
        return ratio((1 + square) * tp, (1 + square) * tp + fp + square * fn)


class F1Score(FBetaScore):
    """2 * precision * recall / (precision + recall) of each class, for one-hot labels.

    Args:
        average: None (one value per class), "micro", "macro" or "weighted".
        threshold: outputs above it are predictions; None uses the largest output of each sample.
    """

    fields = ("average", "threshold")

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, **others)

    @classmethod
    def default_name(cls) -> str:
        return "f1_score"


class ConfusionMatrix(Metric):
    """Counts of samples of class i (row) predicted as class j (column), as lists of ints."""

    fields = ("num_classes",)
    along = -1
    sums = ("matrix",)

    def __init__(self, num_classes: int, name: str | None = None) -> None:
        self.num_classes = whole(num_classes, "ConfusionMatrix: num_classes")
        super().__init__(name)

    def reset_state(self) -> None:
        self.matrix = np.zeros((self.num_classes, self.num_classes), np.int64)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        true, pred = self.numbers(y_true, y_pred)
        if true.ndim == pred.ndim:
            if true.shape == pred.shape and true.shape[-1] > 1:
                true = true.argmax(axis=-1)
            elif true.shape[-1] == 1:
                true = true[..., 0]
        if true.shape != pred.shape[:-1]:
            raise wrong_labels(self.name, np.asarray(y_true), pred)
        self._expect(true, "labels")
        found = pred.argmax(axis=-1)
        self._expect(found, "outputs")
        np.add.at(self.matrix, (true.reshape(-1).astype(np.intp), found.reshape(-1)), 1)

    def _expect(self, classes: Array, what: str) -> None:
        if classes.size and not (classes.min() >= 0 and classes.max() < self.num_classes):
            raise ShapeError(
                f"{self.name}: expected {what} from 0 to {self.num_classes - 1}, "
                f"received {classes.min()} to {classes.max()}"
            )

    def result(self) -> list[list[int]]:
        return [[int(n) for n in row] for row in self.matrix]
