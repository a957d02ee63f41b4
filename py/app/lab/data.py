"""The training and test data for the data panel: counts, samples, imported files, hints."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import numpy as np
from nn.data import Dataset

from app.lab.browser import downloads
from app.lab.images import hints, import_data, mnist, pictures
from app.lab.images.mnist import Mnist, class_name
from app.lab.images.shortcut import with_shortcut
from app.lab.kept_classes import NAME
from app.lab.reading import Reading
from app.language import key

CLASSES = {
    "fashion": (
        "T-shirt", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Boot",
    ),
}  # fmt: skip
"""The classes' names of each data set that a site may have besides MNIST."""
TITLES = {"mnist": "MNIST", "shortcut": key("MNIST with a shortcut"), "fashion": "Fashion-MNIST"}
"""The name of each data set that a link may name."""
IDS = {title: name for name, title in TITLES.items()} | {NAME: "classes"}
"""What a link names data; those of the user's, which it cannot hold, are "own"."""
Form = tuple[int, int]
"""Side and channels of images."""
Source = Callable[
    [Form | None],
    Awaitable[tuple[Dataset, Dataset] | tuple[Dataset, Dataset, import_data.Left]],
]
"""Makes training and test data, as images of a form or of the one that suits; of a user's files
also what was left out."""


class Data:
    """Served as `lab.data`.

    Args:
        digits: the data sets that the page trains on.
        replaced: called after other data have taken their place.

    Attributes:
        reading: how far the reading of the user's pictures is.
    """

    def __init__(self, digits: Mnist, replaced: Callable[[], None]) -> None:
        self._mnist = digits
        self._replaced = replaced
        self.reading = Reading()
        self._rng = np.random.default_rng(0)
        self._source: tuple[str, Source] | None = None  # of pictures that can be made again
        self._left: list[import_data.Left] = []  # files that are no part of the data

    def counts(self) -> dict[str, Any]:
        """Return the data's name, sizes, class names and number of images of each class.

        `id` is what a link names them, `shape` that of what a network takes, `picture` that of a
        picture; `pictures` says whether they can be made in another one.
        """
        data = self._mnist
        counts = data.train.class_counts()
        return {
            "id": IDS.get(data.name, "own"),
            "name": data.name,
            "train": len(data.train),
            "test": len(data.test),
            "counts": counts + [0] * (len(data.names) - len(counts)),
            "names": data.names,
            "shape": list(data.train.shape),
            "picture": list(data.shape),
            "pictures": self._source is not None,
        }

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a picture."""
        return self._mnist.shape

    def samples(self, columns: int, rows: int) -> dict[str, Any]:
        """Return random training images as one picture, and the names of their classes."""
        indices = self._rng.integers(0, len(self._mnist.train), columns * rows)
        images, labels = self._mnist.training_images(indices)
        names = [class_name(self._mnist.train, label) for label in labels]
        return {"rgba": pictures.mosaic(images, columns), "names": names}

    async def import_files(self, names: list[str], urls: list[str]) -> None:
        """Train on the user's files from now on; `urls` are their object URLs.

        Raises:
            OwnDataError: the files are no data set; the data stay as they are.
        """
        name, files = await _given(names, urls)

        async def read(form: Form | None) -> tuple[Dataset, Dataset, import_data.Left]:
            decode, tell = downloads.decode_image, self.reading.tell
            *data, left = await import_data.read(name, files, decode, form, tell)
            return (*import_data.split(*data), left)

        await self.use(name, read, convertible=import_data.holds_pictures(files))

    async def choose(self, name: str, base: str) -> bool:
        """Train on a data set that a link may name; return whether there is one of this name.

        Args:
            name: a key of TITLES.
            base: the page's address.

        Raises:
            DownloadError, DataError: a file is missing or damaged; the data stay as they are.
        """
        if name not in TITLES:
            return False
        if name == "mnist":
            self.restore()
            return True

        async def download(path: str) -> bytes:
            return await downloads.download(downloads.address(base, path))

        async def source(form: Form | None) -> tuple[Dataset, Dataset]:
            if name == "shortcut":
                train, test = self._mnist.original
                return with_shortcut(train), test
            return (await mnist.read(f"data/{name}", CLASSES[name], download))[:2]

        await self.use(TITLES[name], source, convertible=False)
        return True

    async def convert(self, side: int, channels: int) -> None:
        """Make the user's pictures again, as images of another size, in grey or in colour.

        Args:
            side: pixels, one of `import_data.SIDES`.
            channels: 1 or 3.
        """
        if self._source is None:
            raise import_data.OwnDataError("these data have no pictures that could be made again")
        name, source = self._source
        await self.use(name, source, convertible=True, form=(side, channels))

    async def use(
        self,
        name: str,
        source: Source,
        *,
        convertible: bool,
        form: Form | None = None,
        read: Callable[[Any], Any] | None = None,
    ) -> None:
        """Train on other data from now on; where they cannot be made, the data stay as they are.

        Args:
            name: of the data.
            source: makes them.
            convertible: whether it makes images of any form.
            form: of the images; by default what suits them.
            read: makes of pictures what a network takes, where that is no picture.
        """
        train, test, *self._left = await source(form)
        self._source = (name, source) if convertible else None
        self._mnist.use(name, train, test, read)
        self._replaced()

    def restore(self) -> None:
        """Go back to MNIST; drawings that were among its images return to their buckets."""
        self._source, self._left = None, []
        self._mnist.restore()
        self._replaced()

    def hints(self) -> list[str]:
        """Return warnings about files left out, uneven classes and double images, in sentences."""
        left = [hint for left in self._left for hint in hints.left_out(left)]
        return [*left, *hints.hints(self._mnist.train, self._mnist.test)]


async def _given(names: list[str], urls: list[str]) -> tuple[str, import_data.Files]:
    """Return the name of what a user gave, and the files; those in folders are read when needed."""
    loaders = {
        name: partial(downloads.download, url) for name, url in zip(names, urls, strict=True)
    }
    if any("/" in name for name in names):
        tops = dict.fromkeys(name.split("/")[0] for name in names)
        return hints.some(list(tops)), [import_data.Member(*row) for row in loaders.items()]
    parts = await asyncio.gather(*[load() for load in loaders.values()])
    return names[0], dict(zip(names, parts, strict=True))
