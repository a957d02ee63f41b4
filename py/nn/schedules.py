"""Learning-rate schedules, named and defined as in Keras 3 (`keras.optimizers.schedules`).

A schedule is called with the number of steps taken so far and returns the next learning rate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

from nn.errors import ConfigError
from nn.identifiers import describe, resolve
from nn.keras_arguments import Checked
from nn.types import Config

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "OneCycle",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "get",
    "serialize",
]


class LearningRateSchedule(metaclass=Checked):
    """Base class. Subclasses define `__call__(step) -> float`."""

    fields: tuple[str, ...] = ()

    def __call__(self, step: int) -> float:
        raise NotImplementedError(f"{type(self).__name__} must define __call__")

    def get_config(self) -> Config:
        """Return the settings that `from_config` accepts."""
        return {f: getattr(self, f) for f in self.fields}

    @classmethod
    def from_config(cls, settings: Config) -> LearningRateSchedule:
        """Create a schedule from the settings that `get_config` returned."""
        return cls(**settings)


class ExponentialDecay(LearningRateSchedule):
    """initial * rate ** (step / steps); `staircase` rounds the exponent down."""

    fields = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _at_least_one(decay_steps, name)
        self.decay_rate = decay_rate
        self.staircase = staircase

    def __call__(self, step: int) -> float:
        p = step / self.decay_steps
        power = math.floor(p) if self.staircase else p
        return float(self.initial_learning_rate * self.decay_rate**power)


class InverseTimeDecay(ExponentialDecay):
    """initial / (1 + rate * step / steps)."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, decay_rate, staircase, name)

    def __call__(self, step: int) -> float:
        p = step / self.decay_steps
        p = math.floor(p) if self.staircase else p
        return self.initial_learning_rate / (1 + self.decay_rate * p)


class PiecewiseConstantDecay(LearningRateSchedule):
    """values[i] up to and including step boundaries[i], then the last value."""

    fields = ("boundaries", "values")

    def __init__(
        self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant"
    ) -> None:
        if len(values) != len(boundaries) + 1:
            raise ConfigError(
                f"{name}: expected one value more than boundaries, "
                f"received {len(values)} and {len(boundaries)}"
            )
        self.boundaries = list(boundaries)
        self.values = list(values)

    def __call__(self, step: int) -> float:
        for boundary, value in zip(self.boundaries, self.values, strict=False):
            if step <= boundary:
                return float(value)
        return float(self.values[-1])


class PolynomialDecay(LearningRateSchedule):
    """Polynomial decay from initial to end rate; `cycle` restarts it, with a longer period."""

    fields = ("initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _at_least_one(decay_steps, name)
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle

    def __call__(self, step: int) -> float:
        steps: float = self.decay_steps
        if self.cycle:
            steps *= 1 if step == 0 else math.ceil(step / self.decay_steps)
        else:
            step = min(step, self.decay_steps)
        span = self.initial_learning_rate - self.end_learning_rate
        return float(span * (1 - step / steps) ** self.power + self.end_learning_rate)


class CosineDecay(LearningRateSchedule):
    """Cosine decay to alpha * peak (Loshchilov and Hutter 2017) after an optional warm-up."""

    fields = ("initial_learning_rate", "decay_steps", "alpha", "warmup_target", "warmup_steps")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _at_least_one(decay_steps, name)
        self.alpha = alpha
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def __call__(self, step: int) -> float:
        if self.warmup_target is None:
            return self._decay(step, self.initial_learning_rate)
        if step < self.warmup_steps:
            rise = self.warmup_target - self.initial_learning_rate
            return self.initial_learning_rate + rise * step / self.warmup_steps
        return self._decay(step - self.warmup_steps, self.warmup_target)

    def _decay(self, step: int, peak: float) -> float:
        share = min(step, self.decay_steps) / self.decay_steps
        cosine = 0.5 * (1 + math.cos(math.pi * share))
        return peak * ((1 - self.alpha) * cosine + self.alpha)


class CosineDecayRestarts(LearningRateSchedule):
    """Cosine decay that begins again, each time `t_mul` as long and `m_mul` as high.

    Source: Loshchilov and Hutter 2017.
    """

    fields = ("initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha")

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = _at_least_one(first_decay_steps, name)
        if not t_mul >= 1:
            raise ConfigError(f"{name}: expected a t_mul of at least 1, received {t_mul!r}")
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha

    def __call__(self, step: int) -> float:
        share, restarts = step / self.first_decay_steps, 0
        if self.t_mul == 1:
            restarts = math.floor(share)
            share -= restarts
        else:
            inner = 1 - share * (1 - self.t_mul)
            restarts = math.floor(math.log(inner) / math.log(self.t_mul) + 1e-12)
            before = (1 - self.t_mul**restarts) / (1 - self.t_mul)
            share = (share - before) / self.t_mul**restarts
        cosine = 0.5 * self.m_mul**restarts * (1 + math.cos(math.pi * share))
        return self.initial_learning_rate * ((1 - self.alpha) * cosine + self.alpha)


class OneCycle(LearningRateSchedule):
    """One-cycle policy: cosine rise from max / div to max, cosine decay to max / (div * final_div).

    Source: Smith and Topin 2018; equals torch.optim.lr_scheduler.OneCycleLR (two phases, cosine).

    Args:
        max_learning_rate: the peak.
        total_steps: steps in the cycle.
        pct_start: fraction of the steps that rise.
    """

    fields = ("max_learning_rate", "total_steps", "pct_start", "div_factor", "final_div_factor")

    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int,
        pct_start: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        name: str = "OneCycle",
    ) -> None:
        self.max_learning_rate = max_learning_rate
        self.total_steps = _at_least_one(total_steps, name)
        self.pct_start = pct_start
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor

    def __call__(self, step: int) -> float:
        first = self.max_learning_rate / self.div_factor
        rise = self.pct_start * self.total_steps - 1
        last = self.total_steps - 1
        if step <= rise:
            return _cosine(first, self.max_learning_rate, step / rise if rise else 1.0)
        share = (min(step, last) - rise) / (last - rise) if last > rise else 1.0
        return _cosine(self.max_learning_rate, first / self.final_div_factor, share)


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


def _at_least_one(steps: int, name: str) -> int:
    if steps < 1:
        raise ConfigError(f"{name}: expected at least 1 step, received {steps}")
    return steps


CLASSES: dict[str, type[LearningRateSchedule]] = {
    c.__name__: c
    for c in (
        ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay, CosineDecay,
        CosineDecayRestarts, OneCycle,
    )
}  # fmt: skip


def get(identifier: Any) -> Any:
    """Return the schedule for a configuration; numbers and callables are returned as they are.

    Raises:
        ConfigError: it is something else, or the class name is unknown.
    """
    if callable(identifier) or isinstance(identifier, Real):
        return identifier
    if not isinstance(identifier, dict):
        raise ConfigError(
            f"learning_rate: expected a number or a schedule, received {identifier!r:.80}"
        )
    return resolve(identifier, LearningRateSchedule, _named)


def _named(name: Any) -> type[LearningRateSchedule]:
    if name not in CLASSES:
        raise ConfigError(f"schedule: expected one of {sorted(CLASSES)}, received {name!r}")
    return CLASSES[name]


def serialize(rate: Any) -> Any:
    """Return a number as it is, and a schedule as its class and settings."""
    return describe(rate) if isinstance(rate, LearningRateSchedule) else rate
