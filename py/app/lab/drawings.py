"""The user's own digits: labelled drawings, kept until they go into the training set."""

from __future__ import annotations

from typing import Any

import numpy as np
from nn.data import Dataset

from app.lab import pictures
from app.lab.mnist import Mnist

CLASSES = 10


class Drawings:
    """Served to the page as `lab.drawings`.

    Attributes:
        last: the drawing that was read last, (28, 28) uint8, or None.
    """

    def __init__(self, data: Mnist) -> None:
        self._data = data
        self._kept: list[tuple[Any, int]] = []
        self.last: Any = None

    def __len__(self) -> int:
        return len(self._kept)

    def label(self, digit: int) -> int:
        """Keep the last drawing as an example of a digit; how many are kept.

        Raises:
            ValueError: nothing is drawn, or there is no such digit.
        """
        if self.last is None:
            raise ValueError("nothing is drawn: expected a drawing before its label")
        if not 0 <= digit < CLASSES:
            raise ValueError(f"expected a digit from 0 to 9, got {digit}")
        self._kept.append((self.last, digit))
        return len(self._kept)

    def listing(self) -> list[dict[str, Any]]:
        """Every kept drawing, the oldest first: {label, rgba}."""
        return [{"label": digit, "rgba": pictures.ink(image)} for image, digit in self._kept]

    def remove(self, index: int) -> None:
        """Forget one of them.

        Raises:
            ValueError: there is none at this place.
        """
        if not 0 <= index < len(self._kept):
            raise ValueError(f"expected one of {len(self._kept)} drawings, got number {index}")
        del self._kept[index]

    def arrays(self) -> tuple[Any, Any]:
        """Images (n, 28, 28) and labels (n,), uint8."""
        images = np.stack([image for image, _ in self._kept])
        return images, np.array([digit for _, digit in self._kept], np.uint8)

    def add_to_training(self) -> int:
        """Put them in front of the training images; returns the new number.

        Raises:
            ValueError: there are none.
        """
        if not self._kept:
            raise ValueError("expected labelled drawings, there are none")
        images, labels = self.arrays()
        data = self._data.train
        x = np.concatenate([images[..., None], data.x])
        train = Dataset(x, np.concatenate([labels, data.y]), class_names=data.class_names)
        self._data.use(self._data.name, train, self._data.test)
        self._kept.clear()
        return len(train)
