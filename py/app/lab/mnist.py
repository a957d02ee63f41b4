"""The 60,000 and 10,000 digits, and what takes their place: a user's own images."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from nn.data import Dataset, parse_idx

from app.lab import downloads

# gzip's own CRC-32 tells a damaged file from a whole one.
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
NAMES = tuple(str(digit) for digit in range(10))


class DataError(RuntimeError):
    """A data file is not what it should be; the message names the file."""


def decode(name: str, octets: bytes, rank: int) -> Any:
    """One of MNIST's files as an array. Raises DataError naming the file."""
    try:
        array = parse_idx(octets, rank=rank)
    except Exception as error:
        raise DataError(f"{name}.gz is damaged: {error}") from error
    return array


class Mnist:
    """The training and the test set; served to the page under this name.

    Attributes:
        train: Dataset of training images, uint8 (n, 28, 28, 1).
        test: Dataset of test images.
        name: what the data are called on the page.
    """

    def __init__(self) -> None:
        self.train = self.test = Dataset(np.zeros((0, 28, 28, 1), np.uint8), np.zeros(0, np.uint8))
        self.name = "MNIST"
        self._original: tuple[Dataset, Dataset] | None = None

    async def load(self, base: str) -> int:
        """Download and decode the four files; the bytes that came over the wire."""
        urls = [downloads.address(base, f"mnist/{name}.gz") for name in FILES]
        parts = await asyncio.gather(*[downloads.download(url) for url in urls])
        arrays = []
        for name, octets in zip(FILES, parts, strict=True):
            arrays.append(decode(name, octets, 3 if "images" in name else 1))
        self.train = Dataset(arrays[0], arrays[1], class_names=NAMES)
        self.test = Dataset(arrays[2], arrays[3], class_names=NAMES)
        self._original = (self.train, self.test)
        return sum(map(len, parts))

    def use(self, name: str, train: Dataset, test: Dataset) -> None:
        """Put a user's data in place of MNIST."""
        self.name, self.train, self.test = name, train, test

    def restore(self) -> None:
        """Back to MNIST as it was loaded."""
        if self._original is not None:
            self.train, self.test = self._original
            self.name = "MNIST"
