"""Gradient descent with momentum, and Lion."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import kernels
from nn.errors import ConfigError
from nn.optimizers.base import ElementOptimizer, Optimizer
from nn.types import Array


class SGD(Optimizer):
    """Gradient descent, with momentum (Polyak 1964) or Nesterov's (Sutskever et al. 2013)."""

    fields = ("momentum", "nesterov")

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
        self.slots = ("momentum",) if momentum else ()

    def update(self, p: Array, g: Array, learning_rate: float) -> None:
        kernels.sgd_update(
            p,
            self.state.get("momentum"),
            g,
            learning_rate=learning_rate,
            momentum=self.momentum,
            nesterov=self.nesterov,
        )


class Lion(ElementOptimizer):
    """Lion: steps of equal size along the sign of an interpolated momentum (Chen et al. 2023)."""

    fields = ("beta_1", "beta_2")
    slots = ("momentum",)

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **options: Any
    ) -> None:
        super().__init__(learning_rate, **options)
        if not 0 < beta_1 <= 1:
            raise ConfigError(f"Lion: beta_1 must be in (0, 1], received {beta_1}")
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def move(self, p: Array, g: Array, *scalars: float) -> None:
        (learning_rate,) = scalars
        m = self.state["momentum"]
        p -= learning_rate * np.sign(m * self.beta_1 + g * (1 - self.beta_1))
        m *= m.dtype.type(self.beta_2)
        m += g * (1 - self.beta_2)
