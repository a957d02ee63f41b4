"""The data sets that the page trains and tests on: MNIST, or a user's own images."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
from nn.data import Dataset, parse_idx

from app.lab.images.features import Featured

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


async def read(
    folder: str, names: Sequence[str], download: Callable[[str], Awaitable[bytes]]
) -> tuple[Dataset, Dataset, int]:
    """Download four files of MNIST's kind; return training set, test set, bytes downloaded.

    Args:
        folder: of the files on this site.
        names: of the classes.
        download: returns the content of a file whose path on this site it is given.
    """
    parts = await asyncio.gather(*[download(f"{folder}/{name}.gz") for name in FILES])
    arrays = []
    for name, content in zip(FILES, parts, strict=True):
        arrays.append(decode(name, content, 3 if "images" in name else 1))
    train, test = (Dataset(*arrays[i : i + 2], class_names=names) for i in (0, 2))
    return train, test, sum(map(len, parts))


class Mnist:
    """The training and the test set; served as `mnist`.

    Attributes:
        train: Dataset of training images, uint8 (n, height, width, 1 or 3).
        test: Dataset of test images.
        name: of the data, as the page shows it.
        read: returns pictures, uint8 (n, h, w) or (n, h, w, 3), as a network takes them.
    """

    def __init__(self) -> None:
        self.train = self.test = Dataset(np.zeros((0, 28, 28, 1), np.uint8), np.zeros(0, np.uint8))
        self.name = "MNIST"
        self.read: Callable[[Any], Any] = scaled
        self._original: tuple[Dataset, Dataset] | None = None

    async def load(self, download: Callable[[str], Awaitable[bytes]]) -> int:
        """Download and decode the four files; return the number of bytes downloaded.

        Args:
            download: returns the content of a file whose path on this site it is given.
        """
        self.train, self.test, size = await read("mnist", NAMES, download)
        self._original = (self.train, self.test)
        return size

    def use(
        self, name: str, train: Dataset, test: Dataset, read: Callable[[Any], Any] | None = None
    ) -> None:
        """Replace the data by a user's; `read` is needed where a network takes no pictures."""
        self.name, self.train, self.test, self.read = name, train, test, read or scaled

    def add(self, images: Any, labels: Any) -> None:
        """Put pictures (n, h, w) or (n, h, w, 3), uint8, in front of the training images."""
        data, former = self.train, pictures_of(self.train)
        added = images.reshape(-1, *former.shape[1:])
        y, shown = np.concatenate([labels, data.y]), np.concatenate([added, former])
        if former is data.x:
            self.train = Dataset(shown, y, class_names=data.class_names)
        else:
            x = np.concatenate([self.read(images), data.x])
            self.train = Featured(x, shown, y, list(data.class_names or []))

    def restore(self) -> None:
        """Go back to MNIST as it was loaded."""
        if self._original is not None:
            self.train, self.test = self._original
            self.name, self.read = "MNIST", scaled

    @property
    def original(self) -> tuple[Dataset, Dataset]:
        """MNIST's training and test images, whatever is trained on."""
        return (self.train, self.test) if self._original is None else self._original

    @property
    def digits(self) -> Dataset:
        """MNIST's training images, whatever is trained on."""
        return self.original[0]

    @property
    def names(self) -> list[str]:
        """The names of the classes."""
        return [str(name) for name in self.train.class_names or NAMES]

    def training_images(self, indices: Any) -> tuple[Any, Any]:
        """Return training images (n, h, w), in colour (n, h, w, 3), uint8, and labels (n,)."""
        return plain(pictures_of(self.train)[indices]), labels(self.train)[indices]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a picture."""
        return tuple(pictures_of(self.train).shape[1:])

    def suits(self, model: Any) -> bool:
        """Return whether a network takes the images as they are read now; one of other data, which
        these have just replaced, may not."""
        return tuple(model.input_shape[1:]) == self.train.shape


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


def pictures_of(data: Dataset) -> Any:
    """Return the pictures of a data set, (n, h, w, 1 or 3) uint8, whatever a network takes."""
    return data.pictures if isinstance(data, Featured) else data.x


def of_pictures(train: Dataset, test: Dataset) -> tuple[Dataset, Dataset]:
    """Return training and test data of the pictures alone, whatever a network takes."""
    one, other = (
        Dataset(pictures_of(data), data.y, class_names=data.class_names) for data in (train, test)
    )
    return one, other


def plain(images: Any) -> Any:
    """Return images (..., h, w, c) without the axis of a single channel."""
    return images[..., 0] if images.shape[-1] == 1 else images


def scaled(images: Any) -> Any:
    """Return uint8 images (n, h, w) or (n, h, w, 3) as a network takes them: float32 up to 1."""
    channels = images if images.ndim == 4 else images[..., None]
    return channels.astype(np.float32) * np.float32(1 / 255)
