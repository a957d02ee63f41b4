"""Pictures as a canvas takes them: RGBA bytes whose alpha is the ink, for the page to tint."""

from typing import Any

import numpy as np

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
Bytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

POSITIVE = (35, 110, 235)
NEGATIVE = (226, 92, 20)


def ink(image: Array) -> Bytes:
    """Return a uint8 image (..., height, width) as RGBA bytes of black ink."""
    rgba = np.zeros((*image.shape, 4), np.uint8)
    rgba[..., 3] = image
    return rgba


def rgba(image: Array) -> Bytes:
    """Return a uint8 image as RGBA: (h, w) as black ink, (h, w, 3) in its colours."""
    if image.ndim == 2:
        return ink(image)
    return np.concatenate([image, np.full((*image.shape[:2], 1), 255, np.uint8)], axis=2)


def mosaic(images: Array, columns: int) -> Bytes:
    """Return images (n, h, w) or (n, h, w, 3) as RGBA (rows * h, columns * w, 4).

    The last tiles may be empty.
    """
    count, height, width, *channels = images.shape
    rows = -(-count // columns)
    tiles = np.zeros((rows * columns, height, width, *channels), np.uint8)
    tiles[:count] = images
    grid = tiles.reshape(rows, columns, height, width, *channels).swapaxes(1, 2)
    return rgba(grid.reshape(rows * height, columns * width, *channels))


def signed(tensor: Array) -> Bytes:
    """Return floats (h, w) as RGBA: blue above zero, orange below, opaque at the largest."""
    largest = float(np.abs(tensor).max()) or 1.0
    rgba = np.empty((*tensor.shape, 4), np.uint8)
    rgba[..., :3] = np.where(tensor[..., None] >= 0, POSITIVE, NEGATIVE)
    rgba[..., 3] = np.rint(np.abs(tensor) * (255 / largest))
    return rgba


def activation(tensor: Array) -> Bytes:
    """Return floats (h, w) as ink, from the lowest value to the highest."""
    low, high = float(tensor.min()), float(tensor.max())
    return ink(np.rint((tensor - low) * (255 / ((high - low) or 1.0))).astype(np.uint8))
