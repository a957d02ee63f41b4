"""Pictures as a network trained before sees them: 1,280 numbers of EfficientNet-Lite0 each."""

from __future__ import annotations

from typing import Any

import numpy as np
from nn.data import Dataset

from app.lab.browser import downloads, optional_packages

SIDE = 96
"""Pixels of a side of the pictures, which are in colour."""
WIDTH = 1280
AT_ONCE = 16


class Featured(Dataset):
    """Features and the pictures that they are of.

    Args:
        features: (n, ...) float32.
        pictures: (n, h, w, 3) uint8.
        y: (n,) labels.
        names: of the classes.
    """

    def __init__(self, features: Any, pictures: Any, y: Any, names: list[str]) -> None:
        super().__init__(features, y, class_names=names)
        self.pictures = pictures

    def slice(self, start: int, stop: int) -> Featured:
        """Return a data set of the samples from `start` to `stop` (views, not copies)."""
        part = super().slice(start, stop)
        return Featured(part.x, self.pictures[start:stop], part.y, part.class_names or [])


class Features:
    """EfficientNet-Lite0 without its classifier, once it was fetched."""

    def __init__(self) -> None:
        self._model: Any = None

    async def fetch(self, base: str) -> None:
        """Download the network, 5 MB, unless it is here.

        Args:
            base: the page's address.

        Raises:
            DownloadError, FetchError: a file cannot be fetched.
        """
        if self._model is not None:
            return
        await optional_packages.add_part(base, "nn.applications")
        await self.load(downloads.address(base, "applications"))

    async def load(self, folder: str) -> None:
        """Load the network's weights from a folder: an address, on CPython also a path."""
        from nn import applications

        applications.set_folder(folder)
        self._model = await applications.EfficientNetLite0(
            include_top=False, pooling="avg", input_shape=(SIDE, SIDE, 3)
        )

    def of(self, pictures: Any) -> Any:
        """Return the features (n, 1280) float32 of pictures (n, SIDE, SIDE, 3) uint8."""
        from nn import applications

        parts = [
            np.asarray(self._model.predict_on_batch(applications.preprocess_input(part)))
            for start in range(0, len(pictures), AT_ONCE)
            for part in [pictures[start : start + AT_ONCE]]
        ]
        return np.concatenate(parts) if parts else np.zeros((0, WIDTH), np.float32)

    def featured(self, data: Dataset) -> Featured:
        """Return a data set of pictures with its features."""
        return Featured(self.of(data.x), data.x, data.y, list(data.class_names or []))
