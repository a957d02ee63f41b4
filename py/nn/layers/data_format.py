"""Data format: the order of an image's axes. Kernels take channels last; others are transposed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from nn.errors import ConfigError
from nn.layers.base import Layer, expect_rank
from nn.types import Array, Shape


def check_data_format(data_format: str | None, layer: str) -> str:
    """Return the data format; None means "channels_last", Keras' default.

    Raises:
        ConfigError: the format is unknown.
    """
    known = ("channels_last", "channels_first")
    if data_format not in (None, *known):
        raise ConfigError(f"{layer}: data_format must be one of {known}, received {data_format!r}")
    return data_format or "channels_last"


class Spatial(Layer):
    """Base of layers with `data_format`: (n, ..., c), or (n, c, ...) with "channels_first".

    Such a layer computes on `seen(x)`, which has channels last, and returns `shown(y)`, in the
    order of its input. Each conversion is a copy; channels last needs none. `rank` is the number of
    axes between batch and channels. A layer of rank 1 computes as one of rank 2, on images of
    height 1: `seen` adds that axis and `shown` takes it away.
    """

    rank: ClassVar[int] = 2

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.data_format = check_data_format(data_format, self.name)
        self.channels_first = self.data_format == "channels_first"

    def expect_axes(self, shape: Shape) -> None:
        """Raise ShapeError unless an input's shape has the axes of this layer."""
        expect_rank(shape, self.rank + 2, self)

    def lifted(self, sizes: Sequence[int], one: int = 1) -> tuple[int, ...]:
        """Return sizes for each axis of `seen(x)`, given those for each axis of the input."""
        return (one, *sizes) if self.rank == 1 else tuple(sizes)

    def seen(self, x: Array) -> Array:
        """Return an input or an output's gradient with channels last."""
        last = np.ascontiguousarray(np.moveaxis(x, 1, -1)) if self.channels_first else x
        return last[:, None] if self.rank == 1 else last

    def shown(self, y: Any) -> Any:
        """Return an output or an input's gradient in the order of the input."""
        if y is None:
            return None
        flat = y[:, 0] if self.rank == 1 else y
        return np.ascontiguousarray(np.moveaxis(flat, -1, 1)) if self.channels_first else flat

    def seen_shape(self, shape: Shape) -> Shape:
        """Return an input's shape with channels last."""
        last = (shape[0], *shape[2:], shape[1]) if self.channels_first else shape
        return (last[0], 1, *last[1:]) if self.rank == 1 else last

    def shown_shape(self, shape: Shape) -> Shape:
        """Return an output's shape in the order of the input."""
        flat = (shape[0], *shape[2:]) if self.rank == 1 else shape
        return (flat[0], flat[-1], *flat[1:-1]) if self.channels_first else flat
