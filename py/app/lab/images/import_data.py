"""A user's own images: IDX pairs, a CSV with the label first, or a zip with a folder a class.

Whatever does not fit raises OwnDataError naming the file, what was expected and what came, before
anything is put in place of the data at hand.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from nn.data import Dataset, parse_idx

SIDE = 28
CLASSES = 10
# A zip may declare far more than it holds: 60,000 images of 28 x 28 are 47 MB.
MOST_IMAGES = 100_000
MOST_BYTES = 8 << 20

Decode = Callable[[bytes], Awaitable[Any]]


class OwnDataError(ValueError):
    """The user's files are no data set that this page can train on."""


def checked(name: str, images: Any, labels: Any) -> tuple[Any, Any]:
    """Return images (n, 28, 28) uint8 and labels (n,) uint8 below 10.

    Raises:
        OwnDataError: they are not.
    """
    if images.shape[1:] != (SIDE, SIDE) or images.dtype != np.uint8:
        got = f"{images.dtype} {images.shape[1:]}"
        raise OwnDataError(f"{name}: expected images of 28 x 28 bytes, got {got}")
    if len(images) != len(labels):
        raise OwnDataError(f"{name}: {len(images)} images but {len(labels)} labels")
    if len(images) < CLASSES:
        raise OwnDataError(f"{name}: expected at least {CLASSES} images, got {len(images)}")
    if labels.min() < 0 or labels.max() >= CLASSES:
        span = f"{labels.min()} to {labels.max()}"
        raise OwnDataError(f"{name}: expected labels from 0 to 9, got {span}")
    return images, labels.astype(np.uint8)


def read_idx(files: dict[str, bytes]) -> tuple[Any, Any]:
    """Read one file of images and one of labels, recognised by their rank."""
    found: dict[int, Any] = {}
    for name, content in files.items():
        try:
            array = parse_idx(content)
        except Exception as error:
            raise OwnDataError(f"{name}: {error}") from error
        found[array.ndim] = array
    if set(found) != {1, 3}:
        names = ", ".join(files)
        raise OwnDataError(f"{names}: expected an IDX file of images and one of labels")
    return checked(" + ".join(files), found[3], found[1])


def read_csv(name: str, content: bytes) -> tuple[Any, Any]:
    """Read lines of a label and 784 numbers from 0 to 255; the first may be headings."""
    text = content.decode("utf-8", "replace")
    first = text[: text.find("\n")].split(",")[0].strip()
    skip = 0 if first.lstrip("-").isdigit() else 1
    if not any(line.strip() for line in text.splitlines()[skip:]):
        raise OwnDataError(f"{name}: expected lines of a label and 784 numbers, got none")
    try:
        table = np.loadtxt(io.StringIO(text), delimiter=",", skiprows=skip, ndmin=2)
    except ValueError as error:
        raise OwnDataError(f"{name}: {error}") from error
    if table.shape[1] != 1 + SIDE * SIDE:
        raise OwnDataError(f"{name}: expected 785 numbers a line, got {table.shape[1]}")
    pixels = table[:, 1:]
    if pixels.min() < 0 or pixels.max() > 255:
        raise OwnDataError(f"{name}: expected pixels from 0 to 255, got {pixels.max():g}")
    labels = table[:, 0].astype(np.int64)
    return checked(name, pixels.astype(np.uint8).reshape(-1, SIDE, SIDE), labels)


async def read_zip(name: str, content: bytes, decode: Decode) -> tuple[Any, Any, list[str]]:
    """Read images, one folder a class; `decode` makes (28, 28) uint8 of a file's bytes."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except zipfile.BadZipFile as error:
        raise OwnDataError(f"{name}: {error}") from error
    entries = [entry for entry in archive.infolist() if _is_image(entry.filename)]
    folders = sorted({entry.filename.split("/")[-2] for entry in entries})
    if not 2 <= len(folders) <= CLASSES:
        raise OwnDataError(f"{name}: expected 2 to 10 folders of images, got {len(folders)}")
    if len(entries) > MOST_IMAGES or any(entry.file_size > MOST_BYTES for entry in entries):
        raise OwnDataError(f"{name}: expected at most {MOST_IMAGES} images of at most 8 MB")
    images, labels = [], []
    for entry in entries:
        try:
            images.append(await decode(archive.read(entry)))
        except Exception as error:
            raise OwnDataError(f"{name}: {entry.filename} is no picture: {error}") from error
        labels.append(folders.index(entry.filename.split("/")[-2]))
    return (*checked(name, np.stack(images), np.array(labels)), folders)


def _is_image(path: str) -> bool:
    parts = path.split("/")
    known = path.lower().endswith((".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp"))
    return known and len(parts) > 1 and not parts[-1].startswith(".") and parts[0] != "__MACOSX"


async def read(files: dict[str, bytes], decode: Decode) -> tuple[Any, Any, list[str]]:
    """Return images, labels and class names of files of any of these kinds."""
    digits = [str(digit) for digit in range(CLASSES)]
    if len(files) == 1:
        ((name, content),) = files.items()
        if content[:2] == b"PK":
            return await read_zip(name, content, decode)
        if name.lower().endswith((".csv", ".txt")):
            return (*read_csv(name, content), digits)
    return (*read_idx(files), digits)


def split(images: Any, labels: Any, names: list[str], seed: int = 0) -> tuple[Dataset, Dataset]:
    """Shuffle, and keep every seventh image for the test, about as MNIST does."""
    order = np.random.default_rng(seed).permutation(len(images))
    test, train = order[::7], np.delete(order, slice(None, None, 7))
    return (
        Dataset(images[train], labels[train], class_names=names),
        Dataset(images[test], labels[test], class_names=names),
    )
