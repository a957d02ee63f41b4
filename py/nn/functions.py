"""Initializers, constraints and regularizers of a function of your own, as Keras takes them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from nn import config, differentiate
from nn.constraints import Constraint
from nn.errors import ConfigError, ShapeError
from nn.initializers import Initializer
from nn.keras_arguments import Explained
from nn.regularizers import Regularizer
from nn.types import Array, Config


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def _unsaved(what: str, function: Any) -> ConfigError:
    return ConfigError(
        f"{what}: expected one with settings, received the function {_name(function)}"
    )


def _array(what: str, make: Callable[[], Any], shape: tuple[int, ...], dtype: Any) -> Array:
    array = np.array(make(), dtype)
    if array.shape != shape:
        raise ShapeError(f"{what}: expected a result of shape {shape}, received {array.shape}")
    return array


class FunctionInitializer(Initializer):
    """The values that `function(shape, dtype=...)` gives; it cannot be saved."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        what = f"initializer {_name(self.function)}"
        dtype = np.dtype(dtype or config.floatx()).name  # functions written for Keras take a name
        with Explained(what, (shape,), {"dtype": dtype}):
            make = partial(self.function, shape, dtype=dtype)
            return _array(what, make, tuple(shape), dtype)

    def get_config(self) -> Config:
        raise _unsaved("initializer", self.function)


class FunctionConstraint(Constraint):
    """What a function makes of the weights after each step; it cannot be saved."""

    def __init__(self, function: Callable[[Array], Any]) -> None:
        self.function = function

    def __call__(self, w: Array) -> Array:
        what = f"constraint {_name(self.function)}"
        with Explained(what, (), {"shape": w.shape}):
            return _array(what, partial(self.function, w), w.shape, w.dtype)

    def get_config(self) -> Config:
        raise _unsaved("constraint", self.function)


class FunctionRegularizer(Regularizer):
    """The penalty that a function of a weight, made of NumPy's, gives; it cannot be saved."""

    fields = ()

    def __init__(self, function: Callable[[Array], Any]) -> None:
        super().__init__()
        self.function = function

    def loss(self, w: Array) -> float:
        return float(self.function(w))

    def add_gradient(self, w: Array, gradient: Array) -> None:
        penalty, pull = differentiate.of_arguments(self.function, w)
        gradient += pull(np.ones_like(penalty))

    def get_config(self) -> Config:
        raise _unsaved("regularizer", self.function)
