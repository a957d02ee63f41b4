"""x * a + b for each element: Rescaling by given numbers, Normalization by those of the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn import config, kernels
from nn.context import Context
from nn.errors import ConfigError, ShapeError
from nn.layers.base import Layer
from nn.lazy import load
from nn.types import Array, Shape
from nn.variables import Variable


class Affine(Layer):
    """Base of layers that compute x * a + b, with numbers that repeat along some axes."""

    supports_masking = True

    def factors(self) -> tuple[Array, Array]:
        """Return a and b, of any shapes that repeat along the axes of an input."""
        raise NotImplementedError

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        a, b = self.factors()
        ctx.saved = a
        y = ctx.buffer("y", x.shape)
        if _by_column(a) and _by_column(b) and a.size > 1:
            scale, shift = (
                np.broadcast_to(n.reshape(-1), x.shape[-1:]).astype(x.dtype) for n in (a, b)
            )
            kernels.column_affine(_rows(x), scale, shift, _rows(y))
            return y
        np.multiply(x, a.astype(x.dtype), out=y)
        y += b.astype(x.dtype)
        return y

    def backward(self, ctx: Context, dy: Any) -> Any:
        return np.multiply(dy, ctx.saved.astype(dy.dtype), out=ctx.buffer("dx", dy.shape))


def _rows(y: Array) -> Array:
    return y.reshape(-1, y.shape[-1])


def _by_column(numbers: Array) -> bool:
    """Return whether numbers differ along the last axis alone."""
    return not numbers.ndim or numbers.size == numbers.shape[-1]


class Rescaling(Affine):
    """x * scale + offset."""

    fields: tuple[str, ...] = ("scale", "offset")

    def __init__(self, scale: Any, offset: Any = 0.0, **options: Any) -> None:
        super().__init__(**options)
        try:
            if scale is None or offset is None:  # NumPy takes None for NaN
                raise TypeError
            np.asarray(scale, np.float64), np.asarray(offset, np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise ConfigError(
                f"{self.name}: expected scale and offset to be numbers, "
                f"received {scale!r:.80}, {offset!r:.80}"
            ) from error
        self.scale = scale
        self.offset = offset

    def build(self, *input_shapes: Shape) -> None:
        (shape,) = input_shapes
        for given in map(np.shape, (self.scale, self.offset)):
            pairs = zip(reversed(given), reversed(shape), strict=False)
            if len(given) > len(shape) or any(n != 1 and s not in (None, n) for n, s in pairs):
                raise ShapeError(f"{self.name}: expected numbers for {shape}, received {given}")

    def factors(self) -> tuple[Array, Array]:
        return np.asarray(self.scale, np.float64), np.asarray(self.offset, np.float64)


class Normalization(Affine):
    """Subtract the mean of the data and divide by their deviation: the shape stays.

    Args:
        axis: the axis or axes whose elements each have a mean; None for one mean of all.
        mean: the means, where they are known. If it is None, `adapt` computes them.
        variance: the variances; given together with `mean`.
        invert: compute the data from normalized values instead.
    """

    fields: tuple[str, ...] = ("axis", "mean", "variance", "invert")

    def __init__(
        self,
        axis: int | Sequence[int] | None = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if (mean is None) != (variance is None):
            raise ConfigError(
                f"{self.name}: expected mean and variance together, received "
                f"mean={mean!r:.80}, variance={variance!r:.80}"
            )
        self.axis = axis if axis is None or isinstance(axis, int) else list(axis) or None
        self.mean = _listed(mean, "mean", self.name)
        self.variance = _listed(variance, "variance", self.name)
        self.invert = invert
        kept = 1 if isinstance(self.axis, int) else len(self.axis or ())
        if np.shape(self.mean) != np.shape(self.variance) or np.ndim(self.mean) > kept:
            raise ConfigError(
                f"{self.name}: expected mean and variance of one shape with at most {kept} axes, "
                f"received {np.shape(self.mean)} and {np.shape(self.variance)}"
            )
        self.adapted: list[Variable] = []

    def build(self, *input_shapes: Shape) -> None:
        (shape,) = input_shapes
        rank = len(shape)
        given = [self.axis] if isinstance(self.axis, int) else self.axis or []
        self.kept = tuple(sorted(axis % rank for axis in given))
        sizes = [shape[i] if i in self.kept else 1 for i in range(rank)]
        if None in sizes:
            raise ShapeError(f"{self.name}: axis {self.axis} must be known, received {shape}")
        self.spread = tuple(n for n in sizes if n is not None)
        if self.mean is not None:
            self._expect_given(shape)
            return
        size = tuple(self.spread[i] for i in self.kept)
        for name, initial in (("mean", "zeros"), ("variance", "ones"), ("count", "zeros")):
            # Keras counts nothing with `count` any more; its files have it.
            own = () if name == "count" else size
            self.adapted.append(self.add_weight(name, own, initial, trainable=False))

    def _expect_given(self, shape: Shape) -> None:
        try:
            np.broadcast_to(self._numbers(self.mean), self.spread)
        except ValueError:
            raise ShapeError(
                f"{self.name}: expected a mean for {shape}, received {np.shape(self.mean)}"
            ) from None

    def _numbers(self, given: Any) -> Array:
        """Return given numbers with axes like the input's: theirs are the last of those kept."""
        values = np.asarray(given, np.float64)
        shape = [1] * len(self.spread)
        for axis, size in zip(reversed(self.kept), reversed(values.shape), strict=False):
            shape[axis] = size
        return values.reshape(shape)

    def factors(self) -> tuple[Array, Array]:
        if self.mean is None:
            mean, variance = (v.value.astype(np.float64) for v in self.adapted[:2])
            mean, variance = mean.reshape(self.spread), variance.reshape(self.spread)
        else:
            mean, variance = self._numbers(self.mean), self._numbers(self.variance)
        deviation = np.maximum(np.sqrt(variance), config.epsilon())
        return (deviation, mean) if self.invert else (1 / deviation, -mean / deviation)

    def adapt(self, data: Any) -> None:
        """Set the mean and the variance to those of data.

        Args:
            data: an array, a Dataset, or batches one after the other: arrays, or tuples of which
                the first item is taken.

        Raises:
            ConfigError: the layer was given its mean.
            ShapeError: the shape of a batch does not fit the layer.
            EmptyError: there are no batches.
        """
        if self.mean is not None:
            raise ConfigError(f"{self.name}: expected a layer without mean, to adapt it")
        values = load("nn.data.adapting").moments(self, data)
        for variable, value in zip(self.adapted, values, strict=False):
            variable.assign(value)


def _listed(value: Any, what: str, layer: str) -> Any:
    """Return numbers as nested lists, None as None."""
    try:
        return None if value is None else np.asarray(value, np.float64).tolist()
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(
            f"{layer}: expected {what} to be numbers, received {value!r:.80}"
        ) from error
