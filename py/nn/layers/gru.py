"""GRU: the gated recurrent unit."""

from __future__ import annotations

from typing import Any

from nn import activations, kernels
from nn.context import Context
from nn.layers.lstm import AUTO, derived
from nn.layers.recurrent import Recurrent, States
from nn.types import Array


class GRU(Recurrent):
    """Gated recurrent unit (Cho et al. 2014).

    z, r = recurrent_activation(x W + h U + b), h = z h + (1 - z) g, where g is
    activation(x W + r (h U + b)) with `reset_after` (cuDNN's form, bias (2, 3 * units): one row for
    the input and one for the state), else activation(x W + (r h) U + b) with bias (3 * units,).
    Kernel (features, 3 * units), recurrent kernel (units, 3 * units), gates in the order z, r, g.
    Arguments as in `Recurrent`. With tanh, sigmoid or a hard sigmoid, and `reset_after`, and
    without recurrent dropout, one kernel runs all steps.
    """

    gates = 3
    fields: tuple[str, ...] = (*Recurrent.fields, "recurrent_activation", "reset_after")
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
        *,
        reset_after: bool = True,
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
        self.reset_after = reset_after
        self.kernel_cell = "gru" if reset_after else ""

    def bias_shape(self) -> tuple[int, ...]:
        """Return the shape of the bias; with `reset_after` a row for inputs and one for states."""
        width = self.gates * self.units
        return (2, width) if self.reset_after else (width,)

    def input_bias(self) -> Array | None:
        if self.bias is None:
            return None
        return self.bias.value[0] if self.reset_after else self.bias.value

    # Step by step: `z` holds the gates before their activations; `inner` holds h U + b with
    # reset_after, else r h (in its last part).

    def _walk(
        self, ctx: Context, z: Array, states: States, mask: Array | None, drop: Array | None
    ) -> None:
        ctx.child("inner").saved = ctx.buffer("inner", z.shape)
        super()._walk(ctx, z, states, mask, drop)

    def step(
        self, ctx: Context, t: int, z: Array, old: States, new: States, drop: Array | None
    ) -> None:
        h, u = old[0], self.units
        inner = ctx.child("inner").saved[t]
        if self.reset_after:
            inner[...] = self.recur(h, drop)
            if self.bias:
                inner += self.bias.value[1]
            z[:, : 2 * u] += inner[:, : 2 * u]
            z[:, 2 * u :] += self._gate(z, 1) * inner[:, 2 * u :]
        else:
            z[:, : 2 * u] += self.recur(h, drop)[:, : 2 * u]
            inner[:, 2 * u :] = self._gate(z, 1) * h * _one(drop, 2)
            z[:, 2 * u :] += kernels.matmul(
                inner[:, 2 * u :], self.recurrent_kernel.value[:, 2 * u :]
            )
        update, candidate = self._gate(z, 0), self.activation(z[:, 2 * u :])
        new[0][...] = update * h + (1 - update) * candidate

    def _gate(self, z: Array, g: int) -> Array:
        return self.recurrent_activation(z[:, self.parts[g]])

    def step_back(
        self, ctx: Context, t: int, z: Array, old: States, new: States, later: States, ds: States,
        drop: Array | None,
    ) -> None:  # fmt: skip
        h, dh, (first, second, third) = old[0], later[0], self.parts
        update, reset = self._gate(z, 0), self._gate(z, 1)
        candidate = self.activation(z[:, third])
        inner = ctx.child("inner").saved[t]
        dcandidate = derived(self.activation, dh * (1 - update), z[:, third], candidate)
        before = kernels.matmul(dcandidate, self.recurrent_kernel.value[:, third].T)
        before *= _one(drop, 2)
        dreset = dcandidate * inner[:, third] if self.reset_after else before * h
        z[:, first] = derived(self.recurrent_activation, dh * (h - candidate), z[:, first], update)
        z[:, second] = derived(self.recurrent_activation, dreset, z[:, second], reset)
        z[:, third] = dcandidate
        ds[0] += dh * update
        if self.reset_after:
            inner[...] = z
            inner[:, third] *= reset
            ds[0] += self.recur_back(inner, drop)
        else:
            ds[0] += before * reset
            for g, part in enumerate((first, second)):
                kernel = self.recurrent_kernel.value[:, part]
                ds[0] += kernels.matmul(z[:, part], kernel.T) * _one(drop, g)

    def keep(self, ctx: Context, h: Array, d: Array, drop: Array | None) -> Array:
        inner, u = ctx.child("inner").saved, self.units
        if not self.reset_after:
            # The candidate is computed from r h, not h.
            out = super().keep(ctx, h, d, drop)
            held, flat = inner[..., 2 * u :].reshape(-1, u), d.reshape(-1, 3 * u)
            kernels.matmul(held.T, flat[:, 2 * u :], out[:, 2 * u :])
            return out
        if self.bias:
            rows = ctx.gradient(self.bias, overwrite=True)
            kernels.column_sums(d.reshape(-1, 3 * u), rows[0])
            kernels.column_sums(inner.reshape(-1, 3 * u), rows[1])
        return super().keep(ctx, h, inner, drop)


def _one(drop: Array | None, g: int) -> Any:
    return 1 if drop is None else drop[g]
