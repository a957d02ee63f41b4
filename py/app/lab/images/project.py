"""A project in one file, to hand to a class: classes, pictures, options and network.

project.json   {"version": 1, "options": text as in the address, "trained": epochs, "data": name,
               "classes": [names], or null where the data are this site's,
               "featured": whether the network reads features of the images,
               "made": {"names", "drawn": places of drawings, "features", "changed"}, where classes
               were made on the page}
model.npz      the network, exactly
train-images, train-labels, test-images, test-labels   IDX, where the data are the user's
made-images, made-labels   IDX: the pictures of the classes that were made, trained on or not yet
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import nn
import numpy as np
from nn.data import Dataset, parse_idx, write_idx
from nn.io.archive import Archive, pack

from app.lab.images import features
from app.lab.images.import_data import CLASSES
from app.lab.kept_classes import LONGEST, MOST, SIDE

VERSION = 1
MOST_CLASSES = 1000
SETS = ("train", "test")


class ProjectError(ValueError):
    """A file holds no project that can be opened; the message says what was expected."""


@dataclass
class Made:
    """Classes made on the page.

    Attributes:
        names: of the classes.
        images: (n, SIDE, SIDE, 3) uint8, in the order of the classes.
        labels: (n,) the classes' places.
        drawn: (n,) bool, whether an image is a drawing.
        features: whether a network learns from features of them.
        changed: whether they are others than the data were made of.
    """

    names: list[str]
    images: Any
    labels: Any
    drawn: Any
    features: bool
    changed: bool


@dataclass
class Project:
    """What a file holds.

    Attributes:
        options: the page's options, as in its address.
        trained: epochs that the network has been trained for.
        model: the network.
        name: of the data.
        sets: training and test images of the user's; None where the data are this site's.
        made: classes with pictures that were made on the page, if there are any.
        featured: whether the network reads features of the user's images.
    """

    options: str
    trained: int
    model: Any
    name: str
    sets: tuple[Dataset, Dataset] | None
    made: Made | None = None
    featured: bool = False


def write(project: Project) -> bytes:
    """Return the file.

    Raises:
        ProjectError: the network does not read the images.
    """
    _check(project)
    members = {"model.npz": nn.io.save(project.model)}
    classes = None
    if project.sets is not None:
        classes = [str(name) for name in project.sets[0].class_names or []]
        for kind, data in zip(SETS, project.sets, strict=True):
            members[f"{kind}-images"] = write_idx(np.ascontiguousarray(data.x))
            members[f"{kind}-labels"] = _labels(data.y)
    if project.made is not None:
        members["made-images"] = write_idx(project.made.images)
        members["made-labels"] = _labels(project.made.labels)
    head = {
        "version": VERSION,
        "options": project.options,
        "trained": project.trained,
        "data": project.name,
        "classes": classes,
        "featured": project.featured,
        "made": None if project.made is None else _head(project.made),
    }
    return pack({"project.json": json.dumps(head).encode(), **members})


def _labels(labels: Any) -> bytes:
    return write_idx(np.asarray(labels, np.uint16).astype(np.int32))


def _head(made: Made) -> dict[str, Any]:
    drawn = np.flatnonzero(made.drawn).tolist()
    facts = {"features": made.features, "changed": made.changed}
    return {"names": made.names, "drawn": drawn, **facts}


def read(content: bytes) -> Project:
    """Return what a file holds.

    Raises:
        ProjectError: it is no project, or damaged.
    """
    try:
        archive = Archive(content)
        head = json.loads(archive.read("project.json"))
        if not isinstance(head, dict) or head.get("version") != VERSION:
            raise ProjectError(f"expected version {VERSION}")
        sets = None if head["classes"] is None else _sets(archive, head["classes"])
        model = nn.io.load(archive.read("model.npz"))
        if not isinstance(head["options"], str) or not isinstance(head["data"], str):
            raise ProjectError("expected texts as options and as the name of the data")
        trained = max(0, int(head["trained"]))
        made = None if head.get("made") is None else _made(archive, head["made"])
        featured = head.get("featured") is True
        project = Project(head["options"], trained, model, head["data"], sets, made, featured)
    except (ValueError, KeyError, TypeError, OverflowError, nn.errors.NNError) as error:
        raise ProjectError(f"this file is no project: {error}") from error
    _check(project)
    return project


def _sets(archive: Archive, classes: Any) -> tuple[Dataset, Dataset]:
    names = [str(name) for name in classes]
    if not 2 <= len(names) <= MOST_CLASSES:
        raise ProjectError(f"expected 2 to {MOST_CLASSES} classes, received {len(names)}")
    train, test = (_set(archive, kind, names) for kind in SETS)
    if train.x.shape[1:] != test.x.shape[1:]:
        raise ProjectError("the training and the test images are of different sizes")
    return train, test


def _set(archive: Archive, kind: str, names: list[str]) -> Dataset:
    images = parse_idx(archive.read(f"{kind}-images"), rank=4)
    labels = parse_idx(archive.read(f"{kind}-labels"), rank=1)
    if images.dtype != np.uint8 or images.shape[3] not in (1, 3) or len(images) != len(labels):
        raise ProjectError(f"{kind}: expected a label for each image of 1 or 3 channels")
    if len(labels) and (labels.min() < 0 or labels.max() >= len(names)):
        raise ProjectError(f"{kind}: expected labels from 0 to {len(names) - 1}")
    return Dataset(images, labels, class_names=names)


def _made(archive: Archive, head: Any) -> Made:
    names, drawn = head["names"], head["drawn"]
    right = [name for name in names if isinstance(name, str) and 0 < len(name.strip()) <= LONGEST]
    if right != names or not 0 < len(set(names)) == len(names) <= CLASSES:
        raise ProjectError(f"expected 1 to {CLASSES} names of classes, received {names}")
    data = _set(archive, "made", names)
    images, labels = data.x, np.asarray(data.y)
    if images.shape[1:] != (SIDE, SIDE, 3) or max(np.bincount(labels), default=0) > MOST:
        raise ProjectError(
            f"made: expected at most {MOST} pictures a class of {SIDE} x {SIDE} in colour, "
            f"received {len(labels)} of {images.shape[1:]}"
        )
    marks = np.isin(np.arange(len(labels)), drawn)
    if drawn != np.flatnonzero(marks).tolist():
        raise ProjectError(f"made: expected places of drawings, received {drawn}")
    return Made(names, images, labels, marks, head["features"] is True, head["changed"] is True)


def _check(project: Project) -> None:
    """Refuse a network that does not read the images."""
    if project.sets is None:
        return
    data = project.sets[0]
    taken = tuple(data.shape)
    if project.featured:
        if taken != (features.SIDE, features.SIDE, 3):
            raise ProjectError(f"expected {features.SIDE} x {features.SIDE} in colour, got {taken}")
        taken = (features.WIDTH,)
    wanted = (taken, (len(data.class_names or ()),))
    found = (tuple(project.model.input_shape[1:]), tuple(project.model.output_shape[1:]))
    if wanted != found:
        raise ProjectError(f"expected a network from {wanted[0]} to {wanted[1]}, received {found}")
