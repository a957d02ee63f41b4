"""A user's own images: IDX pairs, a CSV with the label first, CIFAR-10's binary batches, or
folders of pictures, one a class, as they are or in a zip.

Pictures in folders become images of one of SIDES, in grey or in colour: by default as the pictures
are. None is squashed: one that is not square has a border of its own paper. One that cannot be read
is left out and named.

Whatever else does not fit raises OwnDataError naming the file, what was expected and what came,
before anything is put in place of the data at hand.
"""

from __future__ import annotations

import codecs
import io
import math
import zipfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from nn.data import Dataset, parse_idx

from app.endings import MODELS, TABLES
from app.lab.images.normalize_digit import area_weights
from app.language import tr

SIDE = 28
SIDES = (28, 32, 64, 96)
CLASSES = 10
PICTURES = (
    ".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".avif", ".jfif", ".jpe", ".pjpeg", ".pjp",
    ".apng", ".ico",
)  # fmt: skip
"""Endings of what createImageBitmap reads; it reads neither SVG nor TIFF."""
OTHER_PICTURES = (
    ".svg",
    ".svgz",
    ".tif",
    ".tiff",
    ".heic",
    ".heif",
    ".psd",
    ".raw",
    ".eps",
    ".pdf",
)
MODEL_PARTS = {"nn.json", "config.json", "model.json"}  # of which a zip with a model has one
BESIDE = (".txt", ".db", ".ini")  # texts, Thumbs.db and desktop.ini: left out without a word
SAMPLE = 50  # pictures that are looked at for size and colour
COLOURED = 24  # from this distance between its red, green and blue on a pixel is no grey
# A zip may declare far more than it holds: 60,000 images of 28 x 28 are 47 MB.
MOST_IMAGES = 100_000
MOST_BYTES = 32 << 20  # of a picture
MOST_MEMORY = 400 << 20  # of all images as bytes

# In the order of its batches.meta.txt.
CIFAR = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
CIFAR_SHAPE = (3, 32, 32)

Decode = Callable[[bytes], Awaitable[Any]]
Tell = Callable[[int, int], Awaitable[None]]
"""Called with the numbers of pictures that are read and of all; what it raises ends the reading."""


class OwnDataError(ValueError):
    """The user's files are no data set that this page can train on."""


class Left(NamedTuple):
    """Files that are no part of the data.

    Attributes:
        kinds: numbers of files that are no pictures in a folder, by their endings, the most first.
        unread: why a picture cannot be read, by its path.
    """

    kinds: dict[str, int]
    unread: dict[str, str]


class Member(NamedTuple):
    """A file of a zip, or in a folder: its path, and what reads it."""

    path: str
    read: Callable[[], Awaitable[bytes]]


Files = dict[str, bytes] | list[Member]
"""Contents by name, or files in folders."""
Read = tuple[Any, Any, list[str], Left]
"""Images, labels, names of the classes, and what was left out."""


def checked(name: str, images: Any, labels: Any) -> tuple[Any, Any]:
    """Return images (n, side, side, ...) uint8 and labels (n,) uint8 below 10.

    Raises:
        OwnDataError: they are not.
    """
    rows, columns = images.shape[1:3]
    if images.dtype != np.uint8 or rows != columns or rows not in SIDES:
        got = f"{images.dtype} {images.shape[1:]}"
        raise OwnDataError(f"{name}: expected bytes, as many rows as columns of {SIDES}, got {got}")
    if len(images) != len(labels):
        raise OwnDataError(
            f"{name}: expected as many labels as images, {len(images)}, got {len(labels)}"
        )
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
        if name.lower().endswith(OTHER_PICTURES):
            raise OwnDataError(
                f"{name}: expected pictures ({', '.join(PICTURES)}), in a folder for each class"
            )
        if name.lower().endswith(PICTURES):
            raise OwnDataError(
                f"{name}: give pictures in a folder for each class, or a zip of those"
            )
        try:
            array = parse_idx(content, limit=MOST_MEMORY)
        except Exception as error:
            raise OwnDataError(f"{name}: {error}") from error
        found[array.ndim] = array
    if set(found) != {1, 3}:
        names = ", ".join(files)
        raise OwnDataError(f"{names}: expected an IDX file of images and one of labels")
    images = found[3]
    if all(name.lower().startswith("emnist-") for name in files):  # published column by column
        images = np.ascontiguousarray(images.transpose(0, 2, 1))
    return checked(" + ".join(files), images, found[1])


def holds_batches(files: dict[str, bytes]) -> bool:
    """Return whether files are CIFAR-10's binary batches."""
    return all(name.lower().endswith(".bin") for name in files) and all(
        content and len(content) % (1 + math.prod(CIFAR_SHAPE)) == 0 for content in files.values()
    )


def read_batches(files: dict[str, bytes]) -> tuple[Any, Any]:
    """Read batches as CIFAR-10 publishes them: a byte of label, then red, green and blue rows."""
    if sum(map(len, files.values())) > MOST_MEMORY:
        raise OwnDataError(f"{' + '.join(files)}: expected at most {MOST_MEMORY:,} bytes")
    rows = np.frombuffer(b"".join(files.values()), np.uint8).reshape(-1, 1 + math.prod(CIFAR_SHAPE))
    planes = rows[:, 1:].reshape(-1, *CIFAR_SHAPE)
    images = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
    return checked(" + ".join(files), images, rows[:, 0].astype(np.int64))


def text_of(name: str, content: bytes) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 with its mark in front.

    Raises:
        OwnDataError: it is in neither; of another encoding nothing is sure.
    """
    marked = content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    try:
        text = content.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        line, byte = 1 + content.count(10, 0, error.start), content[error.start]
        raise OwnDataError(
            f"{name}: expected text in UTF-8 or UTF-16, got byte {byte:#04x} in line {line}"
        ) from error
    if "\0" in text:
        raise OwnDataError(f"{name}: expected text in UTF-8 or UTF-16, got bytes that are none")
    return text


def read_csv(name: str, content: bytes) -> tuple[Any, Any]:
    """Read lines of a label and 784 numbers from 0 to 255, or to 1; the first may be headings."""
    text = text_of(name, content)
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    if lines and _is_heading(_cells(lines[0][1])):
        del lines[0]
    if not lines:
        raise OwnDataError(f"{name}: expected lines of a label and 784 numbers, got none")
    columns = len(_cells(lines[0][1]))
    if columns != 1 + SIDE * SIDE:
        raise OwnDataError(
            f"{name}: expected {1 + SIDE * SIDE} columns, a label and {SIDE * SIDE} numbers, "
            f"got {columns}"
        )
    table = _numbers(name, lines)
    wrong = _first(lines, ~np.isfinite(table))
    if wrong:
        raise OwnDataError(f"{name}: line {wrong[0]}: expected numbers, got {wrong[1]!r}")
    wrong = _first(lines, ~np.isin(table[:, :1], np.arange(CLASSES)))
    if wrong:
        raise OwnDataError(
            f"{name}: line {wrong[0]}: expected a whole number from 0 to {CLASSES - 1} as label, "
            f"got {wrong[1]!r}"
        )
    pixels = _pixels(name, lines, table)
    return checked(name, pixels.reshape(-1, SIDE, SIDE), table[:, 0].astype(np.int64))


def _pixels(name: str, lines: list[tuple[int, str]], table: Any) -> Any:
    """Return the pixels of lines as bytes; where none is more than 1, 1 is white."""
    pixels = table[:, 1:]
    scaled = pixels.max() <= 1
    found = np.rint(255 * pixels if scaled else pixels).clip(0, 255).astype(np.uint8)
    off = (pixels < 0) if scaled else (found != pixels)
    wrong = _first(lines, np.pad(off, ((0, 0), (1, 0))))
    if wrong:
        raise OwnDataError(
            f"{name}: line {wrong[0]}: expected whole pixels from 0 to 255, or all from 0 to 1, "
            f"got {wrong[1]!r}"
        )
    return found


def _first(lines: list[tuple[int, str]], wrong: Any) -> tuple[int, str] | None:
    """Return the line's number and the text of the first cell that is wrong, if one is."""
    if not wrong.any():
        return None
    row, column = np.argwhere(wrong)[0]
    number, line = lines[row]
    return number, _cells(line)[column]


def _cells(line: str) -> list[str]:
    return [cell.strip().strip('"') for cell in line.split(",")]


def _is_heading(cells: list[str]) -> bool:
    """Return whether a first line holds names: texts, of which some may count, as "label,0,1,2".

    A line of an image has more pixels than bytes have values, so that some are the same: a text
    among them is a fault, and the line is not left out.
    """
    numbers = [cell for cell in cells if _is_number(cell)]
    counts = len(set(cells)) == len(cells) and all(cell.isdigit() for cell in numbers)
    return len(numbers) < len(cells) and (not numbers or counts)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(name: str, lines: list[tuple[int, str]]) -> Any:
    """Return lines, given with their numbers, as a table of a label and 784 numbers each."""
    try:
        return np.loadtxt(
            [line for _, line in lines], np.float32, None, ",", quotechar='"', ndmin=2
        )
    except ValueError as error:
        _refuse_cells(name, lines)
        raise OwnDataError(f"{name}: {error}") from error


def _refuse_cells(name: str, lines: list[tuple[int, str]]) -> None:
    """Name the first line that holds no label and 784 numbers, if there is one."""
    for number, line in lines:
        cells = _cells(line)
        if len(cells) != 1 + SIDE * SIDE:
            raise OwnDataError(
                f"{name}: line {number}: expected {1 + SIDE * SIDE} cells, a label and "
                f"{SIDE * SIDE} numbers, got {len(cells)}"
            )
        wrong = [cell for cell in cells if not _is_number(cell)]
        if wrong:
            raise OwnDataError(f"{name}: line {number}: expected numbers, got {wrong[0]!r}")


def zipped(name: str, content: bytes) -> list[Member]:
    """Return the files of a zip, given with its name."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except zipfile.BadZipFile as error:
        raise OwnDataError(f"{name}: {error}") from error

    async def read(entry: zipfile.ZipInfo) -> bytes:
        if entry.file_size > MOST_BYTES:
            raise OwnDataError(f"expected at most {MOST_BYTES >> 20} MB")
        return archive.read(entry)

    return [Member(entry.filename, partial(read, entry)) for entry in archive.infolist()]


async def _quiet(done: int, count: int) -> None:
    """Report to nothing."""


async def read_folders(
    name: str,
    members: list[Member],
    decode: Decode,
    form: tuple[int, int] | None = None,
    tell: Tell = _quiet,
) -> Read:
    """Read images, one folder a class; a picture that cannot be read is left out.

    Args:
        name: of the zip or the folder.
        members: its files.
        decode: makes (h, w, 3) uint8 of a picture's bytes.
        form: side and channels of the images; by default those that suit the pictures.
        tell: awaited before each picture and after the last.
    """
    entries, others = _pictures(members)
    _refuse_folders(name, entries, others)
    folders = sorted({_parts(entry)[-2] for entry in entries})
    if not 2 <= len(folders) <= CLASSES:
        raise OwnDataError(f"{name}: expected 2 to 10 folders of images, got {len(folders)}")
    if len(entries) > MOST_IMAGES:
        raise OwnDataError(f"{name}: expected at most {MOST_IMAGES} images, got {len(entries)}")
    left = Left(_kinds(others), {})

    async def read_some(
        entries: list[Member], tell: Tell = _quiet
    ) -> AsyncIterator[tuple[Any, str]]:
        for done, entry in enumerate(entries):
            await tell(done, len(entries))
            try:
                yield await decode(await entry.read()), _parts(entry)[-2]
            except Exception as error:
                left.unread["/".join(_parts(entry)[-2:])] = str(error)
        await tell(len(entries), len(entries))

    if form is None:
        some = entries[:: -(-len(entries) // SAMPLE)]
        form = suiting([picture async for picture, _ in read_some(some)])
    side, channels = form
    if len(entries) * side * side * channels > MOST_MEMORY:
        raise OwnDataError(f"{name}: {len(entries)} images of {side} pixels need too much memory")
    read = read_some(entries, tell)
    rows = [(framed(one, side, channels), folder) async for one, folder in read]
    _refuse_unread(name, folders, {folder for _, folder in rows}, left.unread)
    images = np.stack([image for image, _ in rows])
    labels = np.array([folders.index(folder) for _, folder in rows])
    return (*checked(name, images, labels), folders, left)


def _refuse_unread(name: str, folders: list[str], read: set[str], unread: dict[str, str]) -> None:
    """Refuse a folder of which no picture can be read: it is a class."""
    for folder in folders:
        if folder not in read:
            path, why = next(row for row in unread.items() if row[0].startswith(folder + "/"))
            raise OwnDataError(
                f"{name}: folder {folder}: expected pictures that can be read, got none. "
                f"{path}: {why}"
            )


def suiting(pictures: list[Any]) -> tuple[int, int]:
    """Return side and channels of images that lose nothing of such pictures, if possible."""
    longest = float(np.median([max(picture.shape[:2]) for picture in pictures] or [SIDE]))
    side = next((side for side in SIDES if side >= longest), SIDES[-1])
    spans = [np.ptp(picture.astype(np.int16), axis=2) for picture in pictures]
    return side, 3 if any((span > COLOURED).mean() > 0.01 for span in spans) else 1


def framed(picture: Any, side: int, channels: int) -> Any:
    """Return a picture (h, w, 3) as an image: (side, side, 3), or (side, side) with light ink.

    Its longer side fills the image; the rest has the colour of its border.
    """
    height, width = picture.shape[:2]
    share = side / max(height, width)
    rows, columns = max(1, round(height * share)), max(1, round(width * share))
    down, across = area_weights(height, rows), area_weights(width, columns)
    small = np.einsum("ih,hwc,jw->ijc", down, picture.astype(np.float32), across, optimize=True)
    edge = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]]).mean(axis=0)
    image = np.empty((side, side, 3), np.float32)
    image[:] = edge
    top, left = (side - rows) // 2, (side - columns) // 2
    image[top : top + rows, left : left + columns] = small
    if channels == 1:
        image = image.mean(axis=2)
        # A border lighter than the middle is paper: MNIST is white on black.
        image = 255 - image if edge.mean() > 127 else image
    return np.rint(image).astype(np.uint8)


def _parts(entry: Member) -> list[str]:
    """Return the folders of a file and its name; some programs on Windows write backslashes."""
    return [part for part in entry.path.replace("\\", "/").split("/") if part not in ("", ".")]


def _pictures(members: list[Member]) -> tuple[list[Member], list[Member]]:
    """Return the pictures in folders, and all other files but texts and those that are hidden."""
    found: tuple[list[Member], list[Member]] = ([], [])
    for entry in members:
        parts, name = _parts(entry), entry.path.lower()
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
        if parts and not hidden and not name.endswith(("/", "\\", *BESIDE)):
            found[len(parts) == 1 or not name.endswith(PICTURES)].append(entry)
    return found


def _refuse_folders(name: str, pictures: list[Member], others: list[Member]) -> None:
    """Refuse a folder with files of which none is a picture: it may be a class."""
    held = [_parts(entry)[:-1] for entry in pictures]
    above = {(), *(tuple(parts[:end]) for parts in held for end in range(1, len(parts) + 1))}
    classes = {parts[-1] for parts in held}
    for entry in others:
        parts = _parts(entry)[:-1]
        if tuple(parts) in above or classes & set(parts):
            continue
        kinds = _kinds(one for one in others if _parts(one)[:-1] == parts)
        raise OwnDataError(
            f"{name}: folder {'/'.join(parts)}: expected pictures ({', '.join(PICTURES)}), got "
            + ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        )


def _kinds(entries: Iterable[Member]) -> dict[str, int]:
    """Return how many files there are of each ending, or name without one; the most first."""
    names = (_parts(entry)[-1].lower() for entry in entries)
    kinds = Counter(name[max(0, name.rfind(".")) :][:20] for name in names)
    return dict(kinds.most_common())


def holds_pictures(files: Files) -> bool:
    """Return whether files are folders of pictures, or a zip of them."""
    if isinstance(files, list):
        return True
    return len(files) == 1 and all(content[:2] == b"PK" for content in files.values())


async def read(
    name: str,
    files: Files,
    decode: Decode,
    form: tuple[int, int] | None = None,
    tell: Tell = _quiet,
) -> Read:
    """Return what files of any of these kinds hold; see `read_folders`.

    Args:
        name: of them all.
        files: those.
        decode: likewise.
        form: likewise.
        tell: likewise.
    """
    if isinstance(files, list):
        return await read_folders(name, files, decode, form, tell)
    try:
        return await _read(files, decode, form, tell)
    except OwnDataError as error:
        meant = next(filter(None, (_meant(*file) for file in files.items())), "")
        raise OwnDataError(f"{error}. {meant}" if meant else str(error)) from error


def _meant(name: str, content: bytes) -> str:
    """Return where the page takes a file that is no data set; '' where nothing is known of it."""
    try:
        parts = set(zipfile.ZipFile(io.BytesIO(content)).namelist())
    except zipfile.BadZipFile:
        parts = set()
    if "project.json" in parts:
        return tr("{name} holds a project: Open project, under Models, opens it.", name=name)
    if parts & MODEL_PARTS or name.lower().endswith(MODELS):
        return tr("{name} holds a model: Load, under Models, opens it.", name=name)
    return ""


async def _read(
    files: dict[str, bytes], decode: Decode, form: tuple[int, int] | None, tell: Tell
) -> Read:
    if holds_pictures(files):
        ((name, content),) = files.items()
        return await read_folders(name, zipped(name, content), decode, form, tell)
    if holds_batches(files):
        return (*read_batches(files), [*CIFAR], Left({}, {}))
    name = next(iter(files))
    if len(files) > 1 and all(one.lower().endswith(TABLES) for one in files):
        raise OwnDataError(f"{', '.join(files)}: expected one table at a time, got {len(files)}")
    table = len(files) == 1 and name.lower().endswith((".csv", ".txt"))
    images, labels = read_csv(name, files[name]) if table else read_idx(files)
    names = [str(digit) for digit in range(max(2, int(labels.max()) + 1))]
    return images, labels, names, Left({}, {})


def split(images: Any, labels: Any, names: list[str], seed: int = 0) -> tuple[Dataset, Dataset]:
    """Shuffle, and keep every seventh image for the test, about as MNIST does."""
    order = np.random.default_rng(seed).permutation(len(images))
    test, train = order[::7], np.delete(order, slice(None, None, 7))
    return (
        Dataset(images[train], labels[train], class_names=names),
        Dataset(images[test], labels[test], class_names=names),
    )
