"""Image resizing, one axis after the other: by its matrix, or of each place the two beside it."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.data.numeric import numeric
from nn.errors import ConfigError, ShapeError
from nn.keras_arguments import checked
from nn.types import Array


def matrix(
    size: int,
    target: int,
    interpolation: str = "bilinear",
    dtype: Any = np.float32,
    *,
    half_pixel_centers: bool = True,
) -> Array:
    """Return the (target, size) matrix that resamples one axis.

    Args:
        interpolation: "bilinear" or "nearest".
        half_pixel_centers: sample at pixel centers, as Keras 3 does; False samples as
            TensorFlow.js does by default (align_corners=False).

    Raises:
        ConfigError: the interpolation is unknown.
    """
    out = np.zeros((target, size), dtype)
    for taps, share in _taps(size, target, interpolation, half_pixel_centers):
        np.add.at(out, (np.arange(target), taps), share)
    return out


def _taps(
    size: int, target: int, interpolation: str, half_pixel_centers: bool
) -> list[tuple[Array, Array]]:
    """Return places of one axis and their shares, (target,) each, whose sum is the result."""
    shift = 0.5 if half_pixel_centers else 0.0
    place = (np.arange(target) + shift) * (size / target) - shift
    if interpolation == "nearest":
        return [(np.clip(np.floor(place + shift), 0, size - 1).astype(int), np.ones(target))]
    if interpolation != "bilinear":
        raise ConfigError(
            f"interpolation: expected bilinear or nearest, received {interpolation!r}"
        )
    place = np.clip(place, 0, size - 1)
    low = np.floor(place).astype(int)
    share = place - low
    return [(low, 1 - share), (np.minimum(low + 1, size - 1), share)]


@checked
def resize(
    images: Any,
    height: int,
    width: int,
    interpolation: str = "bilinear",
    *,
    half_pixel_centers: bool = False,
) -> Array:
    """Resize (h, w, c) or (n, h, w, c) to float32, by default as TensorFlow.js' resizeBilinear.

    Raises:
        ShapeError: the images have fewer than 3 axes.
        DataError: they are not of numbers.
        ConfigError: the interpolation is unknown, or a side no number above zero.
    """
    x = numeric(images, "resize")
    if x.ndim < 3:
        raise ShapeError(f"resize: expected images (h, w, c) or (n, h, w, c), received {x.shape}")
    if not min(height, width) >= 1:
        raise ConfigError(f"resize: expected sides of at least 1, received {height} and {width}")
    for axis, target in ((-3, height), (-2, width)):
        taps = _taps(x.shape[axis], target, interpolation, half_pixel_centers)
        ones = (1,) * (-1 - axis)
        parts = [x.take(at, axis) * w.astype(np.float32).reshape(-1, *ones) for at, w in taps]
        x = np.add.reduce(parts, axis=0, dtype=np.float32)
    return x
