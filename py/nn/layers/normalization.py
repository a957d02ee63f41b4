"""Normalization over the batch, over features, or over groups of channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from nn import config, kernels
from nn.context import Context
from nn.errors import ConfigError, ShapeError
from nn.keras_arguments import LeftOut
from nn.layers.base import Layer
from nn.types import Array, Shape, prod
from nn.variables import Variable


class Normalizing(Layer):
    """Base of normalization layers: gamma and beta over one or several axes, the last by default.

    The layers compute with these axes merged into one last axis; `lined` and `unlined` convert.
    """

    supports_masking = True

    def __init__(
        self, axis: Any, epsilon: float, center: bool, scale: bool, **options: Any
    ) -> None:
        super().__init__(**options)
        self.axis = list(axis) if isinstance(axis, list | tuple) else axis
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.gamma: Variable | None = None
        self.beta: Variable | None = None

    def build(self, *input_shapes: Shape) -> None:
        shape = input_shapes[0]
        rank = len(shape)
        given = self.axis if isinstance(self.axis, list) else [self.axis]
        if any(a % rank == 0 for a in given):
            raise ConfigError(
                f"{self.name}: expected axis from 1 to {rank - 1} or -1 to {1 - rank}, "
                f"received {self.axis}"
            )
        self.axes = tuple(sorted(a % rank for a in given))
        self.moves = self.axes != (rank - 1,)
        sizes = [shape[a] for a in self.axes]
        if None in sizes:
            raise ShapeError(f"{self.name}: axis {self.axis} must be known, received {shape}")
        self.size = tuple(n for n in sizes if n is not None)
        self.features = prod(self.size)
        if self.scale:
            self.gamma = self.add_named("gamma", self.size)
        if self.center:
            self.beta = self.add_named("beta", self.size)

    def lined(self, x: Array) -> Array:
        """Return (..., features), with the normalized axes merged into the last one."""
        if not self.moves:
            return x
        moved = np.moveaxis(x, self.axes, range(-len(self.axes), 0))
        lead = moved.shape[: -len(self.axes)]
        return np.ascontiguousarray(moved).reshape(*lead, self.features)

    def unlined(self, y: Array) -> Array:
        """Undo `lined`."""
        if not self.moves:
            return y
        apart = y.reshape(*y.shape[:-1], *self.size)
        return np.ascontiguousarray(np.moveaxis(apart, range(-len(self.axes), 0), self.axes))

    def factors(self, dtype: Any) -> tuple[Array, Array]:
        """Return gamma and beta (features,), or 1 and 0 if the layer has none."""
        gamma = self.gamma.value.reshape(-1) if self.gamma else np.ones(self.features, dtype)
        beta = self.beta.value.reshape(-1) if self.beta else np.zeros(self.features, dtype)
        return gamma, beta

    def keep(self, ctx: Context, dgamma: Array, dbeta: Array) -> None:
        """Add the gradients of gamma and beta."""
        for variable, gradient in ((self.gamma, dgamma), (self.beta, dbeta)):
            if variable is not None and ctx.trains(variable):
                ctx.gradient(variable, overwrite=True)[...] = gradient.reshape(self.size)


class BatchNormalization(Normalizing):
    """Normalize each feature over the batch (Ioffe and Szegedy 2015): (n, ..., c) -> the same.

    Training uses the mean and variance of the batch (of unmasked steps) and updates the running
    statistics. Prediction and frozen layers use the running statistics.

    Args:
        synchronized: where several workers share a batch, use the statistics of the whole batch
            even if `nn.distribution.DataParallel` says that each uses its own.
        axis, momentum, epsilon, center, scale: and all others as in Keras.
    """

    fields: tuple[str, ...] = (
        "axis", "momentum", "epsilon", "center", "scale", "beta_initializer", "gamma_initializer",
        "moving_mean_initializer", "moving_variance_initializer", "beta_regularizer",
        "gamma_regularizer", "beta_constraint", "gamma_constraint", "synchronized",
    )  # fmt: skip
    left_out: ClassVar[LeftOut] = {
        "renorm": (False, "no batch renormalization"),
        "renorm_clipping": (None, "no batch renormalization"),
        "renorm_momentum": (0.99, "no batch renormalization"),
    }

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        synchronized: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(axis, epsilon, center, scale, **options)
        self.synchronized = synchronized
        self.momentum = momentum
        self.set_options("beta", beta_initializer, beta_regularizer, beta_constraint)
        self.set_options("gamma", gamma_initializer, gamma_regularizer, gamma_constraint)
        self.set_options("moving_mean", moving_mean_initializer)
        self.set_options("moving_variance", moving_variance_initializer)

    def build(self, *input_shapes: Shape) -> None:
        super().build(*input_shapes)
        self.moving_mean = self.add_named("moving_mean", self.size)
        self.moving_variance = self.add_named("moving_variance", self.size)
        self.moving_mean.trainable = self.moving_variance.trainable = False

    def forward(
        self, ctx: Context, *inputs: Array, training: bool = False, activation: str | None = None
    ) -> Array:
        lined = self.lined(inputs[0])
        rows = lined.reshape(-1, self.features)
        gamma, beta = self.factors(rows.dtype)
        own = training and self.trainable
        kept = self.kept(ctx, inputs[0]) if own else None
        if own:
            mean, variance = moments(rows, kept)
            self.move(mean, variance)
        else:
            mean, variance = self.moving_mean.value, self.moving_variance.value
        out = ctx.buffer("y", rows.shape)
        kernels.batch_norm(
            rows, mean, variance, gamma, beta, self.epsilon, out, activation=activation
        )
        ctx.saved = rows, mean, variance, own, kept, out if activation else None, activation
        return self.unlined(out.reshape(lined.shape))

    def kept(self, ctx: Context, x: Array) -> Array | None:
        """Return the mask as 0 and 1 in rows like the inputs' (one column if all are equal).

        Raises:
            ShapeError: the mask is not of all axes but the last.
        """
        if ctx.mask is None:
            return None
        if ctx.mask.shape != x.shape[:-1]:
            raise ShapeError(
                f"{self.name}: expected a mask of shape {x.shape[:-1]}, received {ctx.mask.shape}"
            )
        kept = ctx.mask[..., None].astype(ctx.run.dtype)
        if not self.moves:
            return kept.reshape(-1, 1)
        return self.lined(np.broadcast_to(kept, x.shape)).reshape(-1, self.features)

    def move(self, mean: Array, variance: Array) -> None:
        """Move the running statistics towards those of a batch."""
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.value *= moving.dtype.type(self.momentum)
            moving.value += value * moving.dtype.type(1 - self.momentum)

    def backward(self, ctx: Context, dy: Any) -> Any:
        rows, mean, variance, own, kept, shown, activation = ctx.saved
        lined = self.lined(dy)
        d = lined.reshape(rows.shape)
        gamma, _ = self.factors(d.dtype)
        dx = ctx.buffer("dx", rows.shape)
        if own and kept is None:
            _, dgamma, dbeta = kernels.batch_norm_gradient(
                rows,
                d,
                mean,
                variance,
                gamma,
                self.epsilon,
                out=dx,
                shown=shown,
                activation=activation,
            )
        else:
            if shown is not None:
                d = kernels.activation_gradient(d, shown, activation)
            deviation = np.sqrt(variance + self.epsilon)
            normal = (rows - mean) / deviation
            np.multiply(d, gamma / deviation, out=dx)
            dgamma, dbeta = kernels.column_sums(d * normal), kernels.column_sums(d)
            if own:
                count = kept.sum(axis=0) + config.epsilon()
                dx -= kept * (gamma / deviation / count) * (dbeta + normal * dgamma)
        self.keep(ctx, dgamma, dbeta)
        return self.unlined(dx.reshape(lined.shape))


def moments(rows: Array, kept: Array | None) -> tuple[Array, Array]:
    """Return the mean and variance of each column over the rows where `kept` is 1."""
    if kept is None:
        return kernels.column_moments(rows)
    count = kept.sum(axis=0) + config.epsilon()
    mean = kernels.column_sums(rows * kept) / count
    return mean, kernels.column_sums(np.square(rows - mean) * kept) / count


class LayerNormalization(Normalizing):
    """Normalize the features of each sample (Ba et al. 2016): (n, ..., c) -> the same.

    Args:
        axis: the axis or axes normalized together, with a gamma and beta per element.
    """

    fields: tuple[str, ...] = (
        "axis", "epsilon", "center", "scale", "beta_initializer", "gamma_initializer",
        "beta_regularizer", "gamma_regularizer", "beta_constraint", "gamma_constraint",
    )  # fmt: skip

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(axis, epsilon, center, scale, **options)
        self.set_options("beta", beta_initializer, beta_regularizer, beta_constraint)
        self.set_options("gamma", gamma_initializer, gamma_regularizer, gamma_constraint)

    def only_kernels(self, ctx: Context) -> bool:
        return not self.moves

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        lined = self.lined(inputs[0])
        rows = lined.reshape(-1, self.features)
        out, moments = ctx.buffer("y", rows.shape), ctx.buffer("moments", (len(rows), 2))
        kernels.layer_norm(rows, *self._rows(), self.epsilon, out, moments)
        ctx.saved = rows, moments
        return self.unlined(out.reshape(lined.shape))

    def _rows(self) -> tuple[Array | None, Array | None]:
        gamma, beta = (None if v is None else v.value.reshape(-1) for v in (self.gamma, self.beta))
        return gamma, beta

    def backward(self, ctx: Context, dy: Any) -> Any:
        rows, moments = ctx.saved
        lined = self.lined(dy)
        dx = ctx.buffer("dx", rows.shape)
        dgamma, dbeta = (self._gradient(ctx, name) for name in ("gamma", "beta"))
        gamma, _ = self._rows()
        d = lined.reshape(rows.shape)
        kernels.layer_norm_gradient(rows, d, gamma, moments, dx, dgamma=dgamma, dbeta=dbeta)
        return self.unlined(dx.reshape(lined.shape))

    def _gradient(self, ctx: Context, name: str) -> Array:
        """Return where the gradient of gamma or beta is written; memory of no use if not needed."""
        variable = getattr(self, name)
        if variable is None or not ctx.trains(variable):
            return ctx.buffer(f"d{name}", (self.features,))
        return ctx.gradient(variable, overwrite=True).reshape(-1)


class GroupNormalization(LayerNormalization):
    """Normalize each group of channels of each sample (Wu and He 2018): (n, ..., c) -> the same.

    Args:
        groups: number of groups; -1 for one a channel (instance normalization).
        axis: the axis of the channels.
    """

    fields: tuple[str, ...] = ("groups", *LayerNormalization.fields)

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(axis, epsilon, center, scale, **options)
        if groups != -1 and groups < 1:
            raise ConfigError(f"{self.name}: groups must be positive or -1, received {groups}")
        self.groups = groups

    def build(self, *input_shapes: Shape) -> None:
        super().build(*input_shapes)
        if self.groups == -1:
            self.groups = self.features
        if self.features % self.groups:
            raise ShapeError(
                f"{self.name}: expected channels that divide by {self.groups} groups, received "
                f"{input_shapes[0]}"
            )

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        lined = self.lined(inputs[0])
        x = lined.reshape(len(lined), prod(lined.shape[1:-1]), self.features)
        gamma, beta = self.factors(x.dtype)
        centred = x - self._of_groups(kernels.mean_places(x))[:, None]
        variance = self._of_groups(kernels.mean_places(centred * centred))
        inverse = 1 / np.sqrt(variance + self.epsilon)
        ctx.saved = centred, inverse
        y = centred * (inverse * gamma)[:, None]
        y += beta
        return self.unlined(y.reshape(lined.shape))

    def _of_groups(self, means: Array) -> Array:
        """Return for each channel the mean of its group: (n, c) -> the same."""
        apart = means.reshape(len(means), self.groups, self.features // self.groups)
        whole = np.broadcast_to(apart.mean(axis=2, keepdims=True), apart.shape)
        return whole.reshape(means.shape)

    def backward(self, ctx: Context, dy: Any) -> Any:
        centred, inverse = ctx.saved
        lined, places = self.lined(dy), centred.shape[1]
        gamma, _ = self.factors(dy.dtype)
        d = lined.reshape(centred.shape)
        mean, along = kernels.mean_places(d), kernels.mean_places(d * centred) * inverse
        sums, products = kernels.column_sums(mean), kernels.column_sums(along)
        self.keep(ctx, products * places, sums * places)
        dx = d * (gamma * inverse)[:, None]
        dx -= centred * (self._of_groups(along * gamma) * inverse * inverse)[:, None]
        dx -= (self._of_groups(mean * gamma) * inverse)[:, None]
        return self.unlined(dx.reshape(lined.shape))


class RMSNormalization(Normalizing):
    """Divide by the root of the mean square of the features (Zhang and Sennrich 2019).

    Args:
        axis: the axis or axes normalized together, with a scale for each element.
    """

    fields: tuple[str, ...] = ("axis", "epsilon")

    def __init__(
        self, axis: int | Sequence[int] = -1, epsilon: float = 1e-6, **options: Any
    ) -> None:
        super().__init__(axis, epsilon, center=False, scale=True, **options)
        self.set_options("gamma", "ones")

    def build(self, *input_shapes: Shape) -> None:
        super().build(*input_shapes)
        assert self.gamma is not None
        self.gamma.name = "scale"  # as in Keras

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        x = self.lined(inputs[0])
        gamma, _ = self.factors(x.dtype)
        inverse = 1 / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + self.epsilon)
        unit = x * inverse
        ctx.saved = unit, inverse
        return self.unlined(unit * gamma)

    def backward(self, ctx: Context, dy: Any) -> Any:
        unit, inverse = ctx.saved
        lined = self.lined(dy)
        gamma, _ = self.factors(dy.dtype)
        rows = (lined * unit).reshape(-1, self.features)
        self.keep(ctx, kernels.column_sums(rows), rows[:0].sum(axis=0))
        d = lined * gamma
        return self.unlined((d - unit * (d * unit).mean(axis=-1, keepdims=True)) * inverse)
