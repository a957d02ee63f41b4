"""Weight constraints, named and defined as in Keras 3 (`keras.constraints`).

A constraint is applied to the weights after each optimizer step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn import config
from nn.errors import ConfigError
from nn.identifiers import describe, resolve
from nn.keras_arguments import Checked
from nn.lazy import load
from nn.types import Array, Config

__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "get",
    "serialize",
]


class Constraint(metaclass=Checked):
    """Base class. Subclasses define `__call__(w)`, which returns an array of the shape of `w`."""

    fields: tuple[str, ...] = ()

    def __call__(self, w: Array) -> Array:
        return w

    def get_config(self) -> Config:
        """Return the settings that `from_config` accepts."""
        return {name: getattr(self, name) for name in self.fields}

    @classmethod
    def from_config(cls, settings: Config) -> Constraint:
        """Create a constraint from the settings that `get_config` returned."""
        return cls(**settings)


class MaxNorm(Constraint):
    """Scale down to at most the L2 norm `max_value` along `axis` (Srivastava et al. 2014)."""

    fields = ("max_value", "axis")

    def __init__(self, max_value: float = 2, axis: int | Sequence[int] = 0) -> None:
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w: Array) -> Array:
        size = _norm(w, self.axis)
        return _scaled(w, np.clip(size, 0, self.max_value), size)


class NonNeg(Constraint):
    """Replace negative weights by zero."""

    def __call__(self, w: Array) -> Array:
        return np.maximum(w, 0)


class UnitNorm(Constraint):
    """Scale to the L2 norm 1 along `axis`."""

    fields = ("axis",)

    def __init__(self, axis: int | Sequence[int] = 0) -> None:
        self.axis = axis

    def __call__(self, w: Array) -> Array:
        return _scaled(w, np.asarray(1.0), _norm(w, self.axis))


class MinMaxNorm(Constraint):
    """Move the L2 norm along `axis` towards [min_value, max_value] by the fraction `rate`."""

    fields = ("min_value", "max_value", "rate", "axis")

    def __init__(
        self,
        min_value: float = 0.0,
        max_value: float = 1.0,
        rate: float = 1.0,
        axis: int | Sequence[int] = 0,
    ) -> None:
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w: Array) -> Array:
        size = _norm(w, self.axis)
        inside = np.clip(size, self.min_value, self.max_value)
        return _scaled(w, self.rate * inside + (1 - self.rate) * size, size)


def _norm(w: Array, axis: int | Sequence[int]) -> Array:
    axes = axis if isinstance(axis, int) else tuple(axis)
    return np.asarray(np.sqrt(np.square(w).sum(axis=axes, keepdims=True)))


def _scaled(w: Array, wanted: Array, size: Array) -> Array:
    return np.asarray(w * (wanted / (config.epsilon() + size)), w.dtype)


CLASSES: dict[str, type[Constraint]] = {
    c.__name__: c for c in (MaxNorm, MinMaxNorm, NonNeg, UnitNorm)
}


def get(identifier: Any) -> Constraint | None:
    """Return the constraint for a name ("non_neg"), configuration or function; None stays None.

    Raises:
        ConfigError: the name is unknown.
    """
    return None if identifier is None else resolve(identifier, Constraint, _named, _of_function)


def _of_function(function: Any) -> Any:
    return load("nn.functions").FunctionConstraint(function)


def _named(name: Any) -> type[Constraint]:
    for key, found in CLASSES.items():
        if str(name).replace("_", "").lower() == key.lower():
            return found
    raise ConfigError(f"constraint: expected one of {sorted(CLASSES)}, received {name!r}")


max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm
deserialize = get


def serialize(constraint: Constraint | None) -> Config | None:
    """Return the constraint's class and settings as Keras writes them."""
    return None if constraint is None else describe(constraint)
