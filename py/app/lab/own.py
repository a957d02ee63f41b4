"""Classes made on the page: their pictures by camera, files and drawings, and Undo."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from nn.data import Dataset

from app.lab.images import normalize_digit, pictures
from app.lab.images.features import Features
from app.lab.images.import_data import CLASSES, OwnDataError, framed, suiting

if TYPE_CHECKING:
    from app.lab.data import Data
    from app.lab.picture import Picture

SIDE = 96
"""Pixels of a side of the pictures that are kept, in colour."""
THUMB = 48
FEWEST = 3  # pictures of a class, of which one is for the test
MOST = 500
ASIDE = 5  # every fifth picture of a class is for the test
NAME = "Your classes"


class Taken(NamedTuple):
    """A picture of a class: its number, (SIDE, SIDE, 3) uint8, and whether it was drawn."""

    number: int
    image: Any
    drawn: bool


@dataclass
class Class:
    """A class by its number, with its pictures in the order in which they came."""

    number: int
    name: str
    pictures: list[Taken] = field(default_factory=list)


class Own:
    """Served as `lab.own`.

    Args:
        data: takes the classes as training and test data.
        picture: shows what a network makes of a picture.
        decode: coroutine function that returns (h, w, 3) uint8 of a picture at an address.

    Attributes:
        base: the page's address, where the network for features is found.
    """

    def __init__(self, data: Data, picture: Picture, decode: Any) -> None:
        self.base = ""
        self._features = Features()
        self._data = data
        self._picture = picture
        self._decode = decode
        self._numbers = count(1)
        self._undo: list[Callable[[], None]] = []
        self.classes: list[Class] = []

    # -- classes ----------------------------------------------------------------------------

    def listing(self) -> dict[str, Any]:
        """Return {classes: [{number, name, pictures: [{number, rgba}]}], undo}."""
        rows = [
            {"number": c.number, "name": c.name, "pictures": [_thumb(t) for t in c.pictures]}
            for c in self.classes
        ]
        return {"classes": rows, "undo": bool(self._undo)}

    def add_class(self) -> dict[str, Any]:
        """Add a class with a name that is free; return the listing.

        Raises:
            OwnDataError: there are as many as a page shows.
        """
        if len(self.classes) == CLASSES:
            raise OwnDataError(f"{CLASSES} classes are the most that this page shows")
        taken = {one.name for one in self.classes}
        name = next(f"class {n}" for n in range(1, CLASSES + 1) if f"class {n}" not in taken)
        self.classes.append(Class(next(self._numbers), name))
        return self.listing()

    def rename(self, number: int, name: str) -> str:
        """Give a class another name; return it as it is kept.

        Raises:
            OwnDataError: it is empty, or another class has it.
        """
        words = " ".join(name.split())[:40]
        if not words:
            raise OwnDataError("A class needs a name.")
        if any(one.name == words for one in self.classes if one.number != number):
            raise OwnDataError(f"There is a class {words} already.")
        self._class(number).name = words
        return words

    def remove_class(self, number: int) -> dict[str, Any]:
        """Delete a class with its pictures; return the listing."""
        one = self._class(number)
        place = self.classes.index(one)
        del self.classes[place]
        self._undo.append(lambda: self.classes.insert(min(place, len(self.classes)), one))
        return self.listing()

    def _class(self, number: int) -> Class:
        found = [one for one in self.classes if one.number == number]
        if not found:
            raise OwnDataError(f"expected one of {len(self.classes)} classes, got {number}")
        return found[0]

    # -- pictures ---------------------------------------------------------------------------

    def add(self, number: int, pixels: Any) -> dict[str, Any]:
        """Add a picture of the camera to a class; return its {number, rgba}.

        Args:
            number: of the class.
            pixels: RGBA bytes of SIDE x SIDE pixels, row by row.
        """
        return self._add(number, _rgb(pixels), drawn=False)

    def draw(self, number: int, pixels: Any, width: int) -> dict[str, Any]:
        """Add a drawing to a class; return its {number, rgba}.

        Args:
            number: of the class.
            pixels: RGBA bytes of the pad, row by row.
            width: pixels in a row.

        Raises:
            OwnDataError: nothing is drawn.
        """
        ink = normalize_digit.from_rgba(pixels, width)
        image = normalize_digit.as_drawn(ink, (SIDE, SIDE, 3))
        if image is None:
            raise OwnDataError("Nothing is drawn.")
        return self._add(number, image, drawn=True)

    async def add_files(self, number: int, names: list[str], urls: list[str]) -> dict[str, Any]:
        """Add files of pictures to a class, all or none; return the listing.

        Raises:
            OwnDataError: a file is no picture.
        """
        images = []
        for name, url in zip(names, urls, strict=True):
            try:
                images.append(framed(await self._decode(url), SIDE, 3))
            except Exception as error:
                raise OwnDataError(f"{name} is no picture: {error}") from error
            await asyncio.sleep(0)
        self._room(number, len(images))
        for image in images:
            self._add(number, image, drawn=False)
        return self.listing()

    def _add(self, number: int, image: Any, *, drawn: bool) -> dict[str, Any]:
        held = self._room(number, 1)
        taken = Taken(next(self._numbers), image, drawn)
        held.append(taken)
        return _thumb(taken)

    def _room(self, number: int, count: int) -> list[Taken]:
        """Return the pictures of a class that has room for some more."""
        held = self._class(number).pictures
        if len(held) + count > MOST:
            raise OwnDataError(f"{MOST} pictures of a class are enough.")
        return held

    def remove(self, number: int, picture: int) -> dict[str, Any]:
        """Delete a picture of a class; return the listing."""
        held = self._class(number).pictures
        places = [place for place, taken in enumerate(held) if taken.number == picture]
        if not places:
            raise OwnDataError(f"expected one of {len(held)} pictures, got number {picture}")
        taken = held.pop(places[0])
        self._undo.append(lambda: held.insert(min(places[0], len(held)), taken))
        return self.listing()

    def undo(self) -> dict[str, Any]:
        """Bring back what was deleted last, if anything was; return the listing."""
        if self._undo:
            self._undo.pop()()
        return self.listing()

    # -- the data, and the answer ------------------------------------------------------------

    async def use(self, features: bool = False) -> None:
        """Train on these classes from now on.

        Args:
            features: whether a network is given what EfficientNet-Lite0 makes of the pictures.

        Raises:
            OwnDataError: there are too few classes or pictures; the data stay as they are.
            DownloadError, FetchError: EfficientNet-Lite0 cannot be fetched; likewise.
        """
        self._check()
        if features:
            await self._features.fetch(self.base)
        kept = [(one.name, list(one.pictures)) for one in self.classes]

        async def make(form: tuple[int, int] | None) -> tuple[Dataset, Dataset]:
            if not features:
                return sets(kept, form)
            train, test = sets(kept, (SIDE, 3))
            return self._features.featured(train), self._features.featured(test)

        read = self._features.of if features else None
        await self._data.use(NAME, make, convertible=not features, read=read)

    def _check(self) -> None:
        if len(self.classes) < 2:
            raise OwnDataError("Two classes at least: add one, and give it pictures.")
        for one in self.classes:
            if len(one.pictures) < FEWEST:
                raise OwnDataError(
                    f"{FEWEST} pictures of each class at least: {one.name} has {len(one.pictures)}."
                )

    def look(self, model: Any, pixels: Any) -> dict[str, Any]:
        """Return what a network makes of a picture of the camera: a report as `lab.picture`'s.

        Args:
            model: the network.
            pixels: RGBA bytes of SIDE x SIDE pixels, row by row.
        """
        side, _, channels = self._data.shape
        return self._picture.look(model, framed(_rgb(pixels), side, channels))


def sets(
    classes: list[tuple[str, list[Taken]]], form: tuple[int, int] | None = None
) -> tuple[Dataset, Dataset]:
    """Return training and test images of classes, given as names with pictures.

    Args:
        classes: at least two, with at least FEWEST pictures each.
        form: side and channels of the images; by default what suits the pictures.
    """
    taken = [picture for _, held in classes for picture in held]
    if form is None:
        drawn = all(picture.drawn for picture in taken)
        form = (28, 1) if drawn else suiting([picture.image for picture in taken])
    images = np.stack([_shaped(picture, *form) for picture in taken])
    labels = np.repeat(np.arange(len(classes), dtype=np.uint8), [len(held) for _, held in classes])
    places = np.concatenate([np.arange(len(held)) for _, held in classes])
    aside = places % ASIDE == FEWEST - 1
    names = [name for name, _ in classes]
    train = np.random.default_rng(0).permutation(np.flatnonzero(~aside))
    return (
        Dataset(images[train], labels[train], class_names=names),
        Dataset(images[aside], labels[aside], class_names=names),
    )


def _rgb(pixels: Any) -> Any:
    rgba = np.asarray(pixels, np.uint8)
    if rgba.size != SIDE * SIDE * 4:
        raise OwnDataError(f"expected {SIDE} x {SIDE} RGBA pixels, got {rgba.size} bytes")
    return rgba.reshape(SIDE, SIDE, 4)[..., :3].copy()


def _thumb(taken: Taken) -> dict[str, Any]:
    step = SIDE // THUMB
    return {"number": taken.number, "rgba": pictures.rgba(taken.image[::step, ::step])}


def _shaped(taken: Taken, side: int, channels: int) -> Any:
    """Return a picture as an image of the data; a drawing as the pad's own are read."""
    if not taken.drawn:
        return framed(taken.image, side, channels)
    ink, shape = 255 - taken.image[..., 0], (side, side, channels)
    if shape == normalize_digit.SHAPE:
        return normalize_digit.from_drawing(ink)
    return normalize_digit.as_drawn(ink, shape)
