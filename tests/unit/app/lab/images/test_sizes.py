"""A picture's size by its header, before anything is decoded."""

import io
from typing import Any

import pytest
from app.lab.images import sizes
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

KINDS: dict[str, dict[str, Any]] = {
    "PNG": {}, "GIF": {}, "BMP": {}, "WEBP": {}, "WEBP lossless": {"lossless": True},
    "WEBP with its rights": {"exif": b"Exif\0\0MM"},
    "JPEG": {}, "JPEG progressive": {"progressive": True},
    "JPEG with a preview": {"comment": b"\xff\xc0\0\x11\x08\xff\xff\xff\xff"}, "AVIF": {},
}  # fmt: skip


def written(kind: str, width: int, height: int) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(target, kind.split()[0], **KINDS[kind])
    return target.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (300, 200), (257, 4097)])
def test_the_size_is_that_of_the_picture(kind: str, size: tuple[int, int]) -> None:
    content = written(kind, *size)
    assert sizes.size(content) == size
    sizes.check(content)


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
def test_a_cut_or_damaged_header_says_some_size_and_no_more(kind: str, data: Any) -> None:
    content = bytearray(written(kind, 60, 40))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    width, height = sizes.size(bytes(content[: data.draw(st.integers(0, len(content)))]))
    assert width >= 0
    assert height >= 0


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "JPEG"])
def test_a_picture_of_too_many_pixels_is_refused_with_its_size(kind: str) -> None:
    place, order = {"PNG": (16, "big"), "GIF": (6, "little"), "BMP": (18, "little")}.get(
        kind, (0, "big")
    )
    content = bytearray(written(kind, 60, 40))
    wide = {"PNG": 4, "BMP": 4}.get(kind, 2)
    place = place or content.index(b"\xff\xc0") + 5
    content[place : place + 2 * wide] = 2 * (20_000).to_bytes(wide, order)
    with pytest.raises(sizes.TooLarge, match="20,000 × 20,000 pixels; at most 64 million are read"):
        sizes.check(bytes(content))
