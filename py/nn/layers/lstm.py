"""LSTM: long short-term memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import activations
from nn.context import Context
from nn.keras_arguments import LeftOut
from nn.layers.recurrent import Recurrent, States
from nn.types import Array, Shape

AUTO: LeftOut = {"use_cudnn": ("auto", "there is no cuDNN here")}


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate, Gers et al. 2000).

    i, f, o = recurrent_activation(x W + h U + b), g = activation(...), c = f c + i g,
    h = o activation(c). Kernel (features, 4 * units), recurrent kernel (units, 4 * units), bias
    (4 * units,), gates in the order i, f, g, o; states [h, c]. Arguments as in `Recurrent`.
    With tanh and sigmoid or a hard sigmoid, and without recurrent dropout, one kernel runs all
    steps.
    """

    gates = 4
    kernel_cell = "lstm"
    state_count = 2
    fields: tuple[str, ...] = (*Recurrent.fields, "recurrent_activation", "unit_forget_bias")
    left_out = AUTO

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
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
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias
        i = f = o = self.recurrent_activation
        self.functions = (i, f, self.activation, o)

    def build(self, *input_shapes: Shape) -> None:
        super().build(*input_shapes)
        if self.bias is not None and self.unit_forget_bias:
            self.bias.value[self.units : 2 * self.units] = 1
            self.bias.mark_written()

    # Step by step.

    def step(
        self, ctx: Context, t: int, z: Array, old: States, new: States, drop: Array | None
    ) -> None:
        z += self.recur(old[0], drop)
        i, f, g, o = self._activated(z)
        new[1][...] = f * old[1] + i * g
        new[0][...] = o * self.activation(new[1])

    def _activated(self, z: Array) -> list[Array]:
        """Return the gates, leaving `z` unchanged."""
        return [f(z[:, part]) for f, part in zip(self.functions, self.parts, strict=True)]

    def step_back(
        self, ctx: Context, t: int, z: Array, old: States, new: States, later: States, ds: States,
        drop: Array | None,
    ) -> None:  # fmt: skip
        i, f, g, o = gates = self._activated(z)
        # The cell before masking; new[1] differs from it at masked steps.
        cell = f * old[1] + i * g
        shown = self.activation(cell)
        dcell = later[1] + derived(self.activation, later[0] * o, cell, shown)
        wanted = (dcell * g, dcell * old[1], dcell * i, later[0] * shown)
        for function, part, d, y in zip(self.functions, self.parts, wanted, gates, strict=True):
            z[:, part] = derived(function, d, z[:, part], y)
        ds[0] += self.recur_back(z, drop)
        ds[1] += dcell * f


def derived(function: activations.Activation, dy: Array, x: Array, y: Array) -> Array:
    """Return dy * f'(x), y being f(x)."""
    dx = np.empty_like(dy)
    function.gradient(dy, np.ascontiguousarray(y if function.from_output else x), dx)
    return dx
