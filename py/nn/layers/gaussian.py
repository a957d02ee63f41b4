"""Noise, and dropout that keeps moments: random in training, the identity otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.context import Context
from nn.errors import ConfigError
from nn.layers.base import Layer
from nn.layers.noise import Dropout
from nn.types import Array

LOWEST = -1.6732632423543772 * 1.0507009873554805
"""The limit of selu for small inputs."""


class GaussianDropout(Layer):
    """Multiply by normal noise of mean 1 and deviation sqrt(rate / (1 - rate)) in training.

    Source: Srivastava et al. 2014.
    """

    supports_masking = True
    fields: tuple[str, ...] = ("rate", "seed")

    def __init__(self, rate: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        if not 0 <= rate < 1:
            raise ConfigError(f"{self.name}: rate must be at least 0 and below 1, received {rate}")
        self.rate = rate
        self.seed = seed
        self.rng = np.random.default_rng(seed) if seed is not None else None

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        ctx.saved = None
        if not training or not self.rate:
            return x
        ctx.saved = noise = ctx.buffer("noise", x.shape)
        ctx.generator(self.rng).standard_normal(noise.shape, dtype=noise.dtype, out=noise)
        noise *= noise.dtype.type((self.rate / (1 - self.rate)) ** 0.5)
        noise += noise.dtype.type(1)
        return np.multiply(x, noise, out=ctx.buffer("y", x.shape))

    def backward(self, ctx: Context, dy: Any) -> Any:
        if ctx.saved is None:
            return dy
        return np.multiply(dy, ctx.saved, out=ctx.buffer("dx", dy.shape))


class AlphaDropout(Dropout):
    """Dropout that keeps mean and variance of inputs of mean 0 and variance 1, for selu.

    What is dropped becomes -1.758, the limit of selu (Klambauer et al. 2017).
    """

    fields: tuple[str, ...] = ("rate", "seed", "noise_shape")

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        ctx.saved = None
        if not training or self.rate == 0:
            return x
        kept = self.mask(x.shape, x.dtype, self.draw(ctx, x.shape)) > 0
        factor = ((1 - self.rate) * (1 + self.rate * LOWEST**2)) ** -0.5
        ctx.saved = kept * x.dtype.type(factor)
        y = np.where(kept, x, x.dtype.type(LOWEST)) * x.dtype.type(factor)
        y -= x.dtype.type(factor * LOWEST * self.rate)
        return y

    def backward(self, ctx: Context, dy: Any) -> Any:
        return dy if ctx.saved is None else dy * ctx.saved


class GaussianNoise(Layer):
    """Add normal noise of standard deviation `stddev` in training."""

    supports_masking = True
    fields: tuple[str, ...] = ("stddev", "seed")

    def __init__(self, stddev: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        if not 0 <= stddev < np.inf:
            raise ConfigError(
                f"{self.name}: stddev must be at least 0 and finite, received {stddev}"
            )
        self.stddev = stddev
        self.seed = seed
        self.rng = np.random.default_rng(seed) if seed is not None else None

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        if not training or not self.stddev:
            return x
        noise = ctx.buffer("y", x.shape)
        ctx.generator(self.rng).standard_normal(noise.shape, dtype=noise.dtype, out=noise)
        noise *= noise.dtype.type(self.stddev)
        noise += x
        return noise

    def backward(self, ctx: Context, dy: Any) -> Any:
        return dy
