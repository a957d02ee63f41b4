"""Steps of an optimizer with gradients that a program computed itself, as in Keras 3."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.errors import ConfigError, ShapeError
from nn.parameters import Parameters
from nn.variables import Variable

# What Keras calls of a subclass of an optimizer, in each step of `fit`.
_NOT_CALLED = ("update_step", "apply", "apply_gradients")


class GivenGradients:
    """The part of an optimizer that takes gradients; the rest is in `Optimizer`."""

    name: str
    parameters: Parameters | None
    iterations: int

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in _NOT_CALLED:
            if name in vars(cls):
                raise ConfigError(
                    f"{cls.__name__}: {name} is not called here, define "
                    "update(p, g, learning_rate), where p is an array of all weights"
                )

    if TYPE_CHECKING:  # `Optimizer` has them

        def build(self, parameters: Any) -> None:
            """Create the slots."""

        def step(self) -> None:
            """Update the weights from the gradients."""

    def apply_gradients(self, grads_and_vars: Iterable[Any]) -> int:
        """Take a step and return the number of steps so far.

        Args:
            grads_and_vars: (gradient, variable) of each variable that the optimizer trains.

        Raises:
            ConfigError: other variables than before, or a gradient that is None.
            ShapeError: a gradient of another shape than its variable.
        """
        pairs = [*grads_and_vars] if isinstance(grads_and_vars, Iterable) else [None]
        if not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs):
            raise ConfigError(
                f"{self.name}: expected pairs of a gradient and a variable, "
                f"received {grads_and_vars!r:.80}"
            )
        self.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])
        return self.iterations

    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> None:
        """Take a step; as `apply_gradients`.

        Args:
            grads: a gradient for each variable.
            trainable_variables: the variables; None are those of the step before.
        """
        if trainable_variables is None:
            parameters = self.parameters
            if parameters is None:
                raise ConfigError(f"{self.name}: expected trainable_variables in the first step")
            variables = parameters.variables
        else:
            variables = tuple(trainable_variables)
            parameters = packed(self.name, variables)
        if len(grads) != len(variables):
            raise ConfigError(
                f"{self.name}: expected {len(variables)} gradients, received {len(grads)}"
            )
        found = [_gradient(self.name, v, g) for v, g in zip(variables, grads, strict=True)]
        if parameters is not self.parameters:
            self._expect_same(parameters)
            self.build(parameters)
        for variable, gradient in zip(variables, found, strict=True):
            parameters.views[variable][...] = gradient
        self.step()

    def _expect_same(self, parameters: Parameters) -> None:
        before = self.parameters
        if before is not None and set(before.variables) != set(parameters.variables):
            raise ConfigError(
                f"{self.name}: expected a gradient for each of "
                f"{[v.path for v in before.variables]}, which it trains, "
                f"received those of {[v.path for v in parameters.variables]}"
            )


def packed(name: str, variables: Any) -> Parameters:
    """Return the parameters that variables are packed in, by a model perhaps.

    Raises:
        ConfigError: one is no variable, or is there twice.
    """
    listed = list(variables) if isinstance(variables, Iterable) else [variables]
    if not all(isinstance(v, Variable) for v in listed) or len(set(listed)) < len(listed):
        raise ConfigError(f"{name}: expected variables, each once, received {variables!r:.80}")
    home = listed[0].home if listed else None
    if home is not None and not home.stale() and set(home.variables) == set(listed):
        return home  # type: ignore[no-any-return]
    return Parameters(listed)


def _gradient(name: str, variable: Variable, gradient: Any) -> Any:
    if gradient is None:
        raise ConfigError(f"{name}: expected a gradient of {variable.path}, received None")
    array = np.asarray(gradient)
    if array.shape != variable.shape:
        raise ShapeError(
            f"{name}: expected a gradient of shape {variable.shape} of {variable.path}, "
            f"received {array.shape}"
        )
    return array
