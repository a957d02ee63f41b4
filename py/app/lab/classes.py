"""Classes made on the page: their pictures by camera, files and drawings, and what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np

from app.lab.images import normalize_digit, pictures
from app.lab.images.hints import some
from app.lab.images.import_data import CLASSES, PICTURES, OwnDataError, framed
from app.lab.kept_classes import LONGEST, MOST, SIDE, KeptClasses, Taken
from app.language import grouped, tr

THUMB = 48
FEWEST = 3  # pictures of a class, of which one is for the test


@dataclass
class Class:
    """A class by its number, with its pictures in the order in which they came."""

    number: int
    name: str
    pictures: list[Taken] = field(default_factory=list)


class Classes:
    """The classes, in the order in which the page shows them.

    Args:
        decode: coroutine function that returns (h, w, 3) uint8 of a picture at an address.
        store: what keeps the classes, see `KeptClasses`.

    Attributes:
        classes: of now.
        features: whether a network learns from features of them, as far as is known here.
    """

    def __init__(self, decode: Any, store: Any) -> None:
        self._decode = decode
        self._numbers = count(1)
        self._undo: list[Callable[[], None]] = []
        self.classes: list[Class] = []
        self.features = False
        self._kept = KeptClasses(store)
        self._restored = False

    # -- what the browser keeps -------------------------------------------------------------

    async def save(self, features: bool) -> str:
        """Keep the classes in this browser; return why that cannot be, or ''.

        Args:
            features: whether a network learns from features of them.
        """
        self.features = features
        try:
            await self._kept.write([(one.name, one.pictures) for one in self.classes], features)
        except Exception as error:  # StorageError: this module knows no browser
            return str(error)
        return ""

    async def restore(self) -> dict[str, Any]:
        """Bring back the classes of an earlier visit, once.

        Returns:
            the listing, with `features` as it was given to `save`.
        """
        if not self._restored and not self.classes:
            try:
                found, self.features = await self._kept.read(self._numbers)
            except Exception:  # no storage: `save` says so
                found = []
            self.classes = [Class(next(self._numbers), *row) for row in found]
        self._restored = True
        return {**self.listing(), "features": self.features}

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
            raise OwnDataError(
                tr("{count} classes are the most that this page shows", count=CLASSES)
            )
        taken = {one.name for one in self.classes}
        names = (tr("class {number}", number=n) for n in range(1, CLASSES + 1))
        name = next(name for name in names if name not in taken)
        self.classes.append(Class(next(self._numbers), name))
        return self.listing()

    def rename(self, number: int, name: str) -> str:
        """Give a class another name; return it as it is kept.

        Raises:
            OwnDataError: it is empty, or another class has it.
        """
        words = " ".join(name.split())[:LONGEST]
        if not words:
            raise OwnDataError(tr("A class needs a name."))
        if any(one.name == words for one in self.classes if one.number != number):
            raise OwnDataError(tr("There is a class {name} already.", name=words))
        self._class(number).name = words
        return words

    def remove_class(self, number: int) -> dict[str, Any]:
        """Delete a class with its pictures; return the listing."""
        one = self._class(number)
        place = self.classes.index(one)
        del self.classes[place]
        self._undo.append(lambda: self.classes.insert(min(place, len(self.classes)), one))
        return self.listing()

    def remove_all(self) -> dict[str, Any]:
        """Delete all classes; return the listing."""
        self.replace([])
        return self.listing()

    def replace(self, classes: list[tuple[str, list[tuple[Any, bool]]]]) -> None:
        """Put other classes in the place of these: names with images, and whether each was drawn.

        Those that were there before come back by `undo`.
        """
        gone = self.classes
        self.classes = [
            Class(next(self._numbers), name, [Taken(next(self._numbers), *row) for row in rows])
            for name, rows in classes
        ]
        if gone:
            self._undo.append(lambda: self.classes.__setitem__(slice(None), gone))

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
        return self._add(number, rgb(pixels), drawn=False)

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
            raise OwnDataError(tr("Nothing is drawn."))
        return self._add(number, image, drawn=True)

    async def add_files(self, number: int, names: list[str], urls: list[str]) -> dict[str, Any]:
        """Add those files to a class that are pictures, as long as there is room.

        Returns:
            the listing, with `refused`: which files were left out, and why; '' where none was.
        """
        refused: dict[str, str] = {}
        for name, url in zip(names, urls, strict=True):
            try:
                self._room(number)
                image = framed(await self._decode(url), SIDE, 3)
                self._add(number, image, drawn=False)
            except OwnDataError as error:
                refused[name] = str(error)
            except Exception as error:
                refused[name] = _unread(name, error)
            await asyncio.sleep(0)
        return {**self.listing(), "refused": _refused(refused, len(names))}

    def _add(self, number: int, image: Any, *, drawn: bool) -> dict[str, Any]:
        held = self._room(number)
        taken = Taken(next(self._numbers), image, drawn)
        held.append(taken)
        return _thumb(taken)

    def _room(self, number: int) -> list[Taken]:
        """Return the pictures of a class that has room for one more."""
        held = self._class(number).pictures
        if len(held) >= MOST:
            raise OwnDataError(tr("{count} pictures of a class are enough.", count=MOST))
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


def _refused(refused: dict[str, str], total: int) -> str:
    """Return which of some files were left out, and why the first was."""
    why = next(iter(refused.values()), "")
    if not refused or total == 1:
        return why
    words = tr(
        "Left out, {count} of {total} files: {names}.",
        count=grouped(len(refused)),
        total=grouped(total),
        names=some(list(refused)),
    )
    return f"{words} {why}"


def _unread(name: str, error: Exception) -> str:
    """Return why a file could not be decoded."""
    if name.lower().endswith(PICTURES):
        return tr("{name} cannot be read: {error}", name=name, error=error)
    kinds = ", ".join(PICTURES)
    return tr(
        "{name} is no picture that can be read: expected {kinds}. Save it as a PNG first.",
        name=name,
        kinds=kinds,
    )


def rgb(pixels: Any) -> Any:
    rgba = np.asarray(pixels, np.uint8)
    if rgba.size != SIDE * SIDE * 4:
        raise OwnDataError(f"expected {SIDE} x {SIDE} RGBA pixels, got {rgba.size} bytes")
    return rgba.reshape(SIDE, SIDE, 4)[..., :3].copy()


def _thumb(taken: Taken) -> dict[str, Any]:
    step = SIDE // THUMB
    return {"number": taken.number, "rgba": pictures.rgba(taken.image[::step, ::step])}
