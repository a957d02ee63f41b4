"""The best of one rate among the thresholds at which another is high enough."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from nn.data.numeric import whole
from nn.metrics.counts import OfPositives, ratio
from nn.metrics.settings import share
from nn.types import Array


class Constrained(OfPositives):
    """Base: `given` names the rate that must reach a value, `wanted` the one that is returned."""

    given: ClassVar[str]
    wanted: ClassVar[str]

    def __init__(
        self,
        value: float,
        num_thresholds: int,
        class_id: int | None,
        name: str | None,
        **others: Any,
    ) -> None:
        kind = type(self).__name__
        whole(num_thresholds, f"{kind}: num_thresholds")
        self.least = share(value, f"{kind}: {self.given}")
        self.num_thresholds = num_thresholds
        levels = np.linspace(0, 1, num_thresholds) if num_thresholds > 1 else [0.5]
        super().__init__(list(levels), None, class_id, name, **others)

    def rate(self, name: str) -> Array:
        """Return a rate at each threshold."""
        if name == "specificity":
            return ratio(self.tn, self.tn + self.fp)
        if name == "precision":
            return ratio(self.tp, self.tp + self.fp)
        return ratio(self.tp, self.tp + self.fn)

    def value(self) -> Array:
        enough = self.rate(self.given) >= self.least
        return np.asarray([np.max(np.where(enough, self.rate(self.wanted), 0))])


class SensitivityAtSpecificity(Constrained):
    """The largest sensitivity where the specificity is at least `specificity`."""

    fields = ("specificity", "num_thresholds", "class_id")
    given, wanted = "specificity", "sensitivity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        **others: Any,
    ) -> None:
        self.specificity = specificity
        super().__init__(specificity, num_thresholds, class_id, name, **others)


class SpecificityAtSensitivity(Constrained):
    """The largest specificity where the sensitivity is at least `sensitivity`."""

    fields = ("sensitivity", "num_thresholds", "class_id")
    given, wanted = "sensitivity", "specificity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        **others: Any,
    ) -> None:
        self.sensitivity = sensitivity
        super().__init__(sensitivity, num_thresholds, class_id, name, **others)


class PrecisionAtRecall(Constrained):
    """The largest precision where the recall is at least `recall`."""

    fields = ("recall", "num_thresholds", "class_id")
    given, wanted = "recall", "precision"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        **others: Any,
    ) -> None:
        self.recall = recall
        super().__init__(recall, num_thresholds, class_id, name, **others)


class RecallAtPrecision(Constrained):
    """The largest recall where the precision is at least `precision`."""

    fields = ("precision", "num_thresholds", "class_id")
    given, wanted = "precision", "recall"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        **others: Any,
    ) -> None:
        self.precision = precision
        super().__init__(precision, num_thresholds, class_id, name, **others)
