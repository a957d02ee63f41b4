"""A user's own files become a data set, or an error that names them."""

import asyncio
import gzip
import io
import re
import zipfile
from typing import Any

import numpy as np
import pytest
from app.lab.data import Data
from app.lab.images import hints, import_data
from app.lab.images.mnist import Mnist
from app.lab.reading import Reading
from hypothesis import given
from hypothesis import strategies as st
from nn.data.idx import write_idx

IMAGES = np.arange(20 * 784, dtype=np.uint32).astype(np.uint8).reshape(20, 28, 28)
LABELS = np.arange(20, dtype=np.uint8) % 10


async def decode(octets: bytes) -> np.ndarray:
    return np.full((28, 28, 3), int(octets), np.uint8)


def read(files: dict[str, bytes]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    return asyncio.run(import_data.read("", files, decode))[:3]


def left_out(files: dict[str, bytes]) -> import_data.Left:
    return asyncio.run(import_data.read("", files, decode))[3]


def as_csv(rows: np.ndarray, heading: str = "") -> bytes:
    return (heading + "\n".join(",".join(map(str, row)) for row in rows)).encode()


def as_zip(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, octets in files.items():
            archive.writestr(name, octets)
    return target.getvalue()


ROWS = np.concatenate([LABELS[:, None], IMAGES.reshape(20, -1)], axis=1)


@pytest.mark.parametrize(
    "files",
    [
        {"labels": write_idx(LABELS), "images": write_idx(IMAGES)},
        {"digits.csv": as_csv(ROWS)},
        {"digits.csv": as_csv(ROWS, "label," + ",".join(f"p{i}" for i in range(784)) + "\n")},
    ],
)
def test_reads_idx_pairs_and_csv(files: dict[str, bytes]) -> None:
    images, labels, names = read(files)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)
    assert names == list("0123456789")


HEADINGS = {
    "none": "",
    "names": "label," + ",".join(f"p{i}" for i in range(784)) + "\n",
    "counted": "label," + ",".join(map(str, range(784))) + "\n",
    "all alike, after an empty line": "\nlabel" + 784 * ",pixel" + "\n",
    "quoted": '"label",' + ",".join(f'"{i}x{i}"' for i in range(784)) + "\n",
}


@pytest.mark.parametrize("heading", HEADINGS)
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "BOM"])
@pytest.mark.parametrize("cell", ["{}", "{}.0", "{}e0", " {}", '"{}"', "+{}"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", "\r"])
def test_every_line_of_a_csv_is_an_image_and_a_heading_is_none(
    heading: str, mark: str, cell: str, end: str
) -> None:
    lines = (",".join([cell.format(row[0]), *map(str, row[1:])]) for row in ROWS)
    content = (mark + HEADINGS[heading] + "\n".join(lines) + "\n").replace("\n", end)
    images, labels, _ = read({"digits.csv": content.encode()})
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)


@pytest.mark.parametrize(
    ("place", "text", "words"),
    [(0, "?", "line 1: expected numbers, got '?'"), (9, "x", "line 1: expected numbers, got 'x'"),
     (784, "", "line 1: expected numbers, got ''"), (0, "five", "line 1: expected numbers, got")],
)  # fmt: skip
def test_a_fault_in_the_first_line_makes_no_heading_of_it(
    place: int, text: str, words: str
) -> None:
    rows = ROWS.astype(object)
    rows[0, place] = text
    with pytest.raises(import_data.OwnDataError, match=re.escape(f"a.csv: {words}")):
        read({"a.csv": as_csv(rows)})


@pytest.mark.parametrize(
    ("written", "off"),
    [(lambda x: repr(x / 255), 0), (lambda x: f"{x / 255:.3f}", 0), (lambda x: f"{x / 256:.4f}", 1),
     (lambda x: f"{x / 255:.18e}", 0), (lambda x: str(x // 128), 128), (lambda x: f"{x}.0", 0)],
    ids=["repr", "3 digits", "of 256", "as NumPy writes", "black and white", "of 255"],
)  # fmt: skip
def test_pixels_of_at_most_one_are_those_of_a_scale_from_0_to_1(written: Any, off: int) -> None:
    lines = [",".join([str(row[0]), *map(written, row[1:].tolist())]) for row in ROWS]
    images, labels, _ = read({"digits.csv": "\n".join(lines).encode()})
    np.testing.assert_array_equal(labels, LABELS)
    assert np.abs(images.astype(int) - IMAGES).max() <= off
    assert images.max() >= 254


PIXELS = "expected whole pixels from 0 to 255, or all from 0 to 1, got "
LABEL = "expected a whole number from 0 to 9 as label, got "
NUMBERS = "expected numbers, got "
NO_NUMBERS = [(text, NUMBERS) for text in ("nan", "NaN", "inf", "-1e999", "", "x", "1 2")]
NO_LABELS = [(text, LABEL) for text in ("0.7", "8.5", "-1", "-0.01", "10", "256", "1e30")]
NEGATIVE = [(text, PIXELS) for text in ("-1", "-0.01", "-1e-3", "-1e30")]
NO_BYTES = [(text, PIXELS) for text in ("0.7", "127.5", "254.99", "256", "1e30")]
FAULTS = [
    *((1, 0, *fault) for fault in NO_NUMBERS + NO_LABELS),
    *((255, 0, *fault) for fault in NO_NUMBERS + NO_LABELS),
    *((1, place, *fault) for place in (1, 784) for fault in NO_NUMBERS + NEGATIVE),
    *((255, place, *fault) for place in (1, 784) for fault in NO_NUMBERS + NEGATIVE + NO_BYTES),
]


@pytest.mark.parametrize(("scale", "place", "text", "words"), FAULTS)
@pytest.mark.parametrize("line", [1, 7, 20])
@pytest.mark.parametrize("heading", ["none", "names"])
def test_what_is_no_label_or_no_pixel_is_refused_with_its_line(
    scale: int, place: int, text: str, words: str, line: int, heading: str
) -> None:
    rows = [[f"{row[0]}", *(f"{x * scale / 255:g}" for x in row[1:].tolist())] for row in ROWS]
    rows[line - 1][place] = text
    content = HEADINGS[heading] + "\n".join(map(",".join, rows))
    where = f"own.csv: line {line + (heading == 'names')}: {words}{text!r}"
    with pytest.raises(import_data.OwnDataError, match=re.escape(where)):
        read({"own.csv": content.encode()})


def test_pixels_of_two_scales_are_refused_where_the_first_is_not_whole() -> None:
    rows = [[str(row[0]), *(str(0) for _ in row[1:])] for row in ROWS]
    rows[3][5], rows[4][5] = "0.25", "2"
    where = f"own.csv: line 4: {PIXELS}'0.25'"
    with pytest.raises(import_data.OwnDataError, match=re.escape(where)):
        read({"own.csv": "\n".join(map(",".join, rows)).encode()})


def test_reads_emnist_as_it_is_published_gzipped_and_on_its_side() -> None:
    turned = np.ascontiguousarray(IMAGES.transpose(0, 2, 1))
    names = ("emnist-digits-train-images-idx3-ubyte.gz", "emnist-digits-train-labels-idx1-ubyte.gz")
    files = dict(
        zip(names, map(gzip.compress, (write_idx(turned), write_idx(LABELS))), strict=True)
    )
    images, labels, _ = read(files)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)


@given(st.integers(10, 40), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_reads_batches_of_cifar_10_as_they_are_published(
    count: int, batches: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 256, (count * batches, 32, 32, 3), np.uint8)
    right = rng.integers(0, 10, len(pictures)).astype(np.uint8)
    rows = [
        bytes([n]) + p.transpose(2, 0, 1).tobytes() for n, p in zip(right, pictures, strict=True)
    ]
    files = {
        f"data_batch_{k + 1}.bin": b"".join(rows[k * count : (k + 1) * count])
        for k in range(batches)
    }
    images, labels, names = read(files)
    np.testing.assert_array_equal(images, pictures)
    np.testing.assert_array_equal(labels, right)
    assert names[0] == "airplane"
    assert len(names) == 10


def test_batches_that_need_too_much_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_data, "MOST_MEMORY", 10 * 3073 - 1)
    with pytest.raises(import_data.OwnDataError, match="at most 30,729 bytes"):
        read({"data_batch_1.bin": bytes(10 * 3073)})


def test_a_gzip_is_not_unpacked_beyond_what_images_may_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(import_data, "MOST_MEMORY", 1000)
    with pytest.raises(import_data.OwnDataError, match="gzip: expected at most 1000 bytes"):
        read({"a.gz": gzip.compress(bytes(1001))})


def test_reads_a_zip_with_a_folder_a_class() -> None:
    files = {f"set/{'cat' if i % 2 else 'bee'}/{i}.png": str(i).encode() for i in range(12)}
    images, labels, names = read({"pets.zip": as_zip({**files, "set/readme.txt": b"no image"})})
    assert names == ["bee", "cat"]
    assert labels.tolist() == [i % 2 for i in range(12)]
    assert images[:, 0, 0].tolist() == list(range(12))


PETS = {f"set/{'cat' if i % 2 else 'bee'}/{i}.png": str(i).encode() for i in range(12)}
BESIDE = [
    "notes.txt", "set/notes.TXT", "set/cat/readme.txt", ".DS_Store", "set/cat/.hidden.png",
    "__MACOSX/set/cat/._1.png", "set/__MACOSX/cat/1.tif", "set/cat/Thumbs.db", "set/desktop.ini",
    ".git/objects/1.png", "./", "/", ".", "set/", "set/empty/", "set\\windows\\",
]  # fmt: skip


@pytest.mark.parametrize("ending", import_data.PICTURES)
@pytest.mark.parametrize("form", ["{}", "./{}", "a\\b/{}", "/{}"])
@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_every_kind_of_picture_that_browsers_read_is_read(
    ending: str, form: str, case: Any
) -> None:
    names = {form.format(name.replace(".png", case(ending))): one for name, one in PETS.items()}
    files = {"pets.zip": as_zip(names)}
    images, _, classes = read(files)
    assert classes == ["bee", "cat"]
    assert images[:, 0, 0].tolist() == list(range(12))
    assert left_out(files) == ({}, {})


def test_folders_may_be_divided_by_backslashes() -> None:
    files = {name.replace("/", "\\"): octets for name, octets in PETS.items()}
    assert read({"pets.zip": as_zip(files)})[2] == ["bee", "cat"]


@pytest.mark.parametrize("beside", BESIDE)
def test_texts_and_what_systems_add_are_left_out_and_not_said(beside: str) -> None:
    files = {"pets.zip": as_zip({**PETS, beside: b""})}
    assert len(read(files)[0]) == 12
    assert left_out(files) == ({}, {})


@pytest.mark.parametrize(
    ("others", "kinds"),
    [
        (["set/cat/a.tif", "set/cat/b.TIFF", "set/bee/c.tif"], {".tif": 2, ".tiff": 1}),
        (["set/labels.csv", "LICENSE", "README.md"], {".csv": 1, "license": 1, ".md": 1}),
        (["outside.png", "set/cat/raw/1.cr2", "test/cat/1.heic"],
         {".png": 1, ".cr2": 1, ".heic": 1}),
        (["set/cat/" + "x" * 300], {"x" * 20: 1}),
    ],
)  # fmt: skip
def test_other_files_that_are_left_out_are_counted_and_said(
    others: list[str], kinds: dict[str, int]
) -> None:
    files = {"pets.zip": as_zip({**PETS, **dict.fromkeys(others, b"")})}
    assert len(read(files)[0]) == 12
    left = left_out(files)
    assert left == (kinds, {})
    [said] = hints.left_out(left)
    assert said.startswith("A file was" if len(others) == 1 else f"{len(others)} files were")
    assert all(f"{count} {kind}" in said for kind, count in kinds.items())
    assert ".jfif" in said


@pytest.mark.parametrize("beside", [{}, {"set/cat/a.tif": b"", "set/bee/b.png": b"damaged"}])
def test_folders_are_read_as_they_are_in_a_zip(beside: dict[str, bytes]) -> None:
    files = {**PETS, **dict.fromkeys(BESIDE, b""), **beside}

    def member(path: str) -> import_data.Member:
        async def load() -> bytes:
            return files[path]

        return import_data.Member(path, load)

    given = [member(path) for path in files]
    assert import_data.holds_pictures(given)
    found = asyncio.run(import_data.read("set", given, decode))
    zipped = asyncio.run(import_data.read("", {"set.zip": as_zip(files)}, decode))
    for one, other in zip(found, zipped, strict=True):
        np.testing.assert_equal(one, other)
    with pytest.raises(import_data.OwnDataError, match=r"cat: expected 2 to 10 folders .*, got 1"):
        asyncio.run(import_data.read("cat", [member("set/cat/1.png")], decode))


@pytest.mark.parametrize("form", [None, (28, 1)])
@pytest.mark.parametrize("bad", [[0], [2, 4], [1, 3, 5, 8]])
def test_pictures_that_cannot_be_read_are_left_out_and_named(form: Any, bad: list[int]) -> None:
    more = {f"set/bee/{n}.png": str(n).encode() for n in range(12, 16)}
    names, last = list(PETS), "set/cat/20.png"
    damaged = {names[n]: b"damaged" for n in bad}
    content = bytearray(as_zip({**PETS, **damaged, **more, last: b"20"}))
    content[content.index(last.encode()) + len(last)] ^= 1  # it does not fit its checksum
    files = {"pets.zip": bytes(content)}
    images, labels, classes, left = asyncio.run(import_data.read("", files, decode, form))
    found = [(classes[k], int(image[0, 0])) for k, image in zip(labels, images, strict=True)]
    whole = [("cat" if n < 12 and n % 2 else "bee", n) for n in range(16) if n not in bad]
    assert found == whole
    paths = [names[n].removeprefix("set/") for n in bad]
    assert list(left.unread) == [*paths, "cat/20.png"]
    [said] = hints.left_out(left)
    assert said.startswith(f"{len(bad) + 1} pictures cannot be read and were left out: ")
    assert ", ".join(left.unread) in said or "…" in said
    assert said.endswith(left.unread[paths[0]])


@pytest.mark.parametrize("folder", ["fox", "set/fox", "set/fox/red", "train/set/wolf"])
@pytest.mark.parametrize("file", ["1.tif", "a.b.HEIC", "1.svg", "1.xml", "readme"])
def test_a_class_without_a_picture_that_can_be_read_is_refused(folder: str, file: str) -> None:
    files = as_zip({**PETS, f"{folder}/{file}": b""})
    kind = file[file.rfind(".") :].lower() if "." in file else file
    words = rf"pets.zip: folder {folder}: expected pictures \(\.png, .*\), got 1 {kind}$"
    with pytest.raises(import_data.OwnDataError, match=words):
        read({"pets.zip": files})


@pytest.mark.parametrize(("seconds", "counted"), [(0.4, [0, 3, 6, 9, 12]), (0, [0, 12])])
@pytest.mark.parametrize("wanted", [True, False])
def test_the_pictures_that_are_read_are_counted_once_a_second_until_no_more_are_wanted(
    seconds: float, counted: list[int], wanted: bool
) -> None:
    clock = iter([100 + seconds * n for n in range(13)])
    reading = Reading(clock=lambda: next(clock))
    seen = []

    async def on_read(done: int, count: int) -> bool:
        seen.append((done, count))
        return wanted or done < count

    reading.follow(on_read)
    whole = import_data.read("", {"set.zip": as_zip(PETS)}, decode, tell=reading.tell)
    if wanted:
        assert len(asyncio.run(whole)[0]) == 12
    else:
        with pytest.raises(import_data.OwnDataError, match="stopped after 12 of 12 pictures"):
            asyncio.run(whole)
    assert seen == [(done, 12) for done in counted]


def test_files_that_were_left_out_are_said_as_long_as_the_data_are_these() -> None:
    digits = Mnist()
    data = Data(digits, lambda: None)
    left = import_data.Left({".tif": 3, ".csv": 2, ".md": 1, ".pdf": 1}, {})

    async def source(form: Any) -> Any:
        return import_data.split(IMAGES, LABELS, list("0123456789"))

    async def read(form: Any) -> Any:
        return (*await source(form), left)

    async def use() -> None:
        await data.use("pets.zip", read, convertible=True)
        said = data.hints()[0]
        assert said.startswith("7 files were left out: 3 .tif, 2 .csv, 1 .md, …. A class")
        await data.convert(28, 1)
        assert data.hints()[0] == said
        await data.use("others", source, convertible=False)
        assert not any("left out" in hint for hint in data.hints())

    asyncio.run(use())


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.bin": b"nonsense"}, "a.bin: IDX"),
        ({"a": write_idx(IMAGES)}, "expected an IDX file of images and one of labels"),
        ({"a": write_idx(IMAGES), "b": write_idx(LABELS[:5])}, "labels as images, 20, got 5"),
        ({"a": write_idx(IMAGES[:, :9]), "b": write_idx(LABELS)}, "as many rows as columns"),
        ({"a": write_idx(IMAGES), "b": write_idx(LABELS + 3)}, "expected labels from 0 to 9"),
        ({"a": write_idx(IMAGES[:3]), "b": write_idx(LABELS[:3])}, "at least 10 images, got 3"),
        ({"a.csv": b"1,2,3\n"}, "784 numbers, got 3"),
        ({"iris.csv": 2 * b"5.1,3.5,1.4,0.2,setosa\n"}, "iris.csv: expected 785 columns, .* got 5"),
        ({"data_batch_1.bin": 10 * (b"\x0b" + bytes(3072))}, "expected labels from 0 to 9"),
        ({"data_batch_1.bin": bytes(3072)}, "data_batch_1.bin: IDX"),
        ({"cat.png": b"any"}, "cat.png: give pictures in a folder for each class, or a zip of"),
        ({"a.csv": as_csv(ROWS.astype(int) + (np.arange(785) > 0))}, "line 1: .* got '256'"),
        ({"a.csv": as_csv(ROWS).replace(b",7,", b",x,")}, "a.csv: "),
        ({"a.csv": b"1,2", "b.TSV": b"1"}, "a.csv, b.TSV: expected one table at a time, got 2"),
        ({"a.zip": b"PK not really"}, "a.zip: File is not a zip file"),
        ({"a.zip": as_zip({"one/1.png": b"1"})}, "expected 2 to 10 folders of images, got 1"),
        (
            {"a.zip": as_zip({"one/1.png": b"x", "two/2.png": b"2"})},
            "folder one: .* one/1.png: invalid",
        ),
        (
            {"a.zip": as_zip({f"{k}/{n}.png": b"" for k in "ab" for n in range(9)})},
            "folder a: expected pictures that can be read, got none. a/0.png: invalid literal",
        ),
    ],
)
def test_names_the_file_that_does_not_fit(files: dict[str, bytes], message: str) -> None:
    with pytest.raises(import_data.OwnDataError, match=message):
        read(files)


def disc(side: int, colour: tuple[int, int, int]) -> np.ndarray:
    """A disc of a colour on white, on half of the width."""
    rows, columns = np.mgrid[:side, :side]
    inside = (rows - side / 2) ** 2 + (columns - side / 2) ** 2 < (side / 4) ** 2
    return np.where(inside[..., None], np.uint8(colour), np.uint8(255))


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({"class.zip": as_zip({"project.json": b"{}", "model.npz": b""})}, "Open project"),
        ({"net-tfjs (1).zip": as_zip({"model.json": b"{}", "a.bin": b""})}, "Load"),
        ({"net.npz": as_zip({"nn.json": b"{}"})}, "Load"),
        ({"net.h5": b"\x89HDF\r\n\x1a\n"}, "Load"),
        ({"net.keras": b"PK", "digits.csv": b"1,2"}, "Load"),
    ],
)
def test_a_project_or_a_model_among_the_data_is_named_with_the_button_that_opens_it(
    files: dict[str, bytes], where: str
) -> None:
    name = re.escape(next(iter(files)))
    with pytest.raises(import_data.OwnDataError, match=f"{name} holds a .*: {where}, under Models"):
        read(files)


def test_images_beside_a_file_named_as_part_of_a_model_are_data() -> None:
    pictures = {f"{kind}/{n}.png": b"9" for kind in "ab" for n in range(6)}
    assert read({"pets.zip": as_zip({**pictures, "config.json": b"{}"})})[2] == ["a", "b"]


@pytest.mark.parametrize("side", import_data.SIDES)
@pytest.mark.parametrize("colour", [(200, 0, 0), (90, 90, 90)])
def test_a_picture_of_the_images_size_stays_as_it_is(side: int, colour: Any) -> None:
    picture = disc(side, colour)
    grey = len(set(colour)) == 1
    assert import_data.suiting([picture] * 3) == (side, 1 if grey else 3)
    np.testing.assert_array_equal(import_data.framed(picture, side, 3), picture)
    ink = 255 - picture.mean(axis=2)
    np.testing.assert_allclose(import_data.framed(picture, side, 1), ink, atol=0.51)


@given(st.integers(8, 200), st.integers(8, 200), st.sampled_from(import_data.SIDES))
def test_no_picture_is_squashed(height: int, width: int, side: int) -> None:
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = 250
    image = import_data.framed(picture, side, 3)
    assert image.shape == (side, side, 3)
    assert (image == [250, 0, 0]).all(), "the rest has the colour of the border"
    picture[height // 4 : height - height // 4, width // 4 : width - width // 4] = 255
    share = (import_data.framed(picture, side, 3)[..., 1] / 255).sum() / side**2
    inner = (height - 2 * (height // 4)) * (width - 2 * (width // 4))
    whole = max(height, width) ** 2
    if min(height, width) > 8 * max(height, width) / side:  # else a border takes most of it
        assert share == pytest.approx(inner / whole, abs=0.25)


def test_keeps_a_seventh_for_the_test() -> None:
    train, test = import_data.split(IMAGES, LABELS, list("0123456789"))
    assert (len(train), len(test)) == (17, 3)
    together = np.concatenate([train.x, test.x])[..., 0]
    assert {image.tobytes() for image in together} == {image.tobytes() for image in IMAGES}
