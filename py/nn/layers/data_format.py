"""Data format: the order of an image's axes. Kernels take channels last; others are transposed."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.errors import ConfigError
from nn.layers.base import Layer
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
    order of its input. Each conversion is a copy; channels last needs none.
    """

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.data_format = check_data_format(data_format, self.name)
        self.channels_first = self.data_format == "channels_first"

    def seen(self, x: Array) -> Array:
        """Return an input or an output's gradient with channels last."""
        return np.ascontiguousarray(np.moveaxis(x, 1, -1)) if self.channels_first else x

    def shown(self, y: Any) -> Any:
        """Return an output or an input's gradient in the order of the input."""
        if not self.channels_first or y is None:
            return y
        return np.ascontiguousarray(np.moveaxis(y, -1, 1))

    def seen_shape(self, shape: Shape) -> Shape:
        """Return an input's shape with channels last."""
        return (shape[0], *shape[2:], shape[1]) if self.channels_first else shape

    def shown_shape(self, shape: Shape) -> Shape:
        """Return an output's shape in the order of the input."""
        return (shape[0], shape[-1], *shape[1:-1]) if self.channels_first else shape
