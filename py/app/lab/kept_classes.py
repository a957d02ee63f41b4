"""Classes made on the page, as the browser keeps them: those of now, and what other tabs added."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from app.lab.images.import_data import CLASSES
from app.language import key

NAME = key("Your classes")  # of the data that they are
SIDE = 96
"""Pixels of a side of the pictures, in colour."""
MOST = 500  # pictures of a class
LONGEST = 40  # letters of a name
STORE = "classes"  # of IndexedDB
LIST = "list"  # the row that says which pictures each class has; the others are a picture each


class Taken(NamedTuple):
    """A picture of a class: its number, (SIDE, SIDE, 3) uint8, and whether it was drawn."""

    number: int
    image: Any
    drawn: bool


class KeptClasses:
    """The rows in the browser's storage.

    Args:
        store: has `change`, `get`, `listing` and `contents`, as `app.lab.browser.indexed_db`.
    """

    def __init__(self, store: Any) -> None:
        self._store = store
        self._names: dict[int, str] = {}  # of the rows that are kept, by the pictures' numbers
        self._seen: set[str] = set()  # names of all rows that this page kept or read

    async def write(self, classes: Iterable[tuple[str, list[Taken]]], features: bool) -> None:
        """Keep these classes, and what another tab added; nothing else that this page had.

        Args:
            classes: names with pictures.
            features: whether a network learns from features of them.

        Raises:
            StorageError: the browser refused; what was kept before is kept.
        """
        held = [(name, list(pictures)) for name, pictures in classes]
        wanted = {taken.number: taken for _, pictures in held for taken in pictures}
        names = {number: self._names.get(number) or os.urandom(8).hex() for number in wanted}
        gone = [name for number, name in self._names.items() if number not in wanted]
        listed = {name: [names[taken.number] for taken in pictures] for name, pictures in held}
        for name, added in await self._added():
            if name in listed or len(listed) < CLASSES:
                listed[name] = (listed.get(name, []) + added)[:MOST]
        rows: list[tuple[str, bytes, dict[str, Any]]] = [
            (names[number], taken.image.tobytes(), {"drawn": taken.drawn})
            for number, taken in wanted.items()
            if number not in self._names
        ]
        if listed:
            text = json.dumps({"classes": list(listed.items()), "features": features})
            rows.append((LIST, b"", {"text": text}))
        else:
            gone.append(LIST)
        await self._store.change(STORE, put=rows, delete=gone)
        self._names = names
        self._seen.update(names.values())

    async def _added(self) -> list[tuple[str, list[str]]]:
        """Return what another tab listed since: names of classes with those of their rows."""
        try:
            _, about = await self._store.get(LIST, STORE)
        except KeyError:
            return []
        classes, _ = _listed(about.get("text"))
        found = [(name, [n for n in names if n not in self._seen]) for name, names in classes]
        return [(name, names) for name, names in found if names]

    async def read(self, numbers: Any) -> tuple[list[tuple[str, list[Taken]]], bool]:
        """Return the classes that are kept, and whether features of them are learned from.

        Rows of another size than a picture's, and names that no class may have, are left out.

        Args:
            numbers: iterator of the numbers that the pictures get.

        Raises:
            StorageError: the browser refused.
        """
        sizes = {row["name"]: row for row in await self._store.listing(STORE)}
        listed, features = _listed(sizes.pop(LIST, {}).get("text"))
        wanted = {name for _, names in listed for name in names}
        whole = {name for name, row in sizes.items() if row["octets"] == SIDE * SIDE * 3}
        damaged = set(sizes) - (wanted & whole)
        if damaged:
            await self._store.change(STORE, delete=damaged)
        found: dict[str, Taken] = {}
        for row, content in await self._store.contents(STORE) if wanted else []:
            if row["name"] in wanted & whole:
                image = np.frombuffer(content, np.uint8).reshape(SIDE, SIDE, 3)
                found[row["name"]] = Taken(next(numbers), image, bool(row.get("drawn")))
        self._names = {taken.number: name for name, taken in found.items()}
        self._seen.update(found)
        return [(name, [found[n] for n in names if n in found]) for name, names in listed], features


def _listed(text: Any) -> tuple[list[tuple[str, list[str]]], bool]:
    """Return each class's name with the names of its pictures' rows; none where it is damaged."""
    try:
        head = json.loads(text or "{}")
        rows = [(str(name)[:LONGEST], [str(n) for n in names]) for name, names in head["classes"]]
    except (ValueError, KeyError, TypeError):
        return [], False
    found: dict[str, list[str]] = {}
    used: set[str] = set()
    for name, names in rows[:CLASSES]:
        if name.strip() and name not in found:
            found[name] = [n for n in dict.fromkeys(names) if n not in used][:MOST]
            used.update(found[name])
    return list(found.items()), head.get("features") is True
