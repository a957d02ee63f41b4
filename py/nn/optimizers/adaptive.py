"""Adaptive optimizers: each element's step is scaled by the history of its gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nn import kernels
from nn.kernels.binding import Binding
from nn.optimizers.base import ElementOptimizer, Optimizer
from nn.parameters import Parameters
from nn.types import Array
from nn.variables import Variable


class Adam(Optimizer):
    """Adam (Kingma and Ba 2014). `amsgrad` uses the largest second moment (Reddi et al. 2018)."""

    fields = ("beta_1", "beta_2", "epsilon", "amsgrad")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad
        self.slots = ("momentum", "velocity", *(("velocity_hat",) if amsgrad else ()))
        self._binding = Binding()

    def decays_in_update(self) -> bool:
        return self._decays_all and not self.amsgrad

    def update(self, p: Array, g: Array, learning_rate: float) -> None:
        t = self.local_step
        step_size = learning_rate * math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        m, v = self.state["momentum"], self.state["velocity"]
        if self.amsgrad:
            self._amsgrad(p, m, v, g, step_size)
            return
        decay = self.weight_decay * learning_rate if self.weight_decay and self._decays_all else 0.0
        kernels.adam_update(
            p,
            m,
            v,
            g,
            step_size=step_size,
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
            weight_decay=decay,
            binding=self._binding,
        )

    def _amsgrad(self, p: Array, m: Array, v: Array, g: Array, step_size: float) -> None:
        largest = self.state["velocity_hat"]
        m += (g - m) * (1 - self.beta_1)
        v += (np.square(g) - v) * (1 - self.beta_2)
        np.maximum(largest, v, out=largest)
        p -= step_size * m / (np.sqrt(largest) + self.epsilon)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **options
        )


class Adamax(ElementOptimizer):
    """Adam with the infinity norm (Kingma and Ba 2014, section 7)."""

    fields = ("beta_1", "beta_2", "epsilon")
    slots = ("momentum", "norm")

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

    def scalars(self, learning_rate: float) -> tuple[float, ...]:
        return (learning_rate / (1 - self.beta_1**self.local_step),)

    def move(self, p: Array, g: Array, *scalars: float) -> None:
        (step_size,) = scalars
        m, u = self.state["momentum"], self.state["norm"]
        m += (g - m) * (1 - self.beta_1)
        np.maximum(self.beta_2 * u, np.abs(g), out=u)
        p -= step_size * m / (u + self.epsilon)


class RMSprop(ElementOptimizer):
    """RMSprop: divides by a running root mean square (Tieleman and Hinton 2012).

    `centered` subtracts the squared running mean of the gradient.
    """

    fields = ("rho", "momentum", "epsilon", "centered")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered
        self.slots = (
            "velocity",
            *(("momentum",) if momentum > 0 else ()),
            *(("average_gradient",) if centered else ()),
        )
        self._binding = Binding()

    def update(self, p: Array, g: Array, learning_rate: float) -> None:
        done = kernels.rmsprop_update(
            p,
            self.state["velocity"],
            g,
            learning_rate=learning_rate,
            rho=self.rho,
            momentum=self.momentum,
            epsilon=self.epsilon,
            average=self.state.get("average_gradient"),
            moved=self.state.get("momentum"),
            binding=self._binding,
        )
        if not done:
            super().update(p, g, learning_rate)

    def move(self, p: Array, g: Array, *scalars: float) -> None:
        (learning_rate,) = scalars
        v = self.state["velocity"]
        v *= v.dtype.type(self.rho)
        v += (1 - self.rho) * np.square(g)
        denominator = v + self.epsilon
        if self.centered:
            mean = self.state["average_gradient"]
            mean *= mean.dtype.type(self.rho)
            mean += (1 - self.rho) * g
            denominator -= np.square(mean)
        increment = learning_rate * g / np.sqrt(denominator)
        if self.momentum > 0:
            m = self.state["momentum"]
            m *= m.dtype.type(self.momentum)
            m += increment
            increment = m
        p -= increment


class Adagrad(ElementOptimizer):
    """Adagrad: divides by the root of the sum of all squared gradients (Duchi et al. 2011)."""

    fields = ("initial_accumulator_value", "epsilon")
    slots = ("accumulator",)

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def initial_value(self, slot: str) -> float:
        return self.initial_accumulator_value if slot == "accumulator" else 0.0

    def move(self, p: Array, g: Array, *scalars: float) -> None:
        (learning_rate,) = scalars
        total = self.state["accumulator"]
        total += np.square(g)
        p -= learning_rate * g / np.sqrt(total + self.epsilon)


class Adadelta(ElementOptimizer):
    """Adadelta: scales by running root mean squares of gradients and of steps (Zeiler 2012)."""

    fields = ("rho", "epsilon")
    slots = ("accumulated_grad", "accumulated_delta_var")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.rho = rho
        self.epsilon = epsilon

    def move(self, p: Array, g: Array, *scalars: float) -> None:
        (learning_rate,) = scalars
        gradients, steps = self.state["accumulated_grad"], self.state["accumulated_delta_var"]
        gradients *= gradients.dtype.type(self.rho)
        gradients += (1 - self.rho) * np.square(g)
        delta = -np.sqrt(steps + self.epsilon) * g / np.sqrt(gradients + self.epsilon)
        steps *= steps.dtype.type(self.rho)
        steps += (1 - self.rho) * np.square(delta)
        p += learning_rate * delta


class ScheduleFreeAdamW(ElementOptimizer):
    """AdamW that needs no schedule, as it averages the weights (Defazio et al. 2024).

    Args:
        learning_rate: a number or a schedule.
        beta_1: how much of the average the weights are at which gradients are taken.
        beta_2: weight of the past in the mean of squares.
        epsilon: added to the root of that mean.
        warmup_steps: steps over which the rate rises from 0.
        options: see `Optimizer`.
    """

    fields = ("beta_1", "beta_2", "epsilon", "warmup_steps")
    slots = ("momentum", "velocity")

    def __init__(
        self,
        learning_rate: Any = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.warmup_steps = warmup_steps

    def build(self, parameters: Parameters | Sequence[Variable]) -> None:
        """Create the slots; the momentum begins as a copy of the weights."""
        held = self.state.get("momentum")
        super().build(parameters)
        if held is None or held is not self.state["momentum"]:
            made: Any = self.parameters
            self.state["momentum"][...] = made.values

    def scalars(self, learning_rate: float) -> tuple[float, ...]:
        step = self.local_step
        rate = learning_rate * min(step / (self.warmup_steps or 1), 1.0)
        return rate, 1 - self.beta_2**step, float(step)

    def move(self, p: Array, g: Array, *scalars: float) -> None:
        rate, correction, step = scalars
        z, v = self.state["momentum"], self.state["velocity"]
        average = (p - (1 - self.beta_1) * z) / self.beta_1
        v += (np.square(g) - v) * (1 - self.beta_2)
        z -= rate * g / (np.sqrt(v / correction) + self.epsilon)
        average += (z - average) / step
        p[...] = (1 - self.beta_1) * z + self.beta_1 * average


class Nadam(ElementOptimizer):
    """Adam with Nesterov momentum (Dozat 2016)."""

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
        self._product = (0, 1.0)

    def _rate(self, step: int) -> float:
        return self.beta_1 * (1 - 0.5 * 0.96**step)

    def product(self, step: int) -> float:
        """Return the product of the rates of the steps so far."""
        last, value = self._product
        if step < last:
            last, value = 0, 1.0
        for number in range(last + 1, step + 1):
            value *= self._rate(number)
        self._product = step, value
        return value

    def scalars(self, learning_rate: float) -> tuple[float, ...]:
        step = self.local_step
        rate, after = self._rate(step), self._rate(step + 1)
        product = self.product(step)
        return (
            learning_rate,
            after / (1 - product * after),
            (1 - rate) / (1 - product),
            1 - self.beta_2**step,
        )

    def move(self, p: Array, g: Array, *scalars: float) -> None:
        learning_rate, past, present, correction = scalars
        m, v = self.state["momentum"], self.state["velocity"]
        m += (g - m) * (1 - self.beta_1)
        v += (np.square(g) - v) * (1 - self.beta_2)
        mean = past * m + present * g
        p -= learning_rate * mean / (np.sqrt(v / correction) + self.epsilon)
