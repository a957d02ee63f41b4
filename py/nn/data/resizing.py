"""Image resizing, one matrix product per axis (its gradient is the transposed product)."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.errors import ConfigError
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
    shift = 0.5 if half_pixel_centers else 0.0
    place = (np.arange(target) + shift) * (size / target) - shift
    rows = np.arange(target)
    out = np.zeros((target, size), dtype)
    if interpolation == "nearest":
        out[rows, np.clip(np.floor(place + shift), 0, size - 1).astype(int)] = 1
        return out
    if interpolation != "bilinear":
        raise ConfigError(
            f"interpolation: expected bilinear or nearest, received {interpolation!r}"
        )
    place = np.clip(place, 0, size - 1)
    low = np.floor(place).astype(int)
    share = place - low
    np.add.at(out, (rows, low), 1 - share)
    np.add.at(out, (rows, np.minimum(low + 1, size - 1)), share)
    return out


def resize(
    images: Array,
    height: int,
    width: int,
    interpolation: str = "bilinear",
    *,
    half_pixel_centers: bool = False,
) -> Array:
    """Resize (h, w, c) or (n, h, w, c) to float32, by default as TensorFlow.js' resizeBilinear."""
    x = np.asarray(images, np.float32)
    rows = matrix(x.shape[-3], height, interpolation, half_pixel_centers=half_pixel_centers)
    columns = matrix(x.shape[-2], width, interpolation, half_pixel_centers=half_pixel_centers)
    resized: Array = np.einsum("ih,jw,...hwc->...ijc", rows, columns, x, optimize=True)
    return resized
