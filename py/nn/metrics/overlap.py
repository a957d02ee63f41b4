"""Intersection over union of classes, counted in a matrix of labels and predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn.data.numeric import numeric, whole
from nn.errors import ShapeError
from nn.losses import fit_weight
from nn.losses.base import as_integers
from nn.metrics.base import Metric
from nn.metrics.settings import classes
from nn.types import Array


class IoU(Metric):
    """The mean over classes of |labels and predictions| / |labels or predictions|.

    Labels and predictions out of range do not count; nor does a class that neither has. Weights
    count as they are, where Keras drops what follows the point.

    Args:
        num_classes: the number of classes.
        target_class_ids: the classes of the mean.
        name: shown in logs.
        ignore_class: a label whose elements do not count.
        sparse_y_true: labels are numbers of classes; False: one-hot.
        sparse_y_pred: outputs are numbers of classes; False: a value for each class.
        axis: the axis of the classes where they are not numbers.
        others: arguments of Keras that mean nothing here.
    """

    fields: tuple[str, ...] = (
        "num_classes", "target_class_ids", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis",
    )  # fmt: skip
    sums = ("matrix",)

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        *,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
        **others: Any,
    ) -> None:
        kind = type(self).__name__
        self.num_classes = whole(num_classes, f"{kind}: num_classes")
        self.target_class_ids = classes(target_class_ids, num_classes, f"{kind}: target_class_ids")
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = int(axis)
        super().__init__(name, **others)

    def reset_state(self) -> None:
        self.matrix: Array = np.zeros((self.num_classes, self.num_classes))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        true, pred = self.numbers(y_true, y_pred)
        true = true if self.sparse_y_true else self._largest(true, "labels (y_true)")
        pred = pred if self.sparse_y_pred else self._largest(pred, "outputs (y_pred)")
        if true.size != pred.size or true.shape[:1] != pred.shape[:1]:
            raise ShapeError(
                f"{self.name}: expected a label for each of {pred.shape}, received {true.shape}"
            )
        labels, found = (
            as_integers(a, self.name, self.num_classes).reshape(-1) for a in (true, pred)
        )
        weight: Array = np.ones(labels.shape)
        if sample_weight is not None:
            given = numeric(sample_weight, f"{self.name}: sample_weight")
            given = given.reshape(true.shape) if given.size == true.size else given
            weight = fit_weight(given, true.shape, weight.dtype).reshape(-1)
        limit = self.num_classes
        kept = (labels >= 0) & (labels < limit) & (found >= 0) & (found < limit)
        if self.ignore_class is not None:
            kept &= labels != self.ignore_class
        np.add.at(self.matrix, (labels[kept], found[kept]), weight[kept])

    def _largest(self, values: Array, what: str) -> Array:
        """Return which of the values along the axis of the classes is largest."""
        axis, limit = self.axis, self.num_classes
        if not -values.ndim <= axis < values.ndim or values.shape[axis] != limit:
            raise ShapeError(
                f"{self.name}: expected {what} with {limit} values along axis {axis}, "
                f"received {values.shape}"
            )
        return np.asarray(values.argmax(axis=axis))

    def result(self) -> float:
        classes = self.target_class_ids
        both = np.diag(self.matrix)[classes]
        either = (self.matrix.sum(axis=0) + self.matrix.sum(axis=1))[classes] - both
        present = either > 0
        return float(np.mean(both[present] / either[present])) if present.any() else 0.0


class BinaryIoU(IoU):
    """IoU of outputs that are 1 from a threshold on.

    Args:
        target_class_ids: the classes of the mean, 0 and 1.
        threshold: outputs from here on are of class 1.
        name: shown in logs.
        others: arguments of Keras that mean nothing here.
    """

    fields = ("target_class_ids", "threshold")

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        **others: Any,
    ) -> None:
        self.threshold = threshold
        super().__init__(2, target_class_ids, name, **others)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        super().update_state(
            y_true,
            numeric(y_pred, f"{self.name}: outputs (y_pred)") >= self.threshold,
            sample_weight,
        )


class MeanIoU(IoU):
    """The mean IoU of all classes; its arguments are those of IoU but for the classes."""

    fields: tuple[str, ...] = (
        "num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis",
    )  # fmt: skip

    def __init__(self, num_classes: int, name: str | None = None, **options: Any) -> None:
        count = whole(num_classes, f"{type(self).__name__}: num_classes")
        super().__init__(count, range(count), name, **options)


class OneHotIoU(IoU):
    """IoU of one-hot labels; `sparse_y_pred` is False by default."""

    fields = ("num_classes", "target_class_ids", "ignore_class", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        *,
        sparse_y_pred: bool = False,
        **options: Any,
    ) -> None:
        more = {"sparse_y_true": False, "sparse_y_pred": sparse_y_pred}
        super().__init__(num_classes, target_class_ids, name, **more, **options)


class OneHotMeanIoU(MeanIoU):
    """MeanIoU of one-hot labels; `sparse_y_pred` is False by default."""

    fields = ("num_classes", "ignore_class", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        *,
        sparse_y_pred: bool = False,
        **options: Any,
    ) -> None:
        more = {"sparse_y_true": False, "sparse_y_pred": sparse_y_pred}
        super().__init__(num_classes, name, **more, **options)
