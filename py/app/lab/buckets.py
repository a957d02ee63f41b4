"""The user's labelled drawings, saved in the browser until they are deleted.

A drawing waits in its bucket until it is added to the training set. That ends with the page: on the
next visit, or when other data replace the training set, the drawings are in their buckets again.
"""

from __future__ import annotations

import math
import os
from typing import Any, NamedTuple

import numpy as np

from app.lab.browser import indexed_db
from app.lab.images import pictures
from app.lab.images.mnist import Mnist, pictures_of, plain


class Drawing(NamedTuple):
    """A drawing, the name that it is saved under, and the data among whose classes it is."""

    name: str
    image: Any  # (h, w) or (h, w, 3) uint8
    digit: int
    data: str


class Buckets:
    """Served as `lab.buckets`.

    Attributes:
        last: the image that was read last, (h, w) or (h, w, 3) uint8, or None.
    """

    def __init__(self, data: Mnist) -> None:
        self._data = data
        self._waiting: list[Drawing] = []
        self._added: list[Drawing] = []
        self._recalled = False
        self.last: Any = None

    def __len__(self) -> int:
        return len(self.drawings)

    @property
    def drawings(self) -> list[Drawing]:
        """Those that fit the data in use, the oldest first."""
        data = self._data
        shape = plain(pictures_of(data.train)[:1]).shape[1:]
        return [d for d in self._waiting if d.data == data.name and d.image.shape == shape]

    async def label(self, digit: int) -> str:
        """Save the last drawing as an example of a digit; return why it cannot be saved, or ''.

        Raises:
            ValueError: nothing is drawn, or there is no such digit.
        """
        if self.last is None:
            raise ValueError("nothing is drawn: expected a drawing before its label")
        classes = len(self._data.names)
        if not 0 <= digit < classes:
            raise ValueError(f"expected a class from 0 to {classes - 1}, got {digit}")
        saved = indexed_db.now()
        drawing = Drawing(f"{saved} {os.urandom(4).hex()}", self.last, digit, self._data.name)
        self._waiting.append(drawing)
        try:
            shape = list(drawing.image.shape)
            about = {"saved": saved, "label": digit, "data": drawing.data, "shape": shape}
            await indexed_db.put(drawing.name, drawing.image.tobytes(), about, indexed_db.DRAWINGS)
        except indexed_db.StorageError as error:
            return str(error)
        return ""

    async def listing(self) -> list[dict[str, Any]]:
        """Return every drawing in the buckets, the oldest first: {label, rgba}."""
        await self._recall()
        return [{"label": d.digit, "rgba": pictures.rgba(d.image)} for d in self.drawings]

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
        found = [drawing for row in kept if (drawing := _drawing(*row)) is not None]
        self._waiting[:0] = [drawing for drawing in found if drawing.name not in known]

    async def remove(self, index: int) -> None:
        """Delete a drawing for good.

        Raises:
            ValueError: there is none at this place.
        """
        drawings = self.drawings
        if not 0 <= index < len(drawings):
            raise ValueError(f"expected one of {len(drawings)} drawings, got number {index}")
        drawing = drawings[index]
        self._waiting = [other for other in self._waiting if other is not drawing]
        try:
            await indexed_db.delete(drawing.name, indexed_db.DRAWINGS)
        except indexed_db.StorageError:  # it was not saved either
            return

    def arrays(self) -> tuple[Any, Any]:
        """Return the drawings as images (n, h, w), in colour (n, h, w, 3), and labels, uint8."""
        drawings = self.drawings
        images = np.stack([drawing.image for drawing in drawings])
        return images, np.array([drawing.digit for drawing in drawings], np.uint8)

    def add_to_training(self) -> int:
        """Put the drawings in front of the training images; return the new number of images.

        Raises:
            ValueError: there are none.
        """
        drawings = self.drawings
        if not drawings:
            raise ValueError("expected labelled drawings, there are none")
        images, labels = self.arrays()
        self._data.add(images, labels)
        self._added += drawings
        self._waiting = [d for d in self._waiting if all(d is not added for added in drawings)]
        return len(self._data.train)

    def take_back(self) -> None:
        """Return the added drawings to their buckets: other data replaced the training set."""
        self._waiting[:0] = self._added
        self._added = []


def _drawing(about: dict[str, Any], content: bytes) -> Drawing | None:
    """Return a drawing that was saved; None where its facts do not fit it."""
    shape = tuple(about.get("shape", (28, 28)))
    label = about.get("label", -1)
    if math.prod(shape) != len(content) or not isinstance(label, int) or label < 0:
        return None
    image = np.frombuffer(content, np.uint8).reshape(shape)
    return Drawing(about["name"], image, label, about.get("data", "MNIST"))
