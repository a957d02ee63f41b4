"""Classes made on the page as the data that are trained on, and what a network answers of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from nn.data import Dataset

from app.lab.classes import FEWEST, Classes, rgb
from app.lab.images import normalize_digit, project
from app.lab.images.features import Features
from app.lab.images.import_data import OwnDataError, framed, suiting
from app.lab.kept_classes import NAME, SIDE, Taken
from app.language import tr

if TYPE_CHECKING:
    from app.lab.data import Data
    from app.lab.picture import Picture

ASIDE = 5  # every fifth picture of a class is for the test


class Own(Classes):
    """Served as `lab.own`.

    Args:
        data: takes the classes as training and test data.
        picture: shows what a network makes of a picture.
        decode: coroutine function that returns (h, w, 3) uint8 of a picture at an address.
        store: what keeps the classes, see `KeptClasses`.

    Attributes:
        base: the page's address, where the network for features is found.
    """

    def __init__(self, data: Data, picture: Picture, decode: Any, store: Any) -> None:
        super().__init__(decode, store)
        self.base = ""
        self._features = Features()
        self._data = data
        self._picture = picture
        self._used: list[Any] = []  # names and numbers of what the data were made of

    async def use(self, features: bool = False) -> None:
        """Train on these classes from now on.

        Args:
            features: whether a network is given what EfficientNet-Lite0 makes of the pictures.

        Raises:
            OwnDataError: there are too few classes or pictures; the data stay as they are.
            DownloadError, FetchError: EfficientNet-Lite0 cannot be fetched; likewise.
        """
        self._check()
        kept = [(one.name, list(one.pictures)) for one in self.classes]

        read = given = None
        if features:
            given, read = await self.featured(*sets(kept, (SIDE, 3)))

        async def make(form: tuple[int, int] | None) -> tuple[Dataset, Dataset]:
            return given or sets(kept, form)

        await self._data.use(NAME, make, convertible=not features, read=read)
        self._used, self.features = _numbers(kept), features

    async def featured(
        self, train: Dataset, test: Dataset
    ) -> tuple[tuple[Dataset, Dataset], Callable[[Any], Any]]:
        """Return training and test pictures with their features, and what makes features.

        Raises:
            DownloadError, FetchError: EfficientNet-Lite0 cannot be fetched.
        """
        await self._features.fetch(self.base)
        return (self._features.featured(train), self._features.featured(test)), self._features.of

    # -- in a project -----------------------------------------------------------------------

    def made(self) -> project.Made | None:
        """Return the classes as a project holds them; None where they have no picture."""
        held = [(one.name, one.pictures) for one in self.classes]
        taken = [picture for _, pictures in held for picture in pictures]
        if not taken:
            return None
        labels = np.repeat(np.arange(len(held)), [len(pictures) for _, pictures in held])
        return project.Made(
            [name for name, _ in held],
            np.stack([picture.image for picture in taken]),
            labels,
            np.array([picture.drawn for picture in taken]),
            self.features,
            _numbers(held) != self._used,
        )

    def bring(self, made: project.Made) -> None:
        """Put a project's classes in the place of those of now, which `undo` brings back."""
        self.replace(
            [
                (name, [*zip(made.images[mine], map(bool, made.drawn[mine]), strict=True)])
                for place, name in enumerate(made.names)
                for mine in [np.flatnonzero(made.labels == place)]
            ]
        )
        self.features = made.features
        held = [(one.name, one.pictures) for one in self.classes]
        self._used = [] if made.changed else _numbers(held)

    # -- as data ----------------------------------------------------------------------------

    def _check(self) -> None:
        if len(self.classes) < 2:
            raise OwnDataError(tr("Two classes at least: add one, and give it pictures."))
        for one in self.classes:
            if len(one.pictures) < FEWEST:
                raise OwnDataError(
                    tr(
                        "{fewest} pictures of each class at least: {name} has {count}.",
                        fewest=FEWEST,
                        name=one.name,
                        count=len(one.pictures),
                    )
                )

    def look(self, model: Any, pixels: Any) -> dict[str, Any]:
        """Return what a network makes of a picture of the camera: a report as `lab.picture`'s.

        Args:
            model: the network.
            pixels: RGBA bytes of SIDE x SIDE pixels, row by row.
        """
        side, _, channels = self._data.shape
        return self._picture.look(model, framed(rgb(pixels), side, channels))


def _numbers(classes: list[tuple[str, list[Taken]]]) -> list[Any]:
    """Return what makes classes the same: names, with the numbers of their pictures."""
    return [(name, [taken.number for taken in pictures]) for name, pictures in classes]


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


def _shaped(taken: Taken, side: int, channels: int) -> Any:
    """Return a picture as an image of the data; a drawing as the pad's own are read."""
    if not taken.drawn:
        return framed(taken.image, side, channels)
    ink, shape = 255 - taken.image[..., 0], (side, side, channels)
    if shape == normalize_digit.SHAPE:
        return normalize_digit.from_drawing(ink)
    return normalize_digit.as_drawn(ink, shape)
