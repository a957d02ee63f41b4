"""The training and test data for the data panel: counts, samples, imported files, hints."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np

from app.lab.browser import downloads
from app.lab.images import hints, import_data, pictures
from app.lab.images.mnist import Mnist, class_name


class Data:
    """Served as `lab.data`.

    Args:
        mnist: the data sets that the page trains on.
        replaced: called after other data have taken their place.
    """

    def __init__(self, mnist: Mnist, replaced: Callable[[], None]) -> None:
        self._mnist = mnist
        self._replaced = replaced
        self._rng = np.random.default_rng(0)
        self._files: dict[str, bytes] = {}

    def counts(self) -> dict[str, Any]:
        """Return the data's name, sizes, class names and number of images of each class.

        `shape` is that of an image; `pictures` says whether they can be made in another one.
        """
        data = self._mnist
        counts = data.train.class_counts()
        return {
            "name": data.name,
            "train": len(data.train),
            "test": len(data.test),
            "counts": counts + [0] * (len(data.names) - len(counts)),
            "names": data.names,
            "shape": list(data.train.shape),
            "pictures": bool(self._files),
        }

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
        parts = await asyncio.gather(*[downloads.download(url) for url in urls])
        await self._use(dict(zip(names, parts, strict=True)))

    async def convert(self, side: int, channels: int) -> None:
        """Make the user's pictures again, as images of another size, in grey or in colour.

        Args:
            side: pixels, one of `import_data.SIDES`.
            channels: 1 or 3.
        """
        await self._use(self._files, (side, channels))

    async def _use(self, files: dict[str, bytes], form: tuple[int, int] | None = None) -> None:
        images, labels, classes = await import_data.read(files, downloads.decode_image, form)
        self._files = files if import_data.holds_pictures(files) else {}
        name = next(iter(files))
        self._mnist.use(name, *import_data.split(images, labels, classes))
        self._replaced()

    def restore(self) -> None:
        """Go back to MNIST; drawings that were among its images return to their buckets."""
        self._files = {}
        self._mnist.restore()
        self._replaced()

    def hints(self) -> list[str]:
        """Return warnings about class imbalance and duplicate images, in sentences."""
        return hints.hints(self._mnist.train, self._mnist.test)
