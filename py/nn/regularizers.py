"""Weight regularizers, named and defined as in Keras 3 (`keras.regularizers`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.errors import ConfigError
from nn.identifiers import describe, resolve
from nn.keras_arguments import Checked
from nn.lazy import load
from nn.types import Array, Config

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "Regularizer",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "serialize",
]


class Regularizer(metaclass=Checked):
    """Base class: the penalty l1 * sum(|w|) + l2 * sum(w^2)."""

    fields: tuple[str, ...] = ("l1", "l2")

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        if not (0 <= l1 < np.inf and 0 <= l2 < np.inf):
            raise ConfigError(
                f"{type(self).__name__}: expected l1, l2 of at least 0, received {l1}, {l2}"
            )
        self.l1 = l1
        self.l2 = l2

    def __call__(self, x: Any) -> Any:
        """Return the penalty; a class of your own may define this alone, with NumPy's functions."""
        return self.loss(x)

    def loss(self, w: Array) -> float:
        """Return the penalty."""
        loss = self.l1 * float(np.abs(w).sum()) if self.l1 else 0.0
        return loss + (self.l2 * float(np.square(w).sum()) if self.l2 else 0.0)

    def add_gradient(self, w: Array, gradient: Array) -> None:
        """Add the penalty's gradient to `gradient`."""
        if self.l1:
            gradient += w.dtype.type(self.l1) * np.sign(w)
        if self.l2:
            gradient += w.dtype.type(2 * self.l2) * w

    def get_config(self) -> Config:
        """Return the settings that `from_config` accepts."""
        return {name: getattr(self, name) for name in self.fields}

    @classmethod
    def from_config(cls, settings: Config) -> Regularizer:
        """Create a regularizer from the settings that `get_config` returned."""
        return cls(**settings)


class L1(Regularizer):
    """l1 * sum(|w|)."""

    fields = ("l1",)

    def __init__(self, l1: float = 0.01) -> None:
        super().__init__(l1=l1)


class L2(Regularizer):
    """l2 * sum(w^2)."""

    fields = ("l2",)

    def __init__(self, l2: float = 0.01) -> None:
        super().__init__(l2=l2)


class L1L2(Regularizer):
    """l1 * sum(|w|) + l2 * sum(w^2)."""


l1, l2, l1_l2 = L1, L2, L1L2

CLASSES: dict[str, type[Regularizer]] = {"L1": L1, "L2": L2, "L1L2": L1L2}


def get(identifier: Any) -> Regularizer | None:
    """Return the regularizer for a name ("l2"), configuration or function; None stays None.

    Raises:
        ConfigError: the name is unknown.
    """
    if isinstance(identifier, Regularizer) and "__call__" in vars(type(identifier)):
        identifier = _of_function(identifier)
    return None if identifier is None else resolve(identifier, Regularizer, _named, _of_function)


def _of_function(function: Any) -> Any:
    return load("nn.functions").FunctionRegularizer(function)


def _named(name: Any) -> type[Regularizer]:
    for key, found in CLASSES.items():
        if str(name).replace("_", "").lower() == key.lower():
            return found
    raise ConfigError(f"regularizer: expected one of {sorted(CLASSES)}, received {name!r}")


deserialize = get


def serialize(regularizer: Regularizer | None) -> Config | None:
    """Return the regularizer's class and settings as Keras writes them."""
    return None if regularizer is None else describe(regularizer)
