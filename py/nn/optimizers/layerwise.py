"""Optimizers whose step depends on the norms of each variable, and Ftrl."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.errors import ConfigError
from nn.optimizers.base import ElementOptimizer, Optimizer
from nn.types import Array


class Lamb(Optimizer):
    """Adam with steps as long as the variable, for large batches (You et al. 2019)."""

    fields = ("beta_1", "beta_2", "epsilon")
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
        m, v = self.state["momentum"], self.state["velocity"]
        m += (g - m) * (1 - self.beta_1)
        v += (np.square(g) - v) * (1 - self.beta_2)
        mean = m / (1 - self.beta_1**self.local_step)
        change = mean / (np.sqrt(v / (1 - self.beta_2**self.local_step)) + self.epsilon)
        for _, weights, step in self.each(p, change):
            size, length = (float(np.sqrt(np.sum(np.square(a)))) for a in (weights, step))
            ratio = size / length if size > 0 and length > 0 else 1.0
            weights -= p.dtype.type(ratio * learning_rate) * step


class Ftrl(ElementOptimizer):
    """Follow the regularized leader, which makes weights exactly 0 (McMahan et al. 2013).

    Args:
        learning_rate: a number or a schedule.
        learning_rate_power: the power of the accumulated squares that divides the rate, at most 0.
        initial_accumulator_value: the squares to begin with.
        l1_regularization_strength: above 0, makes small weights 0.
        l2_regularization_strength: shrinks weights.
        l2_shrinkage_regularization_strength: likewise, by the gradient.
        beta: added to the root of the squares (McMahan's beta).
        options: see `Optimizer`.
    """

    fields = (
        "learning_rate_power", "initial_accumulator_value", "l1_regularization_strength",
        "l2_regularization_strength", "l2_shrinkage_regularization_strength", "beta",
    )  # fmt: skip
    slots = ("accumulator", "linear")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        strengths = (
            initial_accumulator_value, l1_regularization_strength, l2_regularization_strength,
            l2_shrinkage_regularization_strength,
        )  # fmt: skip
        if learning_rate_power > 0 or min(strengths) < 0:
            raise ConfigError(
                "Ftrl: expected learning_rate_power of at most 0, no initial_accumulator_value and "
                f"no strength below 0, received {learning_rate_power}, {strengths}"
            )
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta

    def initial_value(self, slot: str) -> float:
        return self.initial_accumulator_value if slot == "accumulator" else 0.0

    def move(self, p: Array, g: Array, *scalars: float) -> None:
        (learning_rate,) = scalars
        if not learning_rate:  # a schedule's end: there is no step; Keras' weights become NaN
            return
        squares, linear = self.state["accumulator"], self.state["linear"]
        power, strength = -self.learning_rate_power, self.l1_regularization_strength
        before = squares**power
        squares += np.square(g)
        after = squares**power
        linear += g + 2 * self.l2_shrinkage_regularization_strength * p
        linear -= (after - before) / learning_rate * p
        shrink = 2 * self.l2_regularization_strength + self.beta / learning_rate
        p[...] = (np.clip(linear, -strength, strength) - linear) / (after / learning_rate + shrink)
