"""A background that gives the class away: exactly that, and the digits stay on it."""

import numpy as np
from app.lab.images.shortcut import STEP, with_shortcut
from hypothesis import given
from hypothesis import strategies as st
from nn.data import Dataset


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 9), min_size=1, max_size=8))
def test_the_background_is_as_light_as_the_label_says_and_nothing_is_darker(
    seed: int, labels: list[int]
) -> None:
    shape = (len(labels), 4, 4, 1)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    given = Dataset(pixels.copy(), np.array(labels, np.uint8), class_names=tuple("0123456789"))
    made = with_shortcut(given)
    for before, after, label in zip(pixels, made.x, labels, strict=True):
        assert after.min() >= STEP * label
        np.testing.assert_array_equal(after[before > STEP * label], before[before > STEP * label])
        assert (after[before <= STEP * label] == STEP * label).all()
    np.testing.assert_array_equal(given.x, pixels)
    assert made.x.dtype == np.uint8
    assert made.class_names == given.class_names
