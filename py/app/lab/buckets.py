"""The user's labelled drawings, saved in the browser until they are deleted.

A drawing waits in its bucket until it is added to the training set. That ends with the page: on the
next visit, or when other data replace the training set, the drawings are in their buckets again.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
from nn.data import Dataset

from app.lab.browser import indexed_db
from app.lab.images import pictures
from app.lab.images.mnist import CLASSES, Mnist

SIDE = 28


class Drawing(NamedTuple):
    """A drawing and the name that it is saved under."""

    name: str
    image: Any  # (28, 28) uint8
    digit: int


class Buckets:
    """Served as `lab.buckets`.

    Attributes:
        last: the drawing that was read last, (28, 28) uint8, or None.
    """

    def __init__(self, data: Mnist) -> None:
        self._data = data
        self._waiting: list[Drawing] = []
        self._added: list[Drawing] = []
        self._recalled = False
        self.last: Any = None

    def __len__(self) -> int:
        return len(self._waiting)

    async def label(self, digit: int) -> str:
        """Save the last drawing as an example of a digit; return why it cannot be saved, or ''.

        Raises:
            ValueError: nothing is drawn, or there is no such digit.
        """
        if self.last is None:
            raise ValueError("nothing is drawn: expected a drawing before its label")
        if not 0 <= digit < CLASSES:
            raise ValueError(f"expected a digit from 0 to 9, got {digit}")
        saved = indexed_db.now()
        drawing = Drawing(f"{saved} {os.urandom(4).hex()}", self.last, digit)
        self._waiting.append(drawing)
        try:
            about = {"saved": saved, "label": digit}
            await indexed_db.put(drawing.name, drawing.image.tobytes(), about, indexed_db.DRAWINGS)
        except indexed_db.StorageError as error:
            return str(error)
        return ""

    async def listing(self) -> list[dict[str, Any]]:
        """Return every drawing in the buckets, the oldest first: {label, rgba}."""
        await self._recall()
        return [{"label": d.digit, "rgba": pictures.ink(d.image)} for d in self._waiting]

    async def _recall(self) -> None:
        """Load the drawings of earlier visits, once."""
        if self._recalled:
            return
        self._recalled = True
        try:
            kept = await indexed_db.contents(indexed_db.DRAWINGS)
        except indexed_db.StorageError:  # the models panel has said so
            return
        known = {drawing.name for drawing in self._waiting + self._added}
        found = [
            Drawing(about["name"], np.frombuffer(content, np.uint8).reshape(SIDE, SIDE), digit)
            for about, content in kept
            if len(content) == SIDE * SIDE and (digit := about.get("label", -1)) in range(CLASSES)
        ]
        self._waiting[:0] = [drawing for drawing in found if drawing.name not in known]

    async def remove(self, index: int) -> None:
        """Delete a drawing for good.

        Raises:
            ValueError: there is none at this place.
        """
        if not 0 <= index < len(self._waiting):
            raise ValueError(f"expected one of {len(self._waiting)} drawings, got number {index}")
        drawing = self._waiting.pop(index)
        try:
            await indexed_db.delete(drawing.name, indexed_db.DRAWINGS)
        except indexed_db.StorageError:  # it was not saved either
            return

    def arrays(self) -> tuple[Any, Any]:
        """Return the drawings as images (n, 28, 28) and labels (n,), uint8."""
        images = np.stack([drawing.image for drawing in self._waiting])
        return images, np.array([drawing.digit for drawing in self._waiting], np.uint8)

    def add_to_training(self) -> int:
        """Put the drawings in front of the training images; return the new number of images.

        Raises:
            ValueError: there are none.
        """
        if not self._waiting:
            raise ValueError("expected labelled drawings, there are none")
        images, labels = self.arrays()
        data = self._data.train
        x = np.concatenate([images[..., None], data.x])
        train = Dataset(x, np.concatenate([labels, data.y]), class_names=data.class_names)
        self._data.use(self._data.name, train, self._data.test)
        self._added += self._waiting
        self._waiting = []
        return len(train)

    def take_back(self) -> None:
        """Return the added drawings to their buckets: other data replaced the training set."""
        self._waiting[:0] = self._added
        self._added = []
