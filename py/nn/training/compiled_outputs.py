"""The compiled loss and metrics of each output, and arguments of `compile` spread over outputs."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from nn import metrics as metrics_
from nn.context import Context
from nn.errors import ConfigError
from nn.kernels.binding import Binding
from nn.losses import Loss
from nn.metrics import Mean, MeanMetric, Metric
from nn.types import Array


class Output:
    """One output of a compiled model: its loss, its metrics, and whether loss and activation are
    fused.

    Attributes:
        seen: what each metric was given in the latest batch of training.
        merged: whether `alone` holds the latest batch already, of all members of a team.
        share: what a team's member takes of the loss: its part of the batch.
    """

    def __init__(self, loss: Loss | None, weight: float, metrics: list[Any], weighted: list[Any]):
        self.loss = loss
        self.weight = weight
        self.wanted = [(m, False) for m in metrics] + [(m, True) for m in weighted]
        self.train: list[tuple[Metric, bool]] = []
        self.test: list[tuple[Metric, bool]] = []
        self.alone: list[Metric | None] = []
        self.seen: list[tuple[Any, Array, Any]] = []
        self.merged = False
        self.share = 1.0
        self.resolved = not self.wanted
        self.tracker = Mean("loss")
        self.test_tracker = Mean("loss")
        self.fused: Context | None = None
        self.binding = Binding()
        self.needs_predictions = False
        self.shapes: list[list[int]] = []

    def get_state(self) -> dict[str, Any]:
        """Return the running means of training: of the loss and of each metric."""
        metrics = [metric.get_state() for metric, _ in self.train]
        return {"loss": self.tracker.get_state(), "metrics": metrics, "shapes": self.shapes}

    def set_state(self, means: dict[str, Any]) -> None:
        """Restore what `get_state` returned."""
        self.tracker.set_state(means["loss"])
        if not self.resolved:
            true, pred = (np.zeros((1, *shape)) for shape in means["shapes"])
            self.resolve(true, pred)
        for (metric, _), state in zip(self.train, means["metrics"], strict=True):
            metric.set_state(state)

    def batch_values(self) -> list[Any]:
        """Return the value of each metric over the latest batch of training alone.

        A mean knows what that batch added. Another metric is computed once more, by a copy that
        sees this batch only.
        """
        values: list[Any] = []
        for (metric, _), alone, seen in zip(self.train, self.alone, self.seen, strict=True):
            if alone is None:
                total, count = metric.latest  # type: ignore[attr-defined]
                values.append(total / count if count else 0.0)
            else:
                if not self.merged:
                    alone.reset_state()
                    alone.update_state(*seen)
                values.append(alone.snapshot())
        return values

    def resolve(self, y_true: Any, y_pred: Array) -> None:
        """Make the metrics now that the shapes of targets and outputs are known."""
        true = np.asarray(y_true)
        made = [
            (metrics_.fitting(m, true, y_pred) if isinstance(m, str) else metrics_.get(m), w)
            for m, w in self.wanted
        ]
        self.train = made
        self.alone = [None if _knows_latest(m) else copy.deepcopy(m) for m, _ in made]
        # Evaluation has its own metrics, since it may come between two batches of training.
        self.test = [(copy.deepcopy(m), w) for m, w in made]
        for metric, _ in (*self.train, *self.test):
            metric.reset_state()
        self.needs_predictions = any(not m.order_only for m, _ in made)
        self.resolved = True
        self.shapes = [list(true.shape[1:]), list(y_pred.shape[1:])]


def _knows_latest(metric: Metric) -> bool:
    """Return whether `metric.latest` gives the value of the latest batch."""
    kind = type(metric)
    return (
        isinstance(metric, Mean)
        and kind.result is Mean.result
        and kind.update_state in (Mean.update_state, MeanMetric.update_state)
    )


def per_output(value: Any, names: list[str], what: str) -> list[Any]:
    """Spread one value, a list or a dict by output name over the outputs."""
    if isinstance(value, dict) and "class_name" not in value:
        unknown = set(value) - set(names)
        if unknown:
            raise ConfigError(
                f"{what}: expected output names of {names}, received {sorted(unknown)}"
            )
        return [value.get(n) for n in names]
    if isinstance(value, list | tuple):
        if len(value) != len(names):
            raise ConfigError(
                f"{what}: expected {len(names)} values for {names}, received {len(value)}"
            )
        return list(value)
    return [value] * len(names)


def numbers(weights: list[Any]) -> list[float]:
    """Return the factors of the losses, 1 by default."""
    for weight in weights:
        if weight is not None and not isinstance(weight, int | float | np.number):
            raise ConfigError(
                f"loss_weights: expected numbers, received {weight!r} "
                "(metrics is the fourth argument of compile, or metrics=)"
            )
    return [1.0 if w is None else float(w) for w in weights]


def nested(value: Any, names: list[str], what: str) -> list[list[Any]]:
    """Spread metrics over the outputs: a flat list for one output, nested for several."""
    if value is None:
        return [[] for _ in names]
    if len(names) == 1 and not isinstance(value, dict):
        flat = list(value) if isinstance(value, list | tuple) else [value]
        return [list(flat[0]) if len(flat) == 1 and isinstance(flat[0], list | tuple) else flat]
    items = per_output(value, names, what)
    return [[] if i is None else list(i) if isinstance(i, list | tuple) else [i] for i in items]
