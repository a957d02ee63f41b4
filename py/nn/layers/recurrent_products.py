"""Matrix products of the recurrent layers, with dropout: inputs and states times gate weights.

x W + b does not depend on the previous step, so it is one product for all steps; h U is one product
for each step. With `recurrent_dropout` each gate drops other elements of input and state (Gal and
Ghahramani 2016), so each gate has its own product.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import kernels
from nn.context import Context
from nn.errors import ConfigError
from nn.layers.base import Layer
from nn.types import Array
from nn.variables import Variable


class Gated(Layer):
    """Base of the recurrent layers: the products with their weights."""

    gates = 1
    units: int
    go_backwards: bool
    dropout: float
    recurrent_dropout: float
    rng: np.random.Generator | None
    kernel: Variable
    recurrent_kernel: Variable
    bias: Variable | None

    def input_bias(self) -> Array | None:
        """Return the part of the bias that is added to x W."""
        return self.bias.value if self.bias else None

    def project(self, ctx: Context, rows: Array, drop: Array | None) -> Array:
        """Return x W + b: (steps, n, gates * units). One dropout mask for all gates is applied to
        `rows` in place."""
        steps, n, features = rows.shape
        z = ctx.buffer("z", (steps, n, self.gates * self.units))
        if drop is not None and len(drop) == 1:
            rows *= drop[0]
        if drop is None or len(drop) == 1:
            flat, out = rows.reshape(steps * n, features), z.reshape(steps * n, -1)
            kernels.matmul(flat, self.kernel.value, out, bias=self.input_bias())
            return z
        for g, part in enumerate(self.parts):
            dropped = (rows * drop[g]).reshape(steps * n, features)
            kernels.matmul(dropped, self.kernel.value[:, part], z.reshape(steps * n, -1)[:, part])
        bias = self.input_bias()
        if bias is not None:
            z += bias
        return z

    @property
    def parts(self) -> list[slice]:
        """The slice of each gate on the last axis."""
        return [slice(g * self.units, (g + 1) * self.units) for g in range(self.gates)]

    def drop(self, ctx: Context, n: int, features: int) -> tuple[Array | None, Array | None]:
        """Draw the dropout factors of inputs and states: one for all gates or, as in Keras, one per
        gate if the states are dropped too."""
        count = self.gates if self.recurrent_dropout else 1
        return (
            self.draw(ctx, (count, n, features), self.dropout),
            self.draw(ctx, (count, n, self.units), self.recurrent_dropout),
        )

    def draw(self, ctx: Context, shape: tuple[int, ...], rate: float) -> Array | None:
        if not rate:
            return None
        rng = ctx.generator(self.rng, axis=1)
        kept = rng.random(shape, dtype=ctx.run.dtype.type) >= rate
        return kept * ctx.run.dtype.type(1 / (1 - rate) if rate < 1 else 0)

    def input_gradient(self, ctx: Context, rows: Array, z: Array, drop: Array | None) -> Any:
        """Add the kernel's gradient and return the input's; `z` is the gradient of x W + b."""
        steps, n, features = rows.shape
        dz, weight = z.reshape(steps * n, -1), ctx.gradient(self.kernel, overwrite=True)
        apart = drop is not None and len(drop) > 1
        if apart:
            for g, part in enumerate(self.parts):
                dropped = (rows * drop[g]).reshape(steps * n, features)  # type: ignore[index]
                kernels.matmul(dropped.T, dz[:, part], weight[:, part])
        else:
            kernels.matmul(rows.reshape(steps * n, features).T, dz, weight)
        if not ctx.needs_input_gradient:
            return None
        dx: Array = self.before(dz, drop if apart else None, steps, n, self.kernel.value)
        if drop is not None and not apart:
            dx *= drop[0]
        back = ctx.buffer("dx", (n, steps, features))
        kernels.swap_axes(dx, back, 0 if self.go_backwards else None)
        return back

    def before(self, dz: Array, drop: Array | None, steps: int, n: int, kernel: Array) -> Array:
        """Return dz W^T (steps, n, features), with the dropout of each gate applied."""
        if drop is None:
            return kernels.matmul(dz, kernel.T).reshape(steps, n, len(kernel))
        parts = [
            kernels.matmul(dz[:, part], kernel[:, part].T).reshape(steps, n, -1) * drop[g]
            for g, part in enumerate(self.parts)
        ]
        return np.sum(parts, axis=0)

    def keep(self, ctx: Context, h: Array, d: Array, drop: Array | None) -> Array:
        """Add the gradients of the recurrent kernel and of a one-row bias; return the former."""
        flat = d.reshape(-1, d.shape[-1])
        out = ctx.gradient(self.recurrent_kernel, overwrite=True)
        if drop is None:
            kernels.matmul(h.reshape(-1, self.units).T, flat, out)
        else:
            for g, part in enumerate(self.parts):
                dropped = (h * drop[g]).reshape(-1, self.units)
                kernels.matmul(dropped.T, flat[:, part], out[:, part])
        if self.bias and self.bias.value.ndim == 1:
            kernels.column_sums(flat, ctx.gradient(self.bias, overwrite=True))
        return out

    def recur(self, h: Array, drop: Array | None) -> Array:
        """Return h U (n, gates * units), with the state's dropout applied."""
        kernel = self.recurrent_kernel.value
        if drop is None:
            return kernels.matmul(h, kernel)
        return np.concatenate(
            [kernels.matmul(h * drop[g], kernel[:, part]) for g, part in enumerate(self.parts)],
            axis=1,
        )

    def recur_back(self, d: Array, drop: Array | None) -> Array:
        """Return the gradient of h, given that of h U."""
        return self.before(d, drop, 1, len(d), self.recurrent_kernel.value)[0]


def fraction(value: float, what: str, layer: str) -> float:
    if not 0 <= value <= 1:
        raise ConfigError(f"{layer}: {what} must be between 0 and 1, received {value}")
    return value
