"""SimpleRNN: the fully connected recurrent layer."""

from __future__ import annotations

from typing import Any

from nn.context import Context
from nn.layers.recurrent import Recurrent, States
from nn.types import Array


class SimpleRNN(Recurrent):
    """h = activation(x W + h U + b) (Elman 1990); arguments as in `Recurrent`.

    Kernel (features, units), recurrent kernel (units, units), bias (units,). With tanh, and without
    recurrent dropout, one kernel runs all steps.
    """

    kernel_cell = "simple_rnn"

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        *,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            units=units, activation=activation, use_bias=use_bias,
            kernel_initializer=kernel_initializer, recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer, kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer, bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer, kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint, bias_constraint=bias_constraint,
            dropout=dropout, recurrent_dropout=recurrent_dropout, seed=seed,
            return_sequences=return_sequences, return_state=return_state,
            go_backwards=go_backwards, stateful=stateful, **options,
        )  # fmt: skip

    def step(
        self, ctx: Context, t: int, z: Array, old: States, new: States, drop: Array | None
    ) -> None:
        z += self.recur(old[0], drop)
        self.activation.forward(z, new[0])

    def step_back(
        self, ctx: Context, t: int, z: Array, old: States, new: States, later: States, ds: States,
        drop: Array | None,
    ) -> None:  # fmt: skip
        seen = new[0] if self.activation.from_output else z.copy()
        self.activation.gradient(later[0], seen, z)
        ds[0] += self.recur_back(z, drop)
