"""Recurrent layers: (n, steps, features) -> (n, units), or (n, steps, units) with return_sequences.

Gates, weights and their order are Keras': LSTM i, f, c, o; GRU z, r, h (reset_after).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import activations, initializers, kernels
from nn.context import Context
from nn.errors import ConfigError, ShapeError
from nn.layers.base import Layer, expect_rank, positive
from nn.types import Array, Shape


class Recurrent(Layer):
    """Base: weights, time axis first, and what is done for all steps at once."""

    gates = 1
    fields: tuple[str, ...] = (
        "units", "activation", "use_bias", "kernel_initializer", "recurrent_initializer",
        "bias_initializer", "return_sequences", "go_backwards",
    )  # fmt: skip

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        return_sequences: bool = False,
        go_backwards: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.units = positive(units, "units", self.name)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.return_sequences = return_sequences
        self.go_backwards = go_backwards

    def build(self, *input_shapes: Shape) -> None:
        expect_rank(input_shapes[0], 3, self)
        features = input_shapes[0][-1]
        if features is None:
            raise ShapeError(f"{self.name}: features must be known, received {input_shapes[0]}")
        width = self.gates * self.units
        self.kernel = self.add_weight("kernel", (features, width), self.kernel_initializer)
        self.recurrent_kernel = self.add_weight(
            "recurrent_kernel", (self.units, width), self.recurrent_initializer
        )
        self.bias = (
            self.add_weight("bias", self.bias_shape(), self.bias_initializer)
            if self.use_bias
            else None
        )

    def bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def input_bias(self) -> Array | None:
        """Return the part of the bias that goes with the input."""
        return self.bias.value if self.bias else None

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        n, steps, _ = input_shapes[0]
        return (n, steps, self.units) if self.return_sequences else (n, self.units)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        n, steps, features = x.shape
        order = x[:, ::-1] if self.go_backwards else x
        rows = ctx.buffer("rows", (steps, n, features))
        np.copyto(rows, order.transpose(1, 0, 2))
        z = ctx.buffer("z", (steps, n, self.gates * self.units))
        kernels.matmul(
            rows.reshape(steps * n, features),
            self.kernel.value,
            z.reshape(steps * n, -1),
            bias=self.input_bias(),
        )
        h = ctx.buffer("h", (steps + 1, n, self.units))
        h[0] = 0
        self.run(ctx, z, h)
        ctx.saved = rows, z, h
        return np.ascontiguousarray(h[1:].transpose(1, 0, 2)) if self.return_sequences else h[-1]

    def backward(self, ctx: Context, dy: Any) -> Any:
        rows, z, h = ctx.saved
        steps, n, features = rows.shape
        dh = ctx.buffer("dh", h.shape)
        dh.fill(0)
        if self.return_sequences:
            dh[1:] = dy.transpose(1, 0, 2)
        else:
            dh[-1] = dy
        dz = self.run_back(ctx, z, h, dh).reshape(steps * n, -1)
        kernels.matmul(
            rows.reshape(steps * n, features).T, dz, ctx.gradient(self.kernel, overwrite=True)
        )
        if not ctx.needs_input_gradient:
            return None
        dx: Array = kernels.matmul(dz, self.kernel.value.T).reshape(steps, n, features)
        dx = dx[::-1] if self.go_backwards else dx
        return np.ascontiguousarray(dx.transpose(1, 0, 2))

    def keep(self, ctx: Context, h: Array, d: Array) -> None:
        """Hand over the gradients of the recurrent kernel and a bias of one row."""
        flat = d.reshape(-1, d.shape[-1])
        out = ctx.gradient(self.recurrent_kernel, overwrite=True)
        kernels.matmul(h[:-1].reshape(-1, self.units).T, flat, out)
        if self.bias and self.bias.value.ndim == 1:
            kernels.column_sums(flat, ctx.gradient(self.bias, overwrite=True))

    def run(self, ctx: Context, z: Array, h: Array) -> None:
        """Write the states h (steps + 1, n, units) from z (steps, n, gates * units) = x W + b."""
        raise NotImplementedError

    def run_back(self, ctx: Context, z: Array, h: Array, dh: Array) -> Array:
        """Return the gradient of x W + b from that of the states, after handing over the others."""
        raise NotImplementedError


class SimpleRNN(Recurrent):
    """h = activation(x W + h U + b)."""

    def __init__(
        self, units: int, activation: Any = "tanh", *arguments: Any, **options: Any
    ) -> None:
        super().__init__(units, activation, *arguments, **options)
        if not self.activation.from_output:
            raise ConfigError(
                f"{self.name}: expected an activation like tanh, sigmoid or relu, "
                f"received {self.activation.name!r}"
            )

    def run(self, ctx: Context, z: Array, h: Array) -> None:
        for t, now in enumerate(z):
            kernels.matmul(h[t], self.recurrent_kernel.value, now, accumulate=True)
            self.activation.forward(now, h[t + 1])

    def run_back(self, ctx: Context, z: Array, h: Array, dh: Array) -> Array:
        back = np.ascontiguousarray(self.recurrent_kernel.value.T)
        for t in range(len(z) - 1, -1, -1):
            self.activation.gradient(dh[t + 1], h[t + 1], z[t])
            dh[t] += z[t] @ back
        self.keep(ctx, h, z)
        return z


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate, Gers et al. 2000)."""

    gates = 4
    fields: tuple[str, ...] = (*Recurrent.fields, "recurrent_activation", "unit_forget_bias")

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
        **options: Any,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer,
            bias_initializer, **options,
        )  # fmt: skip
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias
        _expect_standard(self, self.recurrent_activation.name)

    def build(self, *input_shapes: Shape) -> None:
        super().build(*input_shapes)
        if self.bias is not None and self.unit_forget_bias:
            self.bias.value[self.units : 2 * self.units] = 1

    def run(self, ctx: Context, z: Array, h: Array) -> None:
        c = ctx.buffer("c", h.shape)
        c[0] = 0
        kernels.lstm(z, self.recurrent_kernel.value, h, c)

    def run_back(self, ctx: Context, z: Array, h: Array, dh: Array) -> Array:
        dc = ctx.buffer("dc", dh.shape[1:])
        dc.fill(0)
        c = ctx.buffer("c", h.shape)
        kernels.lstm_gradient(z, self.recurrent_kernel.value, c, dh, dc)
        self.keep(ctx, h, z)
        return z


class GRU(Recurrent):
    """Gated recurrent unit (Cho et al. 2014), the reset gate after the product (cuDNN's form).

    Bias (2, 3 * units): one for the input, one for the state.
    """

    gates = 3
    fields: tuple[str, ...] = (*Recurrent.fields, "recurrent_activation", "reset_after")

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        reset_after: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer,
            bias_initializer, **options,
        )  # fmt: skip
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = reset_after
        _expect_standard(self, self.recurrent_activation.name)
        if not reset_after:
            raise ConfigError(f"{self.name}: only reset_after=True is supported")

    def bias_shape(self) -> tuple[int, ...]:
        return (2, self.gates * self.units)

    def input_bias(self) -> Array | None:
        return self.bias.value[0] if self.bias else None

    def run(self, ctx: Context, z: Array, h: Array) -> None:
        u = self.units
        inner = ctx.buffer("inner", (len(z), z.shape[1], 3 * u))
        for t, now in enumerate(z):
            recurrent = kernels.matmul(
                h[t],
                self.recurrent_kernel.value,
                inner[t],
                bias=self.bias.value[1] if self.bias else None,
            )
            gates = now[:, : 2 * u]
            gates += recurrent[:, : 2 * u]
            gates[...] = 0.5 * (1 + np.tanh(0.5 * gates))
            update, reset, candidate = now[:, :u], now[:, u : 2 * u], now[:, 2 * u :]
            candidate += reset * recurrent[:, 2 * u :]
            np.tanh(candidate, out=candidate)
            h[t + 1] = update * h[t] + (1 - update) * candidate

    def run_back(self, ctx: Context, z: Array, h: Array, dh: Array) -> Array:
        u = self.units
        inner = ctx.buffer("inner", z.shape)
        back = np.ascontiguousarray(self.recurrent_kernel.value.T)
        for t in range(len(z) - 1, -1, -1):
            update, reset, candidate = (g.copy() for g in np.split(z[t], 3, axis=1))
            d = dh[t + 1]
            dcandidate = d * (1 - update) * (1 - candidate * candidate)
            dupdate = d * (h[t] - candidate) * update * (1 - update)
            dreset = dcandidate * inner[t, :, 2 * u :] * reset * (1 - reset)
            z[t] = np.concatenate([dupdate, dreset, dcandidate], axis=1)
            inner[t] = np.concatenate([dupdate, dreset, dcandidate * reset], axis=1)
            dh[t] += d * update + inner[t] @ back
        self.keep(ctx, h, inner)
        if self.bias:
            out = ctx.gradient(self.bias, overwrite=True)
            out[0], out[1] = z.sum(axis=(0, 1)), inner.sum(axis=(0, 1))
        return z


def _expect_standard(layer: Recurrent, recurrent: str) -> None:
    if layer.activation.name != "tanh" or recurrent != "sigmoid":
        raise ConfigError(
            f"{layer.name}: the kernels know activation 'tanh' and recurrent_activation 'sigmoid', "
            f"received {layer.activation.name!r} and {recurrent!r}"
        )
