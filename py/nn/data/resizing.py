"""Resizing images: each axis is a product with a small matrix, so its gradient is the transpose."""

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
    """Return the (target, size) matrix that resamples an axis.

    Args:
        interpolation: "bilinear" or "nearest".
        half_pixel_centers: where pixels lie, as in Keras 3; False is TensorFlow.js' default
            (align_corners=False).

    Raises:
        ConfigError: another interpolation.
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
    """Resize (h, w, c) or (n, h, w, c), as TensorFlow.js' resizeBilinear by default: float32."""
    x = np.asarray(images, np.float32)
    rows = matrix(x.shape[-3], height, interpolation, half_pixel_centers=half_pixel_centers)
    columns = matrix(x.shape[-2], width, interpolation, half_pixel_centers=half_pixel_centers)
    resized: Array = np.einsum("ih,jw,...hwc->...ijc", rows, columns, x, optimize=True)
    return resized
