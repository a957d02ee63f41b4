"""Folders of images in a zip: the folder's name is the label."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np

from nn.data.dataset import Dataset
from nn.data.png import parse_png
from nn.data.resizing import resize
from nn.errors import DataError, EmptyError, MagicError, TooLargeError
from nn.types import Array

LIMIT = 1 << 29


def parse_image_zip(
    data: Any, *, size: tuple[int, int] | None = None, channels: int = 1, limit: int = LIMIT
) -> Dataset:
    """Read `label/name.png` entries: a Dataset of (n, h, w, channels) uint8 with class names.

    Args:
        size: (h, w) to resize to; None takes the first image's.
        channels: 1 (grey) or 3.
        limit: most bytes that the entries may hold together.

    Raises:
        MagicError: it is no zip.
        EmptyError: no image in any folder.
        TooLargeError: more than `limit` bytes declared.
        DataError: an image that is not read; says which.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(bytes(data)))
    except zipfile.BadZipFile as error:
        raise MagicError(f"zip: {error}") from error
    entries = [e for e in archive.infolist() if _label(e.filename) and not e.is_dir()]
    entries = [e for e in entries if e.filename.lower().endswith(".png")]
    if not entries:
        raise EmptyError("zip: expected images as label/name.png, received none")
    total = sum(e.file_size for e in entries)
    if total > limit:
        raise TooLargeError(f"zip: expected at most {limit} bytes, entries declare {total}")
    names = sorted({_label(e.filename) for e in entries})
    images = []
    for entry in entries:
        image = _channels(_read(archive, entry), channels, entry.filename)
        size = size or (image.shape[0], image.shape[1])
        if image.shape[:2] != size:
            image = np.clip(np.round(resize(image, *size)), 0, 255).astype(np.uint8)
        images.append(image)
    labels = np.array([names.index(_label(e.filename)) for e in entries], np.int32)
    return Dataset(np.stack(images), labels, class_names=names)


def _label(path: str) -> str:
    parts = [p for p in path.split("/") if p]
    hidden = any(p.startswith((".", "__MACOSX")) for p in parts)
    return parts[-2] if len(parts) > 1 and not hidden else ""


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Array:
    try:
        return parse_png(archive.read(entry))
    except (DataError, zipfile.BadZipFile) as error:
        raise DataError(f"{entry.filename}: {error}") from error


def _channels(image: Array, wanted: int, name: str) -> Array:
    """Drop transparency, then make grey (ITU-R 601 luma) or colour."""
    image = image[..., :1] if image.shape[-1] == 2 else image[..., :3]
    if wanted == image.shape[-1]:
        return image
    if wanted == 3:
        return np.repeat(image, 3, axis=-1)
    if wanted == 1:
        grey = image @ np.array([0.299, 0.587, 0.114])
        return np.asarray(np.round(grey)[..., None].astype(np.uint8))
    raise DataError(f"{name}: channels must be 1 or 3, received {wanted}")
