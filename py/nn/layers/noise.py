"""Dropout: random in training, the identity otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from nn import kernels
from nn.context import Context
from nn.errors import ConfigError, ShapeError
from nn.layers.base import Layer, expect_rank
from nn.layers.data_format import check_data_format
from nn.types import Array, Shape, prod


class Dropout(Layer):
    """Set a fraction `rate` to zero in training and scale the rest by 1 / (1 - rate).

    Source: Srivastava et al. 2014.

    Args:
        rate: fraction to drop, 0 to 1.
        noise_shape: 1 where the same draw serves the whole axis; None is the batch's own size.
        seed: seed of a separate generator; by default the layer uses the model's.
    """

    supports_masking = True
    fields: tuple[str, ...] = ("rate", "noise_shape", "seed")

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if not 0 <= rate <= 1:
            raise ConfigError(f"{self.name}: rate must be between 0 and 1, received {rate}")
        self.rate = rate
        self.noise_shape = tuple(noise_shape) if noise_shape is not None else None
        self.seed = seed
        self.rng = np.random.default_rng(seed) if seed is not None else None

    def draw(self, ctx: Context, shape: tuple[int, ...]) -> kernels.Draw:
        """Return what decides which elements of inputs of this shape are kept."""
        shared = self.noise_shape is not None and self.noise_shape[0] is not None
        return ctx.draw(self.rng, prod(self.mask_shape(shape)), shared=shared)

    def mask(self, shape: tuple[int, ...], dtype: Any, draw: kernels.Draw) -> Array:
        """Return what inputs of this shape are multiplied by, or the axes of it that differ."""
        return kernels.drop(np.ones(self.mask_shape(shape), dtype), draw, self.rate)

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        self.mask_shape(input_shapes[0])
        return input_shapes[0]

    def mask_shape(self, shape: Any) -> Any:
        """Return the shape of the random draw for inputs of a shape."""
        if self.noise_shape is None:
            return shape
        pairs = [*zip(self.noise_shape, shape, strict=False)]
        other = any(s and n not in (None, 1, s) for n, s in pairs)
        if other or len(self.noise_shape) != len(shape):
            raise ShapeError(
                f"{self.name}: expected noise_shape of None, 1 or the sizes of {shape}, "
                f"received {self.noise_shape}"
            )
        return tuple(s if n is None else n for n, s in pairs)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        ctx.saved = None
        if not training or self.rate == 0:
            return x
        ctx.saved = self.draw(ctx, x.shape)
        return self._apply(x, ctx.saved, ctx.buffer("y", x.shape))

    def backward(self, ctx: Context, dy: Any) -> Any:
        if ctx.saved is None:
            return dy
        return self._apply(dy, ctx.saved, ctx.buffer("dx", dy.shape))

    def _apply(self, v: Array, draw: kernels.Draw, out: Array) -> Array:
        if self.mask_shape(v.shape) == v.shape:
            return kernels.drop(v, draw, self.rate, out)
        return np.multiply(v, self.mask(v.shape, v.dtype, draw), out=out)


class SpatialDropout2D(Dropout):
    """Dropout of whole channels (Tompson et al. 2015)."""

    rank: ClassVar[int] = 2
    fields: tuple[str, ...] = ("rate", "data_format", "seed")

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(rate, None, seed, **options)
        self.data_format = check_data_format(data_format, self.name)

    def mask_shape(self, shape: Any) -> Any:
        expect_rank(shape, self.rank + 2, self)
        ones = (1,) * (len(shape) - 2)
        if self.data_format == "channels_first":
            return (*shape[:2], *ones)
        return (shape[0], *ones, shape[-1])


class SpatialDropout1D(SpatialDropout2D):
    """Dropout of whole channels of sequences (n, steps, c) (Tompson et al. 2015)."""

    rank = 1
    fields: tuple[str, ...] = ("rate", "seed")

    def __init__(self, rate: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(rate, None, seed, **options)


class SpatialDropout3D(SpatialDropout2D):
    """Dropout of whole channels of volumes (Tompson et al. 2015)."""

    rank = 3
