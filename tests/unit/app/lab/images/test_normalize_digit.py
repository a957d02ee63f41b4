"""A drawing becomes an image as MNIST has them."""

import numpy as np
import pytest
from app.lab.images import normalize_digit
from hypothesis import given
from hypothesis import strategies as st


def stroke(height: int, width: int, top: int, left: int, size: int = 140) -> normalize_digit.Image:
    ink = np.zeros((size, size), np.uint8)
    ink[top : top + height, left : left + width] = 255
    return ink


def centre_of_mass(image: normalize_digit.Image) -> tuple[float, float]:
    rows, columns = np.indices(image.shape)
    mass = image.sum(dtype=float)
    return float((image * rows).sum() / mass), float((image * columns).sum() / mass)


def test_an_empty_drawing_is_no_digit() -> None:
    assert normalize_digit.from_drawing(np.zeros((140, 140), np.uint8)) is None
    assert (
        normalize_digit.from_drawing(np.full((140, 140), normalize_digit.INK - 1, np.uint8)) is None
    )


@pytest.mark.promise("Earlier work: a network trained in a worker", "The drawing as 28 x 28 ink")
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 50), st.integers(0, 50))
def test_any_block_fills_the_box_and_sits_in_the_middle(
    h: int, w: int, top: int, left: int
) -> None:
    image = normalize_digit.from_drawing(stroke(h, w, top, left))
    assert image is not None
    rows, columns = np.nonzero(image)
    extent = (np.ptp(rows) + 1, np.ptp(columns) + 1)
    assert max(extent) == normalize_digit.BOX
    assert extent[0] == max(1, round(h * normalize_digit.BOX / max(h, w)))
    assert np.allclose(centre_of_mass(image), 13.5, atol=0.51)
    assert image.max() == 255


@given(st.integers(0, 40), st.integers(0, 40))
def test_where_it_is_drawn_does_not_matter(top: int, left: int) -> None:
    seven = np.zeros((140, 140), np.uint8)
    seven[10:20, 10:70] = 255
    seven[20:100, 50:62] = 255
    moved = np.roll(seven, (top, left), axis=(0, 1))
    np.testing.assert_array_equal(
        normalize_digit.from_drawing(seven), normalize_digit.from_drawing(moved)
    )


@given(st.integers(1, 300), st.integers(1, 40))
def test_area_weights_are_shares_of_every_pixel(source: int, target: int) -> None:
    weights = normalize_digit.area_weights(source, target)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(weights.sum(axis=0), target / source, rtol=1e-4)


def test_halving_averages_pairs() -> None:
    np.testing.assert_allclose(
        normalize_digit.area_weights(4, 2), [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]
    )


def test_an_off_centre_mass_moves_the_box() -> None:
    """A 'b'-like shape, heavy below, moves up, as NIST's digits were moved."""
    ink = stroke(80, 10, 10, 10)
    ink[60:90, 10:60] = 255
    image = normalize_digit.from_drawing(ink)
    assert image is not None
    assert np.allclose(centre_of_mass(image), 13.5, atol=0.6)
    assert np.flatnonzero(image.any(axis=1))[0] < 4


def test_the_alpha_channel_is_the_ink() -> None:
    pixels = np.arange(2 * 3 * 4, dtype=np.uint8)
    np.testing.assert_array_equal(normalize_digit.from_rgba(pixels, 3), [[3, 7, 11], [15, 19, 23]])


def test_says_what_it_expected() -> None:
    with pytest.raises(ValueError, match=r"expected a uint8 matrix, got float64 of shape \(2, 2\)"):
        normalize_digit.from_drawing(np.zeros((2, 2)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected rows of 5 RGBA pixels, got 24 bytes"):
        normalize_digit.from_rgba(np.zeros(24, np.uint8), 5)
