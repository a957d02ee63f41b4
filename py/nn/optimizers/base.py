"""Base class of optimizers: slots, clipping, weight decay, averaging and accumulation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from nn import schedules
from nn.errors import ConfigError, ShapeError
from nn.keras_arguments import Checked, LeftOut, refuse
from nn.optimizers.gradients import GivenGradients, packed
from nn.parameters import Parameters
from nn.types import Array, Config, prod
from nn.variables import Variable

AVERAGE, ACCUMULATOR, LIVE = "average", "gradient_accumulator", "live"


class LearningRate(float):
    """The learning rate of an optimizer's next step: a number, and assigned to as in Keras."""

    optimizer: Optimizer

    def assign(self, value: Any) -> None:
        """Set the optimizer's learning rate."""
        self.optimizer.learning_rate = value

    def numpy(self) -> Any:
        """Return it as NumPy's number."""
        return np.float32(self)

    @property
    def value(self) -> float:
        """The number alone."""
        return float(self)


class Optimizer(GivenGradients, metaclass=Checked):
    """Base class. Subclasses list their `slots` and define `update`.

    A slot is one array of the size of the packed parameters, so a step is a few operations, or one
    kernel call, however many layers the model has.

    Args:
        learning_rate: a number, or a schedule called with the number of steps taken so far: the
            attribute `rate`.
        weight_decay: each step subtracts this fraction of each weight, times the learning rate.
        clipnorm: scale the gradient of each variable down to at most this L2 norm.
        clipvalue: clip each element of the gradient to [-clipvalue, clipvalue].
        global_clipnorm: scale all gradients together down to at most this L2 norm.
        use_ema: keep an exponential moving average of the weights; `fit` ends with the average.
        ema_momentum: weight of the past in that average.
        ema_overwrite_frequency: replace the weights by the average every this many steps.
        gradient_accumulation_steps: update the weights every this many steps only, by the mean
            gradient of those steps.
        name: used in configurations.
    """

    fields: tuple[str, ...] = ()
    common: tuple[str, ...] = (
        "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "use_ema", "ema_momentum",
        "ema_overwrite_frequency", "gradient_accumulation_steps",
    )  # fmt: skip
    slots: tuple[str, ...] = ()
    left_out: ClassVar[LeftOut] = {
        "loss_scale_factor": (None, "float32 gradients do not underflow as float16's do")
    }

    def __init__(
        self,
        learning_rate: Any = 0.001,
        *,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **others: Any,
    ) -> None:
        refuse(type(self), others)
        self.name = name or type(self).__name__.lower()
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.iterations = 0
        self.state: dict[str, Array] = {}
        self.parameters: Parameters | None = None
        self._excluded: tuple[set[Variable], tuple[str, ...]] = (set(), ())
        self._check()

    def _check(self) -> None:
        clips = [self.clipnorm, self.clipvalue, self.global_clipnorm]
        if sum(c is not None for c in clips) > 1:
            raise ConfigError(
                f"{self.name}: expected at most one of clipnorm, clipvalue, global_clipnorm"
            )
        if not 0 <= self.ema_momentum <= 1:
            raise ConfigError(
                f"{self.name}: ema_momentum must be between 0 and 1, received {self.ema_momentum}"
            )
        steps = self.gradient_accumulation_steps
        if steps is not None and steps < 2:
            raise ConfigError(
                f"{self.name}: gradient_accumulation_steps must be at least 2, received {steps}"
            )

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the next step. A number or a schedule may be assigned."""
        rate = LearningRate(self.current_learning_rate())
        rate.optimizer = self
        return rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if isinstance(value, LearningRate | np.ndarray) and np.size(value) == 1:
            value = np.asarray(value).item()
        self.rate = schedules.get(value)

    # State.

    def all_slots(self) -> tuple[str, ...]:
        """Return the names of all state arrays that the settings require."""
        extra = (AVERAGE,) if self.use_ema else ()
        return (
            *self.slots,
            *extra,
            *((ACCUMULATOR,) if self.gradient_accumulation_steps else ()),
        )

    def slot_shape(self, slot: str, variable: Variable) -> tuple[int, ...] | None:
        """Return the shape of what a slot holds for a variable, None if it holds nothing."""
        return variable.shape

    def part(self, slot: str, variable: Variable) -> Array:
        """Return what a slot holds for a variable: the first elements of the variable's part."""
        parameters, shape = self.parameters, self.slot_shape(slot, variable)
        if parameters is None or shape is None:
            raise ConfigError(f"{self.name}: {slot} holds nothing for {variable.path}")
        start = parameters.spans[parameters.variables.index(variable)].start
        return self.state[slot][start : start + prod(shape)].reshape(shape)

    def each(self, p: Array, g: Array) -> Iterator[tuple[Variable, Array, Array]]:
        """Yield each variable with its weights and its gradient in `p` and `g`."""
        if self.parameters is not None:
            variables, spans = self.parameters.variables, self.parameters.spans
            for v, span in zip(variables, spans, strict=True):
                yield v, p[span].reshape(v.shape), g[span].reshape(v.shape)

    def initial_value(self, slot: str) -> float:
        """Return the value that a new slot is filled with."""
        return 0.0

    def build(self, parameters: Parameters | Sequence[Variable]) -> None:
        """Create the slots for `parameters`, or for variables; slots of the right size are kept
        (recompiling)."""
        if not isinstance(parameters, Parameters):
            parameters = packed(self.name, parameters)
        self.parameters = parameters
        for slot in self.all_slots():
            held = self.state.get(slot)
            if held is None or held.shape != parameters.values.shape:
                self.state[slot] = np.full_like(parameters.values, self.initial_value(slot))
        self._decayed = [
            span
            for v, span in zip(parameters.variables, parameters.spans, strict=True)
            if self._decays(v)
        ]
        self._constrained = [v for v in parameters.variables if v.constraint is not None]
        self._decays_all = len(self._decayed) == len(parameters.variables)

    def exclude_from_weight_decay(
        self, var_list: Sequence[Variable] = (), var_names: Sequence[str] = ()
    ) -> None:
        """Exclude variables from weight decay: those listed, and those of a name.

        Args:
            var_list: variables.
            var_names: regular expressions, of which one is found in the variable's name ("bias").

        Raises:
            ConfigError: the optimizer has already been built.
        """
        if self.parameters is not None:
            raise ConfigError(f"{self.name}: exclude_from_weight_decay must come before build")
        self._excluded = (set(var_list), tuple(var_names))

    def _decays(self, variable: Variable) -> bool:
        variables, names = self._excluded
        return variable not in variables and not any(re.search(n, variable.name) for n in names)

    def get_state(self) -> dict[str, Any]:
        """Return a copy of the optimizer's state: step count and slots."""
        return {"iterations": self.iterations} | {k: v.copy() for k, v in self.state.items()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned.

        Raises:
            ShapeError: the size of a slot differs from the parameters'; nothing is changed.
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

    # Steps.

    def current_learning_rate(self) -> float:
        """Return the learning rate of the next step."""
        rate = self.rate
        return float(rate(self.iterations)) if callable(rate) else float(rate)

    def step(self) -> None:
        """Update the weights from `parameters.gradients`, which may be overwritten."""
        parameters = self.parameters
        if parameters is None:
            raise ConfigError(f"{self.name}: build(parameters) must come before step()")
        p, g = parameters.values, parameters.gradients
        steps = self.gradient_accumulation_steps
        self.local_step = self.iterations // (steps or 1) + 1
        if not steps or self._accumulate(g):
            self._clip(parameters)
            rate = self.current_learning_rate()
            if self.weight_decay and not self.decays_in_update():
                self._decay(p, self.weight_decay * rate)
            self.update(p, g, rate)
        if self.use_ema:
            self._average(p)
        for variable in self._constrained:
            variable.value[...] = variable.constraint(variable.value)  # type: ignore[misc]
        parameters.mark_written()
        self.iterations += 1

    def update(self, p: Array, g: Array, learning_rate: float) -> None:
        """Update `p` in place from the gradient `g`. `self.local_step` counts updates from 1."""
        raise NotImplementedError(f"{type(self).__name__} must define update")

    def decays_in_update(self) -> bool:
        """Return whether `update` applies `weight_decay` itself (in a fused kernel)."""
        return False

    def _accumulate(self, g: Array) -> bool:
        """Return whether this step updates the weights; if so, `g` holds the gradient to use."""
        steps = self.gradient_accumulation_steps or 1
        total = self.state[ACCUMULATOR]
        if (self.iterations + 1) % steps:
            total += g
            return False
        g += total
        g /= steps
        total.fill(0)
        return True

    def _clip(self, parameters: Parameters) -> None:
        g = parameters.gradients
        if self.clipnorm:
            for view in parameters.views.values():
                _limit(view, self.clipnorm)
        elif self.global_clipnorm:
            _limit(g, self.global_clipnorm)
        elif self.clipvalue:
            np.clip(g, -self.clipvalue, self.clipvalue, out=g)

    def _decay(self, p: Array, fraction: float) -> None:
        keep = p.dtype.type(1 - fraction)
        if self._decays_all:
            p *= keep
            return
        for span in self._decayed:
            p[span] *= keep

    def _average(self, p: Array) -> None:
        average = self.state[AVERAGE]
        logical = self.iterations // (self.gradient_accumulation_steps or 1)
        momentum = self.ema_momentum if logical else 0.0
        average *= average.dtype.type(momentum)
        average += p.dtype.type(1 - momentum) * p
        every = self.ema_overwrite_frequency
        if every and (logical + 1) % every == 0:
            p[...] = average

    def finalize(self) -> None:
        """Replace the weights by their moving average, if any. Called at the end of `fit`."""
        if self.use_ema and self.parameters is not None and self.iterations:
            self.state[LIVE] = self.parameters.values.copy()
            self.parameters.values[...] = self.state[AVERAGE]
            self.parameters.mark_written()

    def begin(self, resume: bool) -> None:
        """Prepare a run. A resumed run continues with the weights that `finalize` replaced."""
        live = self.state.pop(LIVE, None)
        if resume and live is not None and self.parameters is not None:
            self.parameters.values[...] = live
            self.parameters.mark_written()

    # Configuration.

    def get_config(self) -> Config:
        """Return the settings that `from_config` accepts."""
        rate = schedules.serialize(self.rate)
        settings: Config = {"name": self.name, "learning_rate": rate}
        return settings | {f: getattr(self, f) for f in (*self.common, *self.fields)}

    @classmethod
    def from_config(cls, settings: Config) -> Optimizer:
        """Create an optimizer from the settings that `get_config` returned."""
        return cls(**settings)


class ElementOptimizer(Optimizer):
    """Base of optimizers whose step of a weight depends on its own gradient and slots alone.

    Subclasses define `move` and, where more than the learning rate changes from step to step,
    `scalars`.
    """

    def update(self, p: Array, g: Array, learning_rate: float) -> None:
        self.move(p, g, *self.scalars(learning_rate))

    def scalars(self, learning_rate: float) -> tuple[float, ...]:
        """Return the numbers of this step that `move` receives, the rate first: at most 4."""
        return (learning_rate,)

    def move(self, p: Array, g: Array, *scalars: float) -> None:
        """Update `p` in place from the gradient `g`, by NumPy's functions of single elements."""
        raise NotImplementedError(f"{type(self).__name__} must define move")


def _limit(gradient: Array, norm: float) -> None:
    """Scale the gradient down to at most this L2 norm."""
    size = float(np.sqrt(np.sum(np.square(gradient))))
    if size > norm:
        gradient *= gradient.dtype.type(norm / size)
    elif size != size:
        gradient.fill(np.nan)
