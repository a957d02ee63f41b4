"""Base classes of metrics: `Metric`, and means over samples."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, ClassVar

import numpy as np

from nn import initializers
from nn.data.numeric import NUMBERS, numeric
from nn.identifiers import snake_case
from nn.keras_arguments import Checked, LeftOut, ours, refuse
from nn.losses import Loss, fit_weight
from nn.losses.base import expect_values
from nn.types import Array, Config, prod


class MetricVariable(np.ndarray[Any, Any]):
    """What a metric of your own accumulates: an array that is assigned to, as Keras' variable."""

    @property
    def value(self) -> Array:
        """A copy as it is now."""
        return np.array(self)

    def assign(self, value: Any) -> MetricVariable:
        """Copy a value into it."""
        self[...] = value
        return self

    def assign_add(self, value: Any) -> MetricVariable:
        """Add a value to it."""
        return self.assign(np.add(self, value))

    def assign_sub(self, value: Any) -> MetricVariable:
        """Subtract a value from it."""
        return self.assign(np.subtract(self, value))


class Metric(metaclass=Checked):
    """Base class. A subclass defines `update_state` and `result`, and what they accumulate: by
    `add_variable` as in Keras, or by attributes that `reset_state` sets and `sums` names.
    """

    fields: tuple[str, ...] = ()
    left_out: ClassVar[LeftOut] = {"dtype": (None, "sums are float64")}
    order_only = False
    """True if only the order of a sample's outputs matters, so that logits give the same result."""
    along: int | None = None
    """The axis of the outputs along which a sample has its values; None where any shape will do."""
    sums: tuple[str, ...] = ()
    """Attributes that `update_state` changes, saved by a checkpoint within an epoch."""

    def __init__(self, name: str | None = None, **others: Any) -> None:
        refuse(type(self), others)
        self.name = name or self.default_name()
        self.variables: list[MetricVariable] = []
        if ours(type(self)):
            self.reset_state()
        else:  # one in Keras' form makes its variables after this
            with suppress(AttributeError):
                self.reset_state()

    @classmethod
    def default_name(cls) -> str:
        """Return the class name in snake case."""
        return snake_case(cls.__name__)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Accumulate one batch."""
        raise NotImplementedError(f"{type(self).__name__} must define update_state")

    def result(self) -> Any:
        """Return the metric over all batches since the last reset, a float for most metrics."""
        raise NotImplementedError(f"{type(self).__name__} must define result")

    def snapshot(self) -> Any:
        """Return the result as it is now, which does not change with a variable that it is."""
        made = self.result()
        if isinstance(made, MetricVariable):
            made = made.value
        return made.item() if isinstance(made, np.ndarray) and not made.ndim else made

    def reset_state(self) -> None:
        """Discard everything accumulated so far: variables become zeros, as in Keras."""
        for variable in self.variables:
            variable.assign(0)

    def add_variable(
        self,
        shape: Any = (),
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> MetricVariable:
        """Return a new variable, which a checkpoint within an epoch keeps.

        Args:
            shape: of the variable.
            initializer: a name or an Initializer.
            dtype: of its elements, float64 by default.
            aggregation: Keras' way to join devices, which nothing reads here.
            name: for whoever reads the class.
        """
        size = (shape,) if isinstance(shape, int) else tuple(shape)
        made = initializers.get(initializer or "zeros")(size, dtype or np.float64)
        self.variables.append(np.array(made).view(MetricVariable))
        return self.variables[-1]

    add_weight = add_variable

    def numbers(self, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
        """Return labels and outputs as arrays of numbers.

        Raises:
            DataError: they are not numbers.
            ShapeError: the outputs have no values along an axis that the metric needs.
        """
        name = self.name
        if not (
            type(y_true) is type(y_pred) is np.ndarray
            and y_true.dtype.kind in NUMBERS
            and y_pred.dtype.kind in NUMBERS
        ):
            y_true = numeric(y_true, f"{name}: labels (y_true)")
            y_pred = numeric(y_pred, f"{name}: outputs (y_pred)")
        along = self.along
        if along is not None and not (along == -1 and y_pred.ndim and y_pred.shape[-1]):
            expect_values(y_pred, along, name)
        return y_true, y_pred

    def get_state(self) -> Config:
        """Return the accumulated values as plain data and arrays."""
        held = {"variables": [v.value for v in self.variables]} if self.variables else {}
        return {name: getattr(self, name) for name in self.sums} | held

    def set_state(self, state: Config) -> None:
        """Restore what `get_state` returned."""
        for name in self.sums:
            value = state[name]
            setattr(self, name, value.copy() if isinstance(value, np.ndarray) else value)
        for variable, value in zip(self.variables, state.get("variables", []), strict=True):
            variable.assign(value)

    def __call__(self, *given: Any, **options: Any) -> Any:
        """Accumulate one batch, with `update_state`'s arguments, and return the metric so far."""
        self.update_state(*given, **options)
        return self.snapshot()

    def get_config(self) -> Config:
        """Return the settings that `from_config` accepts."""
        return {"name": self.name} | {f: getattr(self, f) for f in self.fields}

    @classmethod
    def from_config(cls, settings: Config) -> Metric:
        """Create a metric from the settings that `get_config` returned."""
        return cls(**settings)


class Mean(Metric):
    """The weighted mean of the values passed to `update_state`.

    Each sample counts alike: where it has several values, by their mean, as in Keras.

    Attributes:
        latest: sum of the values of the latest batch, and sum of their weights.
    """

    by_sample = True
    """Whether the values of one sample are averaged before they are added."""
    sums = ("total", "count")

    def reset_state(self) -> None:
        self.total = 0.0
        self.count = 0.0
        self.latest = (0.0, 0.0)

    def add(self, total: float, count: float) -> None:
        """Add a weighted sum of values and the sum of their weights."""
        self.total += total
        self.count += count
        self.latest = (total, count)

    def update_state(  # type: ignore[override]  # Keras' names, for values and for labels
        self, values: Any, sample_weight: Any = None, weights: Any = None
    ) -> None:
        """Accumulate values.

        Args:
            values: one for each sample, or several, which are averaged.
            sample_weight: their weights.
            weights: theirs where a compiled model gives its outputs for `sample_weight`.
        """
        array = numeric(values, self.name).astype(np.float64)
        self.add_values(array, sample_weight if weights is None else weights)

    def add_values(self, values: Array, sample_weight: Any) -> None:
        """Add the values (n, ...) of n samples, with weights that broadcast to them or None."""
        each = (prod(values.shape[1:]) or 1) if self.by_sample else 1
        total, count = np.add.reduce(values, axis=None), values.size
        if sample_weight is not None:
            weight = fit_weight(sample_weight, values.shape, np.dtype(np.float64))
            total, count = (values * weight).sum(), weight.sum()
        self.latest = float(total) / each, float(count) / each
        self.total += self.latest[0]
        self.count += self.latest[1]

    def result(self) -> float:
        return self.total / self.count if self.count else 0.0


class Sum(Mean):
    """The weighted sum of the values passed to `update_state`."""

    by_sample = False

    def result(self) -> float:
        return self.total


class MeanMetric(Mean):
    """Base of metrics that average values of samples."""

    def values(self, y_true: Array, y_pred: Array) -> Array:
        """Return one value for each sample, or for each of its elements (n, ...)."""
        raise NotImplementedError(f"{type(self).__name__} must define values")

    def weights(self, y_true: Array, y_pred: Array, sample_weight: Any) -> Any:
        """Return the weights of the values where those of a batch are given."""
        return sample_weight

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any = None, sample_weight: Any = None
    ) -> None:
        true, pred = self.numbers(y_true, y_pred)
        if sample_weight is not None:
            sample_weight = self.weights(true, pred, sample_weight)
        self.add_values(self.values(true, pred), sample_weight)


class LossMetric(MeanMetric):
    """The mean of a loss over samples, used when the name of a loss is given as a metric."""

    def __init__(self, loss: Loss, name: str | None = None) -> None:
        self.loss = loss
        super().__init__(name or loss.name)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return self.loss.call(self.loss.prepare(y_true, y_pred), y_pred)
