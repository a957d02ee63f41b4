"""Sums that members of a team add up: losses and metrics, as numbers in one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn.metrics import Mean, Metric
from nn.training.compiled_outputs import Output
from nn.types import Array, prod

SETTLED = frozenset({"num_labels"})
"""Attributes of a metric's state that are no sums: every member finds the same."""


class Sums:
    """What a batch, or a part of it, adds to losses and metrics.

    Args:
        metrics: the running means of losses, and metrics; each with a copy that saw a batch,
            which tells the shapes of its sums.
    """

    def __init__(self, metrics: Sequence[tuple[Metric, Metric]]) -> None:
        self.metrics = [metric for metric, _ in metrics]
        self._fields: list[Field] = []
        self.size = 0
        for metric, copy in metrics:
            for name in metric.sums:
                if name not in SETTLED:
                    shape = np.shape(getattr(copy, name))
                    place = slice(self.size, self.size + prod(shape))
                    self.size = place.stop
                    self._fields.append((metric, name, place, shape))
        self._before: list[Any] = []

    def begin(self) -> None:
        """Put the sums so far aside."""
        self._before = [getattr(metric, name) for metric, name, *_ in self._fields]
        self.clear()

    def clear(self) -> None:
        """Begin to count from nothing."""
        for metric in self.metrics:
            metric.reset_state()

    def write(self, out: Array) -> None:
        """Write what was counted since `begin` or `clear`."""
        for metric, name, place, shape in self._fields:
            if shape:
                out[place] = np.reshape(getattr(metric, name), -1)
            else:
                out[place.start] = getattr(metric, name)

    def cancel(self) -> None:
        """Put back the sums that `begin` put aside."""
        for (metric, name, *_), before in zip(self._fields, self._before, strict=False):
            setattr(metric, name, before)
        self._before = []

    def add(self, total: Array) -> None:
        """Add what all members counted to the sums that `begin` put aside."""
        numbers = total.tolist()
        for field, before in zip(self._fields, self._before, strict=True):
            metric, name, place, shape = field
            more = _value(total, field) if shape else numbers[place.start]
            if isinstance(before, np.ndarray):
                more = np.asarray(more, before.dtype)
            setattr(metric, name, before + more)
            if name == "total" and isinstance(metric, Mean):
                metric.latest = numbers[place.start], numbers[place.start + 1]
        self._before = []

    def show(self, outputs: Sequence[Output], total: Array) -> None:
        """Let metrics that are computed once more for each batch see all its rows."""
        copies = {}
        for output in outputs:
            output.merged = True
            for (metric, _), alone in zip(output.train, output.alone, strict=True):
                if alone is not None:
                    copies[metric] = alone
        for field in self._fields if copies else ():
            metric, name, *_ = field
            if metric in copies:
                setattr(copies[metric], name, _value(total, field))
        for metric, alone in copies.items():
            for name in set(metric.sums) & SETTLED:
                setattr(alone, name, getattr(metric, name))


Field = tuple[Metric, str, slice, tuple[int, ...]]
"""A metric, its attribute, the place of its numbers, its shape."""


def _value(total: Array, field: Field) -> Any:
    _, _, place, shape = field
    if not shape:
        return float(total[place.start])
    return total[place].astype(np.float64).reshape(shape)
