"""Normalization over the batch, or over each sample's features."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import kernels
from nn.context import Context
from nn.errors import ConfigError, ShapeError
from nn.layers.base import Layer
from nn.types import Array, Shape
from nn.variables import Variable


class Normalization(Layer):
    """Base of the two: gamma and beta over the last axis."""

    def __init__(
        self,
        axis: int,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if axis != -1:
            raise ConfigError(f"{self.name}: only axis=-1 is supported, received {axis}")
        self.axis = axis
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = beta_initializer
        self.gamma_initializer = gamma_initializer
        self.gamma: Variable | None = None
        self.beta: Variable | None = None

    def build(self, *input_shapes: Shape) -> None:
        features = input_shapes[0][-1]
        if features is None:
            raise ShapeError(
                f"{self.name}: the last axis must be known, received {input_shapes[0]}"
            )
        self.features = features
        if self.scale:
            self.gamma = self.add_weight("gamma", (features,), self.gamma_initializer)
        if self.center:
            self.beta = self.add_weight("beta", (features,), self.beta_initializer)

    def factors(self, dtype: Any) -> tuple[Array, Array]:
        """Return gamma and beta, 1 and 0 where there are none."""
        gamma = self.gamma.value if self.gamma else np.ones(self.features, dtype)
        beta = self.beta.value if self.beta else np.zeros(self.features, dtype)
        return gamma, beta

    def keep(self, ctx: Context, dgamma: Array, dbeta: Array) -> None:
        """Hand over the gradients of gamma and beta."""
        if self.gamma is not None and ctx.trains(self.gamma):
            ctx.gradient(self.gamma, overwrite=True)[...] = dgamma
        if self.beta is not None and ctx.trains(self.beta):
            ctx.gradient(self.beta, overwrite=True)[...] = dbeta


class BatchNormalization(Normalization):
    """Normalize each feature over the batch (Ioffe and Szegedy 2015): (n, ..., c) -> the same.

    In training by the batch's own mean and variance, which move the running ones; otherwise, or
    when frozen, by those.
    """

    fields: tuple[str, ...] = (
        "axis", "momentum", "epsilon", "center", "scale", "beta_initializer", "gamma_initializer",
    )  # fmt: skip

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        **options: Any,
    ) -> None:
        super().__init__(
            axis, epsilon, center, scale, beta_initializer, gamma_initializer, **options
        )
        self.momentum = momentum

    def build(self, *input_shapes: Shape) -> None:
        super().build(*input_shapes)
        shape = (self.features,)
        self.moving_mean = self.add_weight("moving_mean", shape, "zeros", trainable=False)
        self.moving_variance = self.add_weight("moving_variance", shape, "ones", trainable=False)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        rows = x.reshape(-1, self.features)
        gamma, beta = self.factors(x.dtype)
        own = training and self.trainable
        if own:
            mean, variance = kernels.column_moments(rows)
            self._move(mean, variance)
        else:
            mean, variance = self.moving_mean.value, self.moving_variance.value
        out = ctx.buffer("y", rows.shape)
        kernels.batch_norm(rows, mean, variance, gamma, beta, self.epsilon, out)
        ctx.saved = rows, mean, variance, own
        return out.reshape(x.shape)

    def _move(self, mean: Array, variance: Array) -> None:
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.value *= moving.dtype.type(self.momentum)
            moving.value += value * moving.dtype.type(1 - self.momentum)

    def backward(self, ctx: Context, dy: Any) -> Any:
        rows, mean, variance, own = ctx.saved
        d = dy.reshape(rows.shape)
        gamma, _ = self.factors(d.dtype)
        dx = ctx.buffer("dx", rows.shape)
        if own:
            _, dgamma, dbeta = kernels.batch_norm_gradient(
                rows, d, mean, variance, gamma, self.epsilon, out=dx
            )
        else:
            deviation = np.sqrt(variance + self.epsilon)
            np.multiply(d, gamma / deviation, out=dx)
            dgamma = (d * ((rows - mean) / deviation)).sum(axis=0)
            dbeta = d.sum(axis=0)
        self.keep(ctx, dgamma, dbeta)
        return dx.reshape(dy.shape)


class LayerNormalization(Normalization):
    """Normalize the features of each sample (Ba et al. 2016): (n, ..., c) -> the same."""

    fields: tuple[str, ...] = (
        "axis", "epsilon", "center", "scale", "beta_initializer", "gamma_initializer",
    )  # fmt: skip

    def __init__(
        self,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        **options: Any,
    ) -> None:
        super().__init__(
            axis, epsilon, center, scale, beta_initializer, gamma_initializer, **options
        )

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        gamma, beta = self.factors(x.dtype)
        centred = x - x.mean(axis=-1, keepdims=True)
        inverse = 1 / np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + self.epsilon)
        centred *= inverse
        ctx.saved = centred, inverse
        return np.add(centred * gamma, beta, out=ctx.buffer("y", x.shape))

    def backward(self, ctx: Context, dy: Any) -> Any:
        z, inverse = ctx.saved
        gamma, _ = self.factors(dy.dtype)
        axes = tuple(range(dy.ndim - 1))
        self.keep(ctx, (dy * z).sum(axis=axes), dy.sum(axis=axes))
        d = dy * gamma
        d -= d.mean(axis=-1, keepdims=True) + z * (d * z).mean(axis=-1, keepdims=True)
        return np.multiply(d, inverse, out=ctx.buffer("dx", dy.shape))
