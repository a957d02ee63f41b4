"""Bicubic resampling that averages where it makes smaller, as Pillow's.

Source: Keys 1981, "Cubic convolution interpolation", with a = -0.5.
"""

from __future__ import annotations

import numpy as np

from nn.types import Array


def taps(size: int, target: int) -> tuple[Array, Array]:
    """Return which of `size` values make each of `target` values, and their weights.

    Both are (target, number of taps): integers, and float32 that add up to 1.
    """
    scale = size / target
    wide = max(scale, 1.0)
    centers = (np.arange(target) + 0.5) * scale
    count = int(np.ceil(2 * wide)) * 2 + 1
    first = np.floor(centers - 2 * wide).astype(int)
    places = first[:, None] + np.arange(count)
    weights = _cubic((places + 0.5 - centers[:, None]) / wide)
    weights[(places < 0) | (places >= size)] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    return places.clip(0, size - 1), weights.astype(np.float32)


def _cubic(x: Array) -> Array:
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def resample(image: Array, height: int, width: int) -> Array:
    """Resample (h, w, c) of values between 0 and 255 to (height, width, c), float32.

    Values are rounded to whole numbers, after each axis, as Pillow does.
    """
    columns = _along(np.swapaxes(image, 0, 1), width)
    return _along(np.swapaxes(columns, 0, 1), height)


def _along(image: Array, target: int) -> Array:
    """Resample the first axis."""
    places, weights = taps(len(image), target)
    made = np.zeros((target, *image.shape[1:]), np.float32)
    for tap in range(places.shape[1]):
        made += image[places[:, tap]] * weights[:, tap, None, None]
    return np.rint(made).clip(0, 255)
