"""Layers that the benched networks need beyond nn's own, as a user of nn would write them.

Each is two short methods over `nn.kernels`; where nn has one of the same name, it is used.
"""

from __future__ import annotations

from typing import Any

import nn
import numpy as np
from nn import kernels
from nn.context import Context

Array = Any
Shape = tuple[Any, ...]


class Reshape(nn.Layer):
    """(n, ...) to (n, *target_shape)."""

    def __init__(self, target_shape: Any, **options: Any) -> None:
        super().__init__(**options)
        self.target_shape = tuple(target_shape)

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        """Keep the batch axis."""
        return (input_shapes[0][0], *self.target_shape)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        """Give another view of x."""
        ctx.saved = inputs[0].shape
        return inputs[0].reshape(len(inputs[0]), *self.target_shape)

    def backward(self, ctx: Context, dy: Array) -> Array:
        """Give dy in x's shape."""
        return dy.reshape(ctx.saved)


class BatchNormalization(nn.Layer):
    """Normalise the last axis by the batch's moments; keeps moving ones for predictions."""

    def __init__(self, momentum: float = 0.99, epsilon: float = 1e-3, **options: Any) -> None:
        super().__init__(**options)
        self.momentum, self.epsilon = momentum, epsilon

    def build(self, *input_shapes: Shape) -> None:
        """Create gamma, beta and the moving moments, in Keras' order."""
        channels = (input_shapes[0][-1],)
        self.gamma = self.add_weight("gamma", channels, "ones")
        self.beta = self.add_weight("beta", channels, "zeros")
        self.mean = self.add_weight("moving_mean", channels, "zeros", trainable=False)
        self.variance = self.add_weight("moving_variance", channels, "ones", trainable=False)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        """Give the normalised rows, by the batch's own moments in training."""
        (x,) = inputs
        rows = x.reshape(-1, x.shape[-1])
        mean, variance = self.mean.value, self.variance.value
        if training:
            mean, variance = kernels.column_moments(rows)
            self._follow(mean, variance)
        out = ctx.buffer("y", rows.shape)
        gamma, beta = self.gamma.value, self.beta.value
        y = kernels.batch_norm(rows, mean, variance, gamma, beta, self.epsilon, out)
        ctx.saved = x.shape, rows, mean, variance
        return y.reshape(x.shape)

    def _follow(self, mean: Array, variance: Array) -> None:
        for moving, now in ((self.mean, mean), (self.variance, variance)):
            moving.value += np.float32(1 - self.momentum) * (now - moving.value)

    def backward(self, ctx: Context, dy: Array) -> Array:
        """Give dx; the moments are functions of x too."""
        shape, rows, mean, variance = ctx.saved
        dx, _, _ = kernels.batch_norm_gradient(
            rows,
            dy.reshape(rows.shape),
            mean,
            variance,
            self.gamma.value,
            self.epsilon,
            dgamma=ctx.gradient(self.gamma, overwrite=True),
            dbeta=ctx.gradient(self.beta, overwrite=True),
            out=ctx.buffer("dx", rows.shape),
        )
        return dx.reshape(shape)


class LSTM(nn.Layer):
    """(n, steps, width) to the last output, (n, units); gates in Keras' order i, f, c, o."""

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.units = units

    def build(self, *input_shapes: Shape) -> None:
        """Create kernel, recurrent kernel and bias, in Keras' order."""
        gates = 4 * self.units
        self.kernel = self.add_weight("kernel", (input_shapes[0][-1], gates))
        self.recurrent = self.add_weight("recurrent_kernel", (self.units, gates))
        self.bias = self.add_weight("bias", (gates,), "zeros")

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        """Keep the batch axis."""
        return (input_shapes[0][0], self.units)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        """Project all steps at once, then run through time."""
        (x,) = inputs
        n, steps, width = x.shape
        rows = ctx.buffer("x", (steps, n, width))
        np.copyto(rows, x.transpose(1, 0, 2))
        z = ctx.buffer("z", (steps, n, 4 * self.units))
        flat = z.reshape(steps * n, -1)
        kernels.matmul(rows.reshape(-1, width), self.kernel.value, flat, bias=self.bias.value)
        h, c = (ctx.buffer(name, (steps + 1, n, self.units)) for name in ("h", "c"))
        h[0] = c[0] = 0
        kernels.lstm(z, self.recurrent.value, h, c)
        ctx.saved = rows, z, h, c
        return h[-1]

    def backward(self, ctx: Context, dy: Array) -> Array | None:
        """Run back through time, then take the weights' gradients of all steps at once."""
        rows, z, h, c = ctx.saved
        dh, dc = ctx.buffer("dh", h.shape), ctx.buffer("dc", dy.shape)
        dh.fill(0)
        dc.fill(0)
        dh[-1] = dy
        kernels.lstm_gradient(z, self.recurrent.value, c, dh, dc)
        dz, before = z.reshape(-1, z.shape[-1]), h[:-1].reshape(-1, self.units)
        x = rows.reshape(-1, rows.shape[-1])
        kernels.matmul(x.T, dz, ctx.gradient(self.kernel, overwrite=True))
        kernels.matmul(before.T, dz, ctx.gradient(self.recurrent, overwrite=True))
        kernels.column_sums(dz, ctx.gradient(self.bias, overwrite=True))
        if not ctx.needs_input_gradient:
            return None
        dx = kernels.matmul(dz, self.kernel.value.T).reshape(rows.shape)
        return dx.transpose(1, 0, 2)
