"""Batch normalization over a batch that several members share.

Each pass of the layer is cut in two, and what members sum goes between: the moments of every part
forward, the sums of the gradient's parts backward.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn import config, kernels
from nn.context import Context
from nn.kernels.normalization import column_products
from nn.layers.base import Layer
from nn.layers.normalization import BatchNormalization, moments
from nn.types import Array


class Exchange:
    """What the two halves of a call know of each other.

    Attributes:
        array: (parts, values, features), zero but for this part; then the members' sum.
        statistics: mean and variance of the whole batch, and its number of rows.
    """

    def __init__(self, norm: BatchNormalization, place: int, places: int) -> None:
        self.norm = norm
        self.place, self.places = place, places
        self.array: Array = np.zeros(0)
        self.statistics: Any = None
        self.gradient: Any = None

    def leave(self, ctx: Context, values: Sequence[Any]) -> None:
        """Leave the values of this part for the others; a part without rows has none."""
        features = self.norm.features
        self.array = np.zeros((self.places, len(values), features), ctx.run.dtype)
        if not ctx.run.rows.empty:
            for row, value in zip(self.array[self.place], values, strict=True):
                row[...] = value

    def settle(self, masked: bool) -> tuple[Array, Array]:
        """Return mean and variance of the whole batch (Chan et al. 1979)."""
        means, variances, counts = self.array.astype(np.float64).transpose(1, 0, 2)
        total = counts.sum(axis=0) + (config.epsilon() if masked else 0)
        mean = (counts * means).sum(axis=0) / total
        variance = (counts * (variances + np.square(means - mean))).sum(axis=0) / total
        dtype = self.array.dtype
        self.statistics = mean.astype(dtype), variance.astype(dtype), total.astype(dtype)
        return self.statistics[:2]


class Moments(Layer):
    """The first half: forward, moments of this part; backward, the gradient from all sums."""

    supports_masking = True

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(name=f"moments of {exchange.norm.name}")
        self.exchange = exchange

    @property
    def sublayers(self) -> tuple[Layer, ...]:
        return (self.exchange.norm,)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        if training:
            norm = self.exchange.norm
            rows = norm.lined(x).reshape(-1, norm.features)
            kept = norm.kept(ctx, x)
            mean, variance = moments(rows, kept)
            count = len(rows) if kept is None else kept.sum(axis=0)
            self.exchange.leave(ctx, (mean, variance, count))
        return x

    def backward(self, ctx: Context, dy: Any) -> Any:
        exchange = self.exchange
        d, rows, kept, shown, activation = exchange.gradient
        mean, variance, count = exchange.statistics
        sums, products = exchange.array.sum(axis=0)
        deviation = np.sqrt(variance + exchange.norm.epsilon)
        gamma, _ = exchange.norm.factors(d.dtype)
        scale = gamma / deviation
        dx = ctx.buffer("dx", rows.shape)
        if kept is None:
            e = -scale * products / deviation / count
            b = -scale * sums / count - e * mean
            kernels.column_affine(d, scale, b, dx, y=rows, e=e, shown=shown, activation=activation)
        else:
            normal = (rows - mean) / deviation
            np.multiply(d, scale, out=dx)
            dx -= kept * (scale / count) * (sums + normal * products)
        return exchange.norm.unlined(dx.reshape(exchange.norm.lined(dy).shape))


class Normalize(Layer):
    """The second half: forward, normalize by all moments; backward, sums of this part."""

    supports_masking = True

    def __init__(self, exchange: Exchange, activation: str | None) -> None:
        super().__init__(name=exchange.norm.name)
        self.exchange, self.activation = exchange, activation

    @property
    def sublayers(self) -> tuple[Layer, ...]:
        return (self.exchange.norm,)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        norm, activation = self.exchange.norm, self.activation
        if not training:
            return norm.forward(ctx, x, activation=activation)
        lined = norm.lined(x)
        rows = lined.reshape(-1, norm.features)
        kept = norm.kept(ctx, x)
        mean, variance = self.exchange.settle(kept is not None)
        out = ctx.buffer("y", rows.shape)
        kernels.batch_norm(
            rows, mean, variance, *norm.factors(rows.dtype), norm.epsilon, out,
            activation=activation,
        )  # fmt: skip
        ctx.saved = rows, kept, out if activation else None
        return norm.unlined(out.reshape(lined.shape))

    def backward(self, ctx: Context, dy: Any) -> Any:
        exchange, norm = self.exchange, self.exchange.norm
        rows, kept, shown = ctx.saved
        mean, variance, _ = exchange.statistics
        d = norm.lined(dy).reshape(rows.shape)
        activation = self.activation
        if kept is not None and activation is not None:
            d = kernels.activation_gradient(d, shown, activation)
            shown = activation = None
        sums, products = column_products(rows, mean, d, shown, activation)
        products = products / np.sqrt(variance + norm.epsilon)
        norm.keep(ctx, products, sums)
        exchange.leave(ctx, (sums, products))
        exchange.gradient = d, rows, kept, shown, activation
        return dy

    def commit(self) -> None:
        """Move the running statistics, once the batch counts."""
        mean, variance, _ = self.exchange.statistics
        self.exchange.norm.move(mean, variance)
