"""The data sets that the page trains and tests on: MNIST, or a user's own images."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from nn.data import Dataset, parse_idx

# The CRC-32 of gzip detects a damaged file.
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
CLASSES = 10
NAMES = tuple(str(digit) for digit in range(CLASSES))


class DataError(RuntimeError):
    """A data file is not what it should be; the message names the file."""


def decode(name: str, content: bytes, rank: int) -> Any:
    """Return one of MNIST's files as an array. Raises DataError naming the file."""
    try:
        array = parse_idx(content, rank=rank)
    except Exception as error:
        raise DataError(f"{name}.gz is damaged: {error}") from error
    return array


class Mnist:
    """The training and the test set; served as `mnist`.

    Attributes:
        train: Dataset of training images, uint8 (n, height, width, 1 or 3).
        test: Dataset of test images.
        name: of the data, as the page shows it.
    """

    def __init__(self) -> None:
        self.train = self.test = Dataset(np.zeros((0, 28, 28, 1), np.uint8), np.zeros(0, np.uint8))
        self.name = "MNIST"
        self._original: tuple[Dataset, Dataset] | None = None

    async def load(self, download: Callable[[str], Awaitable[bytes]]) -> int:
        """Download and decode the four files; return the number of bytes downloaded.

        Args:
            download: returns the content of a file whose path on this site it is given.
        """
        parts = await asyncio.gather(*[download(f"mnist/{name}.gz") for name in FILES])
        arrays = []
        for name, content in zip(FILES, parts, strict=True):
            arrays.append(decode(name, content, 3 if "images" in name else 1))
        self.train = Dataset(arrays[0], arrays[1], class_names=NAMES)
        self.test = Dataset(arrays[2], arrays[3], class_names=NAMES)
        self._original = (self.train, self.test)
        return sum(map(len, parts))

    def use(self, name: str, train: Dataset, test: Dataset) -> None:
        """Replace the data by a user's."""
        self.name, self.train, self.test = name, train, test

    def restore(self) -> None:
        """Go back to MNIST as it was loaded."""
        if self._original is not None:
            self.train, self.test = self._original
            self.name = "MNIST"

    @property
    def digits(self) -> Dataset:
        """MNIST's training images, whatever is trained on."""
        return self.train if self._original is None else self._original[0]

    @property
    def names(self) -> list[str]:
        """The names of the classes."""
        return [str(name) for name in self.train.class_names or NAMES]

    def training_images(self, indices: Any) -> tuple[Any, Any]:
        """Return training images (n, h, w), in colour (n, h, w, 3), uint8, and labels (n,)."""
        return plain(self.train.x[indices]), labels(self.train)[indices]


def class_name(data: Dataset, label: int) -> str:
    """Return the name of a class of these data; the number itself where they have no such class,
    which a network that learned from others may answer."""
    names = data.class_names or NAMES
    return str(names[label] if label < len(names) else label)


def labels(data: Dataset) -> Any:
    """Return the labels of a data set, which every data set of the page has.

    Raises:
        ValueError: it has none.
    """
    if data.y is None:
        raise ValueError("expected a data set with labels, received one without")
    return np.asarray(data.y)


def plain(images: Any) -> Any:
    """Return images (..., h, w, c) without the axis of a single channel."""
    return images[..., 0] if images.shape[-1] == 1 else images


def scaled(images: Any) -> Any:
    """Return uint8 images (n, h, w) or (n, h, w, 3) as a network takes them: float32 up to 1."""
    channels = images if images.ndim == 4 else images[..., None]
    return channels.astype(np.float32) * np.float32(1 / 255)
