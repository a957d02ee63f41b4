"""Images as arrays, from and to files, as in Keras 3 (`keras.utils`), by Pillow."""

from __future__ import annotations

import io
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from nn import config
from nn.data.numeric import numeric
from nn.errors import ConfigError, DataError, MissingPartError, ShapeError
from nn.keras_arguments import checked
from nn.types import Array

MODES = {"rgb": "RGB", "rgba": "RGBA", "grayscale": "L"}
FILTERS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
FORMATS = ("channels_first", "channels_last")


def _pillow() -> Any:
    try:
        return import_module("PIL.Image")
    except ImportError:
        raise MissingPartError(
            "image: expected Pillow to be installed (in a browser: load the package pillow); "
            "await nn.applications.load_image(...) reads a photograph without it"
        ) from None


def _one_of(value: Any, known: Any, what: str) -> Any:
    if value not in known:
        raise ConfigError(f"{what}: expected one of {[*known]}, received {value!r:.80}")
    return value


@checked
def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: Any = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """Return an image of Pillow's from a file.

    Args:
        path: a path, or an open file.
        color_mode: "rgb", "rgba" or "grayscale".
        target_size: (height, width) to which it is resized, or None.
        interpolation: "nearest", "bilinear", "bicubic", "hamming", "box" or "lanczos".
        keep_aspect_ratio: cut the middle out first, of the proportions of `target_size`.

    Raises:
        DataError: it is no image.
    """
    pillow = _pillow()
    mode = MODES[_one_of(color_mode, MODES, "color_mode")]
    filter = getattr(pillow.Resampling, _one_of(interpolation, FILTERS, "interpolation").upper())
    data = path.read() if hasattr(path, "read") else Path(path).read_bytes()
    image = _opened(pillow, data)
    deep = mode == "L" and image.mode in ("I", "I;16")  # gray of more bits stays so, as in Keras
    image = image if deep else image.convert(mode)
    if target_size is None:
        return image
    height, width = (int(n) for n in target_size)
    box = _middle(image.size, (width, height)) if keep_aspect_ratio else None
    return image.resize((width, height), filter, box)


def _opened(pillow: Any, data: bytes) -> Any:
    try:
        image = pillow.open(io.BytesIO(data))
        image.load()
    except (OSError, ValueError, SyntaxError, pillow.DecompressionBombError) as error:
        raise DataError(f"image: {type(error).__name__}: {error}") from error
    return image


def _middle(size: tuple[int, int], wanted: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the box of the largest part in the middle that has the wanted proportions."""
    width, height = size
    crop_height = min(height, width * wanted[1] // wanted[0])
    crop_width = min(width, height * wanted[0] // wanted[1])
    left, top = (width - crop_width) // 2, (height - crop_height) // 2
    return left, top, left + crop_width, top + crop_height


@checked
def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> Array:
    """Return an image of Pillow's as (height, width, channels), by default of the float type.

    Args:
        img: an image of Pillow's, or an array of two or three axes.
        data_format: "channels_last" (None too) or "channels_first".
        dtype: of the array.
    """
    first = _one_of(data_format or FORMATS[1], FORMATS, "data_format") == FORMATS[0]
    array = np.array(img, dtype or config.floatx())
    if array.ndim not in (2, 3):
        raise ShapeError(f"image: expected two or three axes, received shape {array.shape}")
    if array.ndim == 2:
        return array[None] if first else array[..., None]
    return array.transpose(2, 0, 1) if first and not isinstance(img, np.ndarray) else array


@checked
def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None
) -> Any:
    """Return an image of Pillow's from an array of three axes.

    Args:
        x: the array.
        data_format: "channels_last" (None too) or "channels_first".
        scale: let its values go from 0 to 255.
        dtype: in which to compute.
    """
    first = _one_of(data_format or FORMATS[1], FORMATS, "data_format") == FORMATS[0]
    pixels = np.array(numeric(x, "image"), dtype or config.floatx())
    if pixels.ndim != 3:
        raise ShapeError(f"image: expected three axes, received shape {pixels.shape}")
    pixels = pixels.transpose(1, 2, 0) if first else pixels
    if pixels.shape[-1] not in (1, 3, 4):
        raise ShapeError(f"image: expected 1, 3 or 4 channels, received shape {pixels.shape}")
    if scale:
        pixels = pixels - pixels.min()
        top = pixels.max()
        pixels = pixels / top * 255 if top else pixels
    if pixels.shape[-1] > 1:
        return _pillow().fromarray(pixels.astype("uint8"))
    deep = pixels.max() > 255  # Pillow has gray of 32 bits
    return _pillow().fromarray(pixels[..., 0].astype("int32" if deep else "uint8"))


@checked
def save_img(
    path: Any,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **options: Any,
) -> None:
    """Write an array as an image's file; `options` are those of Pillow's `save`.

    Args:
        path: where, or an open file.
        x: an array of three axes.
        data_format: "channels_last" (None too) or "channels_first".
        file_format: by default what the end of the path says.
        scale: let its values go from 0 to 255.
    """
    image = array_to_img(x, data_format, scale)
    if image.mode == "RGBA" and file_format in ("jpg", "jpeg"):
        image = image.convert("RGB")
    image.save(path, format="jpeg" if file_format == "jpg" else file_format, **options)
