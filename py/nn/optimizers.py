"""Optimizers, named and defined as in Keras 3 (`keras.optimizers`), over the model's one buffer.

Every slot (momentum, ...) is one array parallel to the packed parameters, so a step is a handful of
operations, or one kernel, whatever the number of layers.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from nn import kernels
from nn.errors import ConfigError, ShapeError
from nn.types import Array, Config
from nn.variables import Parameters

__all__ = [
    "SGD",
    "Adam",
    "Optimizer",
    "get",
    "serialize",
]


class Optimizer:
    """Base class: an optimizer of one's own names its `slots` and defines `update`.

    Args:
        learning_rate: a number, or a schedule called with the step.
        name: shown in configurations.
    """

    fields: tuple[str, ...] = ("learning_rate",)
    slots: ClassVar[tuple[str, ...]] = ()

    def __init__(self, learning_rate: Any = 0.001, *, name: str | None = None) -> None:
        self.name = name or type(self).__name__.lower()
        self.learning_rate = learning_rate
        self.iterations = 0
        self.state: dict[str, Array] = {}
        self.parameters: Parameters | None = None

    def build(self, parameters: Parameters) -> None:
        """Make the slots for `parameters`; keep those that fit already (a recompiled model)."""
        self.parameters = parameters
        for slot in self.slots:
            held = self.state.get(slot)
            if held is None or held.shape != parameters.values.shape:
                self.state[slot] = np.zeros_like(parameters.values)

    def current_learning_rate(self) -> float:
        """Return the learning rate of the coming step."""
        rate = self.learning_rate
        return float(rate(self.iterations)) if callable(rate) else float(rate)

    def step(self) -> None:
        """Apply the gradients that the parameters hold."""
        parameters = self.parameters
        if parameters is None:
            raise ConfigError(f"{self.name}: build(parameters) must come before step()")
        self.iterations += 1
        self.update(parameters.values, parameters.gradients, self.current_learning_rate())

    def update(self, p: Array, g: Array, learning_rate: float) -> None:
        """Change `p` in place by the gradient `g`; `self.iterations` counts from 1."""
        raise NotImplementedError(f"{type(self).__name__} must define update")

    def get_state(self) -> dict[str, Any]:
        """Return a copy of everything that decides the coming steps: step count and slots."""
        return {"iterations": self.iterations} | {k: v.copy() for k, v in self.state.items()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned.

        Raises:
            ShapeError: a slot has another size than the parameters.
        """
        arrays = {k: np.array(v) for k, v in state.items() if k != "iterations"}
        for name, array in arrays.items():
            if self.parameters is not None and array.shape != self.parameters.values.shape:
                raise ShapeError(
                    f"{self.name}/{name}: expected {self.parameters.values.size} elements, "
                    f"received {array.shape}"
                )
        self.iterations = int(state["iterations"])
        self.state.update(arrays)

    def get_config(self) -> Config:
        return {"name": self.name} | {f: getattr(self, f) for f in self.fields}

    @classmethod
    def from_config(cls, settings: Config) -> Optimizer:
        return cls(**settings)


class SGD(Optimizer):
    """Gradient descent, with momentum (Polyak 1964) or Nesterov's."""

    fields = ("learning_rate", "momentum", "nesterov")

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        if not 0 <= momentum <= 1:
            raise ConfigError(f"SGD: momentum must be between 0 and 1, received {momentum}")
        self.momentum = momentum
        self.nesterov = nesterov

    def build(self, parameters: Parameters) -> None:
        self.slots = ("velocity",) if self.momentum else ()  # type: ignore[misc]
        super().build(parameters)

    def update(self, p: Array, g: Array, learning_rate: float) -> None:
        kernels.sgd_update(
            p,
            self.state.get("velocity"),
            g,
            learning_rate=learning_rate,
            momentum=self.momentum,
            nesterov=self.nesterov,
        )


class Adam(Optimizer):
    """Kingma and Ba 2014."""

    fields = ("learning_rate", "beta_1", "beta_2", "epsilon")
    slots = ("momentum", "velocity")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def update(self, p: Array, g: Array, learning_rate: float) -> None:
        t = self.iterations
        correction = math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        kernels.adam_update(
            p,
            self.state["momentum"],
            self.state["velocity"],
            g,
            step_size=learning_rate * correction,
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
        )


CLASSES: dict[str, type[Optimizer]] = {c.__name__: c for c in (SGD, Adam)}


def get(identifier: Any) -> Optimizer:
    """Return an optimizer from its name ("adam"), configuration or itself.

    Raises:
        ConfigError: nothing has that name.
    """
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, dict):
        return _named(identifier["class_name"]).from_config(identifier.get("config") or {})
    return _named(identifier)()


def _named(name: Any) -> type[Optimizer]:
    for key, found in CLASSES.items():
        if isinstance(name, str) and key.lower() == name.lower():
            return found
    raise ConfigError(f"optimizer: expected one of {sorted(CLASSES)}, received {name!r}")


def serialize(optimizer: Optimizer) -> Config:
    """Return the class and settings, in Keras' spelling."""
    return {"class_name": type(optimizer).__name__, "config": optimizer.get_config()}
