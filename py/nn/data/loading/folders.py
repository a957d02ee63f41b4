"""Labelled images from a zip of folders; the folder's name is the label."""

from __future__ import annotations

import inspect
import io
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nn.data.dataset import Dataset
from nn.data.loading.decoding import SUFFIXES, Decoder, checked, decode
from nn.data.numeric import contents
from nn.data.resizing import resize
from nn.errors import ConfigError, DataError, EmptyError, MagicError, TooLargeError
from nn.keras_arguments import Checked
from nn.types import Array

LIMIT = 1 << 29


def parse_image_zip(
    data: Any,
    *,
    size: Sequence[int] | None = None,
    channels: int = 1,
    limit: float = LIMIT,
    decoder: Decoder | None = None,
) -> Dataset:
    """Read `label/name.png` entries into a Dataset of (n, h, w, channels) uint8 with class names.

    Args:
        size: (h, w) to resize to; None means the size of the first image.
        channels: 1 (grey) or 3.
        limit: maximum size of all entries together, in bytes.
        decoder: converts the bytes of an image file to pixels; by default
            `nn.data.loading.decoding.decode`, which reads PNG, and other formats if Pillow is
            installed.

    Raises:
        MagicError: not a zip file.
        EmptyError: no folder contains an image.
        TooLargeError: the entries declare more than `limit` bytes.
        DataError: an image, named in the message, cannot be read.
    """
    folders = ImageZip(data, size, channels, limit)
    for name, body in folders.files():
        pixels = folders.attempt(name, decoder or decode, body)
        if inspect.isawaitable(pixels):
            raise DataError(f"{name}: expected pixels, the decoder is async: await read_image_zip")
        folders.add(name, pixels)
    return folders.dataset()


async def read_image_zip(
    data: Any,
    *,
    size: Sequence[int] | None = None,
    channels: int = 1,
    limit: float = LIMIT,
    decoder: Decoder | None = None,
) -> Dataset:
    """Do the same as `parse_image_zip` with a decoder that may be async, as in a browser."""
    folders = ImageZip(data, size, channels, limit)
    for name, body in folders.files():
        pixels = folders.attempt(name, decoder or decode, body)
        folders.add(name, await pixels if inspect.isawaitable(pixels) else pixels)
    return folders.dataset()


class ImageZip(metaclass=Checked):
    """The images of an archive, converted to one size and number of channels."""

    def __init__(self, data: Any, size: Sequence[int] | None, channels: int, limit: float) -> None:
        if size is not None and len(size) != 2:
            raise ConfigError(f"zip: expected size as (height, width), received {size!r:.80}")
        self.size = size
        self.channels = channels
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(contents(data, "zip")))
        except zipfile.BadZipFile as error:
            raise MagicError(f"zip: {error}") from error
        self._entries = [e for e in self._archive.infolist() if _is_image(e)]
        if not self._entries:
            raise EmptyError(f"zip: expected images as label/name{SUFFIXES[0]}, received none")
        total = sum(e.file_size for e in self._entries)
        if total > limit:
            raise TooLargeError(f"zip: expected at most {limit} bytes, entries declare {total}")
        self._images: list[Array] = []

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield the name and bytes of each image file."""
        for entry in self._entries:
            yield entry.filename, self.attempt(entry.filename, self._archive.read, entry)

    @staticmethod
    def attempt(name: str, function: Any, argument: Any) -> Any:
        """Call a function on an image file and name the file in errors."""
        try:
            return function(argument)
        except (DataError, zipfile.BadZipFile) as error:
            raise DataError(f"{name}: {error}") from error

    def add(self, name: str, pixels: Any) -> None:
        """Add the pixels of the next image."""
        image = _channels(self.attempt(name, checked, pixels), self.channels, name)
        self.size = self.size or (image.shape[0], image.shape[1])
        if image.shape[:2] != self.size:
            image = np.clip(np.round(resize(image, self.size[0], self.size[1])), 0, 255).astype(
                np.uint8
            )
        self._images.append(image)

    def dataset(self) -> Dataset:
        """Return the images as a data set with the folders' names as classes."""
        labels = [_label(entry.filename) for entry in self._entries]
        names = sorted(set(labels))
        numbers = np.array([names.index(label) for label in labels], np.int32)
        return Dataset(np.stack(self._images), numbers, class_names=names)


def _is_image(entry: zipfile.ZipInfo) -> bool:
    name = entry.filename
    return bool(_label(name)) and not entry.is_dir() and name.lower().endswith(SUFFIXES)


def _label(path: str) -> str:
    parts = [p for p in path.split("/") if p]
    hidden = any(p.startswith((".", "__MACOSX")) for p in parts)
    return parts[-2] if len(parts) > 1 and not hidden else ""


def _channels(image: Array, wanted: int, name: str) -> Array:
    """Drop the alpha channel, then convert to grey (ITU-R 601 luma) or colour."""
    image = image[..., :1] if image.shape[-1] == 2 else image[..., :3]
    if wanted == image.shape[-1]:
        return image
    if wanted == 3:
        return np.repeat(image, 3, axis=-1)
    if wanted == 1:
        grey = image @ np.array([0.299, 0.587, 0.114])
        return np.asarray(np.round(grey)[..., None].astype(np.uint8))
    raise DataError(f"{name}: channels must be 1 or 3, received {wanted}")
