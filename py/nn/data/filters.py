"""Image resizing by filters that reach further than the pixels beside, and without distortion.

Sources: Keys 1981, "Cubic convolution interpolation", with a = -0.5; Duchon 1979, "Lanczos
filtering in one and two dimensions".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from nn.data.resizing import matrix
from nn.types import Array


def matrices(layer: Any, sides: Sequence[int]) -> list[Array]:
    """Return (height, h) and (width, w), by which a layer `Resizing` multiplies images.

    A cropped image has columns of zeros; rows that reach into padding have a sum below 1.
    """
    targets = (layer.height, layer.width)
    made = []
    for size, other, target, ratio in zip(sides, sides[::-1], targets, targets[::-1], strict=True):
        fitting = int(other * target / ratio)  # of that ratio beside the other side
        start = 0
        if layer.crop_to_aspect_ratio:
            kept = max(min(size, fitting), 1)
            start = (size - kept) // 2
        elif layer.pad_to_aspect_ratio:
            start = -((max(size, fitting) - size) // 2)
            kept = size - 2 * start
        else:
            kept = size
        weights = _weights(kept, target, layer.interpolation, layer.antialias)
        whole = np.zeros((target, size))
        if start < 0:
            whole[:] = weights[:, -start : size - start]
        else:
            whole[:, start : start + kept] = weights
        made.append(whole.astype(layer.dtype))
    return made


def padding(layer: Any, made: Sequence[Array]) -> Array:
    """Return what the padding adds to images that were multiplied by these matrices."""
    inside = np.outer(*(sides.sum(axis=1) for sides in made))
    added: Array = layer.fill_value * (1 - (inside if layer.channels_first else inside[..., None]))
    return added


def _weights(size: int, target: int, interpolation: str, antialias: bool) -> Array:
    """Return (target, size): of each place the shares of all pixels, 1 together."""
    if interpolation == "nearest":
        return matrix(size, target, "nearest", np.float64)
    scale = size / target
    wide = max(scale, 1.0) if antialias else 1.0
    centers = (np.arange(target) + 0.5) * scale - 0.5
    shares = _FILTERS[interpolation](np.abs(centers[:, None] - np.arange(size)) / wide)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _cubic(x: Array) -> Array:
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _lanczos(radius: int, x: Array) -> Array:
    return np.where(x > radius, 0, np.sinc(x) * np.sinc(x / radius))


_FILTERS: dict[str, Callable[[Array], Array]] = {
    "bilinear": lambda x: np.maximum(0, 1 - x),
    "bicubic": _cubic,
    "lanczos3": partial(_lanczos, 3),
    "lanczos5": partial(_lanczos, 5),
}
