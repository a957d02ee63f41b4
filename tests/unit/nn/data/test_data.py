"""Data files: what is read, and the error of each kind of damage."""

from __future__ import annotations

import gzip
import io
import struct
import sys
import zipfile
import zlib
from typing import Any

import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from nn import data, errors
from nn.data import resizing
from nn.data.loading.png import SIGNATURE
from PIL import Image


def png(pixels: Any, kind: int, palette: bytes = b"") -> bytes:
    """Return a PNG whose rows use the five filters in turn."""
    height, width, channels = pixels.shape
    raw, above = b"", np.zeros((width, channels), int)
    for y, row in enumerate(pixels.astype(int)):
        left = np.vstack([np.zeros((1, channels), int), row[:-1]])
        corner = np.vstack([np.zeros((1, channels), int), above[:-1]])
        p = left + above - corner
        pa, pb, pc = abs(p - left), abs(p - above), abs(p - corner)
        paeth = np.where((pa <= pb) & (pa <= pc), left, np.where(pb <= pc, above, corner))
        guess = [0 * row, left, above, (left + above) // 2, paeth][y % 5]
        raw += bytes([y % 5]) + ((row - guess) & 255).astype(np.uint8).tobytes()
        above = row

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))
    colours = chunk(b"PLTE", palette) if palette else b""
    return SIGNATURE + head + colours + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "IDX decoded from bytes, damage named",
)
@settings(derandomize=True, max_examples=30, deadline=None)
@given(
    array=arrays.arrays(
        st.sampled_from(["u1", "i1", "i2", "i4", "f4", "f8"]),
        arrays.array_shapes(max_dims=4, max_side=5),
        elements={"allow_nan": False},
    ),
    packed=st.booleans(),
)
def test_reads_back_any_idx(array: Any, packed: bool) -> None:
    raw = data.write_idx(array)
    again = data.parse_idx(gzip.compress(raw) if packed else raw)
    assert again.dtype == array.dtype
    assert np.array_equal(again, array)


IDX = data.write_idx(np.arange(12, dtype=np.uint8).reshape(2, 2, 3))


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "IDX decoded from bytes, damage named",
)
@pytest.mark.parametrize(
    ("raw", "error", "match"),
    [
        (b"", errors.EmptyError, "0 bytes"),
        (b"\x00\x00", errors.TruncatedError, "header of 4 bytes"),
        (b"<html>404</html>", errors.MagicError, "expected magic"),
        (IDX[:7], errors.TruncatedError, "header of 16 bytes, received 7"),
        (IDX[:-1], errors.TruncatedError, r"declares 12 bytes .* received 11"),
        (IDX + b"x", errors.TruncatedError, "received 13"),
        (gzip.compress(IDX, mtime=0)[:-9], errors.TruncatedError, "gzip"),
        (b"\x1f\x8b" + bytes(20), errors.TruncatedError, "gzip"),
        (struct.pack(">BBBB2I", 0, 0, 8, 2, 1 << 31, 1 << 31), errors.TooLargeError, "at most"),
    ],
)
def test_names_what_is_wrong_with_an_idx_file(raw: bytes, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        data.parse_idx(raw)


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "IDX decoded from bytes, damage named",
)
def test_names_an_idx_file_of_another_rank() -> None:
    with pytest.raises(errors.MagicError, match=r"0x00000801 .1 axes., received 0x00000803"):
        data.parse_idx(IDX, rank=1)


@pytest.mark.parametrize(("kind", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_reads_png_with_every_filter(kind: int, channels: int) -> None:
    pixels = np.random.default_rng(kind).integers(0, 256, (11, 7, channels), dtype=np.uint8)
    assert np.array_equal(data.parse_png(png(pixels, kind)), pixels)


def test_reads_png_with_a_palette() -> None:
    index = np.array([[[0], [1]], [[1], [1]]], np.uint8)
    image = data.parse_png(png(index, 3, bytes([1, 2, 3, 4, 5, 6])))
    assert image.tolist() == [[[1, 2, 3], [4, 5, 6]], [[4, 5, 6], [4, 5, 6]]]


def test_refuses_a_png_that_is_cut_off_damaged_or_something_else() -> None:
    whole = png(np.zeros((3, 3, 1), np.uint8), 0)
    for broken in (whole[:-5], whole[:45] + b"?" + whole[46:]):
        with pytest.raises(errors.TruncatedError):
            data.parse_png(broken)
    with pytest.raises(errors.MagicError):
        data.parse_png(b"GIF89a")


def test_reads_folders_of_images_from_a_zip() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("set/cat/1.png", png(np.full((4, 4, 3), 255, np.uint8), 2))
        archive.writestr("set/ant/1.png", png(np.zeros((2, 2, 1), np.uint8), 0))
        archive.writestr("__MACOSX/cat/1.png", b"junk")
    found = data.parse_image_zip(file.getvalue())
    assert found.class_names == ["ant", "cat"]
    assert found.x.shape == (2, 4, 4, 1)
    assert found.y.tolist() == [1, 0]
    assert found.class_counts() == [1, 1]
    assert found.x[0].min() == 255
    with pytest.raises(errors.MagicError, match="zip"):
        data.parse_image_zip(b"no zip")


def folder_zip(**files: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, body in files.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), body)
    return file.getvalue()


def photograph(kind: str) -> tuple[bytes, Any]:
    """Return a smooth picture as a file written by Pillow, and its pixels."""
    y, x = np.mgrid[:24, :32]
    pixels = np.stack([4 * x + y, 255 - 5 * y, 100 + 2 * x + 2 * y], axis=-1).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, quality=95)
    return file.getvalue(), pixels


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "BMP"])
def test_reads_photographs_where_pillow_is_installed(kind: str) -> None:
    body, pixels = photograph(kind)
    name = {"JPEG": "cat__1_jpg", "WEBP": "cat__1_webp", "BMP": "cat__1_bmp"}[kind]
    found = data.parse_image_zip(folder_zip(**{name: body}), channels=3)
    assert found.x.shape == (1, 24, 32, 3)
    assert np.abs(found.x[0].astype(int) - pixels).mean() < 3


def test_reads_png_of_other_kinds_where_pillow_is_installed() -> None:
    deep = np.arange(0, 65536, 4096, dtype=np.uint16).reshape(4, 4)
    file = io.BytesIO()
    Image.fromarray(deep).save(file, "PNG")
    with pytest.raises(errors.DataError, match="received 16 bits"):
        data.parse_png(file.getvalue())
    assert data.parse_image_zip(folder_zip(a__1_png=file.getvalue())).x.shape == (1, 4, 4, 1)


def test_without_pillow_a_photograph_wants_a_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    body, pixels = photograph("JPEG")
    monkeypatch.setitem(sys.modules, "PIL", None)
    packed = folder_zip(cat__1_jpg=body)
    with pytest.raises(errors.DataError, match=r"cat/1.jpg: .*or a decoder="):
        data.parse_image_zip(packed)
    found = data.parse_image_zip(packed, channels=3, decoder=lambda body: pixels)
    assert np.array_equal(found.x[0], pixels)
    assert found.class_names == ["cat"]


@pytest.mark.asyncio
async def test_a_decoder_may_be_async_as_a_browsers_are() -> None:
    seen: list[bytes] = []

    async def decoder(body: bytes) -> Any:
        seen.append(body)
        return np.full((2, 3), len(seen), np.uint8)

    packed = folder_zip(a__1_jpg=b"one", b__1_gif=b"two")
    found = await data.read_image_zip(packed, decoder=decoder)
    assert seen == [b"one", b"two"]
    assert found.x.shape == (2, 2, 3, 1)
    assert [x.max() for x in found.x] == [1, 2]
    with pytest.raises(errors.DataError, match=r"a/1.jpg: .* await read_image_zip"):
        data.parse_image_zip(packed, decoder=decoder_of(np.zeros((1, 1), np.uint8)))
    with pytest.raises(errors.DataError, match=r"a/1.jpg: decoder: expected uint8 pixels"):
        data.parse_image_zip(packed, decoder=lambda body: np.zeros((2, 2)))


def decoder_of(pixels: Any) -> Any:
    """Return a decoder whose result is a future rather than a coroutine."""

    class Later:
        def __await__(self) -> Any:
            yield from ()
            return pixels

    return lambda body: Later()


def test_damaged_photographs_and_those_that_are_too_large_are_named() -> None:
    body, _ = photograph("JPEG")
    for broken in (body[: len(body) // 2], b"no picture"):
        with pytest.raises(errors.DataError, match=r"cat/1\.jpg: image: "):
            data.parse_image_zip(folder_zip(cat__1_jpg=broken))
    file = io.BytesIO()
    Image.new("1", (10_000, 2_000)).save(file, "BMP")
    with pytest.raises(errors.DataError, match="expected at most 67108864 bytes of pixels"):
        data.parse_image_zip(folder_zip(cat__1_bmp=file.getvalue()))


def test_reads_csv_with_names_as_labels() -> None:
    table = data.parse_csv("length,width,kind\n1,2,b\n3,4.5,a\n", label="kind")
    assert table.x.tolist() == [[1, 2], [3, 4.5]]
    assert table.y.tolist() == [1, 0]
    assert data.parse_csv(b"0,1,7\n2,3,9\n").y.tolist() == [7, 9]
    with pytest.raises(errors.DataError, match="row 2: expected 3 cells, received 2"):
        data.parse_csv("1,2,3\n4,5\n")
    with pytest.raises(errors.DataError, match="expected a number, received 'x' in cell 1"):
        data.parse_csv("1,2,3\nx,5,6\n")
    with pytest.raises(errors.EmptyError):
        data.parse_csv("a,b\n")


def test_augments_differently_each_time_and_repeats_by_seed() -> None:
    images = np.zeros((6, 9, 9, 1), np.uint8)
    images[:, 4, 4] = 255
    plain = nn.Dataset(images, np.arange(6))
    same = data.Augmented(plain, 6, seed=1)
    x, y = next(iter(same))
    assert np.allclose(x, images[y] / 255, atol=1e-5)
    options = {"shift": 0.2, "rotate": 20, "zoom": 0.1, "noise": 0.01, "seed": 2}
    first, second = (next(iter(data.Augmented(plain, 4, **options)))[0] for _ in range(2))
    assert first.shape == (4, 9, 9, 1)
    assert np.array_equal(first, second)
    assert not np.allclose(first[0], first[1], atol=0.1)


def read_between(image: Any, row: float, column: float) -> Any:
    """Return the bilinear value of an image at a position, zero outside."""
    found = np.zeros(image.shape[2])
    for i in (int(np.floor(row)), int(np.floor(row)) + 1):
        for j in (int(np.floor(column)), int(np.floor(column)) + 1):
            if 0 <= i < image.shape[0] and 0 <= j < image.shape[1]:
                found += image[i, j] * (1 - abs(row - i)) * (1 - abs(column - j))
    return found


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.6), st.floats(0, 90), st.floats(0, 0.5))
@settings(max_examples=15, deadline=None)
def test_augments_as_a_loop_over_pixels_does(
    seed: int, shift: float, rotate: float, zoom: float
) -> None:
    n, h, w = 3, 9, 7
    images = np.random.default_rng(seed).random((n, h, w, 2)).astype(np.float32)
    changed = data.Augmented(
        nn.Dataset(images), n, shift=shift, rotate=rotate, zoom=zoom, seed=seed
    )
    rng = np.random.default_rng(seed)
    turn, scale = np.deg2rad(rng.uniform(-rotate, rotate, n)), rng.uniform(1 - zoom, 1 + zoom, n)
    move = rng.uniform(-shift, shift, (2, n)) * [[h], [w]]
    wanted = np.zeros_like(images)
    for k, i, j in np.ndindex(n, h, w):
        y, x = i - (h - 1) / 2, j - (w - 1) / 2
        row = (np.cos(turn[k]) * y - np.sin(turn[k]) * x) / scale[k] + (h - 1) / 2 - move[0, k]
        column = (np.sin(turn[k]) * y + np.cos(turn[k]) * x) / scale[k] + (w - 1) / 2 - move[1, k]
        wanted[k, i, j] = read_between(images[k], row, column)
    np.testing.assert_allclose(changed.apply(images), wanted, atol=2e-5)


def test_an_augmented_data_set_changes_bytes_within_their_range_and_is_not_split() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 9, 9, 1)).astype(np.uint8)
    plain = nn.Dataset(images, np.arange(5), scale=2 / 255, offset=-1)
    changes = {"shift": 0.2, "rotate": 20.0, "noise": 0.5}
    changed = data.AugmentedDataset(plain, **changes, seed=3)
    rows = np.array([4, 1])
    out = changed.batch(rows, np.empty((2, 9, 9, 1), np.float32))
    scaled = plain.batch(rows, np.empty((2, 9, 9, 1), np.float32))
    wanted = np.clip(data.Augmented(plain, **changes, seed=3).apply(scaled), -1, 1)
    assert np.array_equal(out, wanted)
    assert (out == -1).any()
    assert (out == 1).any()
    assert changed.labels(rows).tolist() == [4, 1]
    with pytest.raises(errors.ConfigError, match="slice its source"):
        changed.take(2)
    floats = data.AugmentedDataset(nn.Dataset(images + 0.5), noise=900.0, seed=3)
    assert floats.batch(rows, np.empty((2, 9, 9, 1), np.float32)).max() > 256


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Resizing as TensorFlow.js does it",
)
@pytest.mark.promise(
    "Earlier work: models in production",
    "Bilinear resizing, scaling by 1/255, the batch axis",
)
def test_resizes_as_tensorflow_js_does_by_default() -> None:
    image = np.arange(4, dtype=np.float32).reshape(2, 2, 1)
    # align_corners=False, half_pixel_centers=False: positions 0, .5, 1, 1.5 (clipped to 1).
    assert data.resize(image, 4, 4)[..., 0].tolist() == [
        [0, 0.5, 1, 1],
        [1, 1.5, 2, 2],
        [2, 2.5, 3, 3],
        [2, 2.5, 3, 3],
    ]


SIDES = st.integers(1, 20)


@pytest.mark.parametrize("halves", [False, True])
@pytest.mark.parametrize("kind", ["nearest", "bilinear"])
@given(given=st.data(), height=SIDES, width=SIDES, target=st.tuples(SIDES, SIDES))
def test_resizing_gives_what_the_matrices_of_both_axes_give(
    given: Any, height: int, width: int, target: tuple[int, int], kind: str, halves: bool
) -> None:
    dtype = given.draw(st.sampled_from(["u1", "f4", "f8", "i8"]))
    lead = given.draw(st.sampled_from([(), (1,), (3,)]))
    shape = (*lead, height, width, given.draw(st.integers(1, 4)))
    images = np.random.default_rng(1).integers(0, 255, shape).astype(dtype)
    rows, columns = (
        resizing.matrix(size, to, kind, half_pixel_centers=halves)
        for size, to in zip((height, width), target, strict=True)
    )
    want = np.einsum("ih,jw,...hwc->...ijc", rows, columns, images.astype(np.float32))
    got = data.resize(images, *target, kind, half_pixel_centers=halves)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-4)


@pytest.mark.promise(
    "Earlier work: models in production",
    "Bilinear resizing, scaling by 1/255, the batch axis",
)
def test_scales_uint8_batches_and_keeps_the_images_small() -> None:
    x = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    dataset = nn.Dataset(x, [0, 1, 1])
    out = dataset.batch(np.array([2, 0]), np.empty((2, 2, 2, 1), np.float32))
    assert dataset.x.dtype == np.uint8
    assert np.allclose(out[..., 0], x[[2, 0]] / 255)
    assert dataset.class_counts() == [1, 2]
    with pytest.raises(errors.ShapeError, match="as many labels as samples"):
        nn.Dataset(x, [0])
