"""Photographs of any kind as the input of a network: upright, cropped, resampled, preprocessed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import numpy as np

from nn.applications import preprocessing
from nn.errors import DataError, ShapeError
from nn.lazy import load
from nn.types import Array

SIDE = 224  # where a model takes any size


async def load_image(image: Any, model: Any) -> Array:
    """Return an image as the input of a model: (1, height, width, 3), float32.

    The middle of the image is kept (7 / 8 of its shorter side) and resampled.

    Args:
        image: uint8 RGB or RGBA (h, w, 3 or 4) or grey (h, w); bytes of a PNG, JPEG, WebP, GIF or
            BMP file, turned as its EXIF data say. In a browser also a File, Blob, ImageBitmap,
            ImageData, canvas or video frame. On CPython also a path; files other than PNG need
            Pillow.
        model: of whose name the preprocessing is (`preprocessing.NETWORKS`), and whose input gives
            the size.

    Raises:
        DataError: the image cannot be read.
        ShapeError: pixels, or the model's input, are no image.
        ConfigError: no preprocessing is known for the model's name.
    """
    steps = preprocessing.of(model)
    size = _size(model)
    part = preprocessing.fitted(await pixels(image, size), size, steps.crop)
    return preprocessing.preprocess_input(part[None], model)


async def pixels(image: Any, size: tuple[int, int] = (SIDE, SIDE)) -> Array:
    """Return an image as RGB (h, w, 3).

    Args:
        image: as for `load_image`.
        size: height and width that it is going to have: a browser's picture that is more than
            twice as large is made smaller by the browser.

    Raises:
        DataError: it cannot be read.
        ShapeError: pixels of another shape.
    """
    if isinstance(image, np.ndarray):
        return _rgb(image)
    if sys.platform == "emscripten":
        return _rgb(await load("nn.applications.browser_images").pixels(image, size))
    if isinstance(image, str | Path):
        image = await asyncio.to_thread(Path(image).read_bytes)
    if not isinstance(image, bytes | bytearray | memoryview):
        raise DataError(f"image: expected pixels, bytes or a path, received {type(image).__name__}")
    return _rgb(load("nn.data.loading.decoding").decode(bytes(image)))


def _rgb(image: Array) -> Array:
    image = image[..., None] if image.ndim == 2 else image
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] not in (1, 3, 4):
        raise ShapeError(
            "image: expected uint8 pixels (height, width) or (height, width, 1, 3 or 4), received "
            f"{image.dtype} {image.shape}"
        )
    return np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image[..., :3]


def _size(model: Any) -> tuple[int, int]:
    shape = getattr(model, "input_shape", (None, SIDE, SIDE, 3))
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] != 3:
        raise ShapeError(f"load_image: expected a model of RGB images, received input {shape}")
    return (shape[1] or SIDE, shape[2] or SIDE)
