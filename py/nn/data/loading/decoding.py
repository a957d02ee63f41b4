"""Image decoding: the bytes of a file to pixels.

`nn.data.parse_png` reads PNG files of 8 bits everywhere. Pillow, if installed, reads everything
else (JPEG, WebP, GIF, other PNG files), and turns it as its EXIF data say. In a browser, pass a
`decoder` that uses the browser's own (docs/nn.md has one of five lines).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from nn.data.loading.png import LIMIT, SIGNATURE, parse_png
from nn.errors import DataError, TooLargeError
from nn.types import Array

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
Decoder = Callable[[bytes], Any]


def decode(data: bytes) -> Array:
    """Return the image as (height, width, channels) uint8, read by `parse_png` or Pillow.

    Raises:
        DataError: neither can read it.
        TooLargeError: the pixels take more than `nn.data.loading.png.LIMIT` bytes.
    """
    png = data.startswith(SIGNATURE)
    try:
        if png:
            return parse_png(data)
    except DataError as error:
        # A damaged file is an error; only kinds that parse_png does not read go to Pillow.
        if type(error) is not DataError or _pillow() is None:
            raise
    return _by_pillow(data)


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        return None
    return Image


def _by_pillow(data: bytes) -> Array:
    pillow = _pillow()
    if pillow is None:
        raise DataError(
            f"image: expected PNG, or Pillow to be installed, or a decoder=; received {data[:8]!r}"
        )
    try:
        with pillow.open(io.BytesIO(data)) as image:
            if 4 * image.width * image.height > LIMIT:
                raise TooLargeError(
                    f"image: expected at most {LIMIT} bytes of pixels, "
                    f"received {image.width} x {image.height}"
                )
            kind = "L" if image.mode in ("1", "L", "I;16") else "RGB"
            upright = import_module("PIL.ImageOps").exif_transpose(image)
            return checked(np.asarray(upright.convert(kind)))
    except (OSError, ValueError, SyntaxError, pillow.DecompressionBombError) as error:
        raise DataError(f"image: {type(error).__name__}: {error}") from error


def checked(pixels: Any) -> Array:
    """Return the pixels of a decoder as (height, width, channels).

    Raises:
        DataError: not uint8 with 2 or 3 axes and 1 to 4 channels.
    """
    image = np.asarray(pixels)
    image = image[..., None] if image.ndim == 2 else image
    if image.dtype != np.uint8 or image.ndim != 3 or not 1 <= image.shape[-1] <= 4:
        raise DataError(
            "decoder: expected uint8 pixels (height, width[, 1 to 4]), "
            f"received {image.dtype} {image.shape}"
        )
    return image
