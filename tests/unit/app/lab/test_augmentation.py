"""Training images that change: as far as said, the same by seed, and from where a run was cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from app.lab import augmentation
from nn.data import Dataset

OFF = {"shift": 0, "rotate": 0, "zoom": 0, "noise": 0}


def source() -> Dataset:
    images = np.zeros((8, 28, 28, 1), np.uint8)
    images[:, 10:18, 12:16] = 255
    return Dataset(images, np.arange(8, dtype=np.uint8), scale=1 / 255)


def batches(choice: dict[str, int], seed: int, count: int = 3) -> list[Any]:
    data = augmentation.changed(source(), choice, seed)
    out = np.empty((8, 28, 28, 1), np.float32)
    return [data.batch(np.arange(8), out).copy() for _ in range(count)]


def middle(images: Any) -> Any:
    """Rows and columns of each image's centre of mass."""
    mass = images.sum(axis=(1, 2, 3))
    places = np.arange(28)
    rows = (images.sum(axis=(2, 3)) @ places) / mass
    return rows, (images.sum(axis=(1, 3)) @ places) / mass


def test_all_switches_off_leave_the_images_as_they_are() -> None:
    [found] = batches(OFF, 0, 1)
    np.testing.assert_allclose(found, source().x / 255, atol=1e-6)


def test_shift_moves_by_so_many_pixels_at_most_and_keeps_the_ink() -> None:
    for images in batches(OFF | {"shift": 3}, 1, 20):
        rows, columns = middle(images)
        assert np.abs(rows - 13.5).max() <= 3.001
        assert np.abs(columns - 13.5).max() <= 3.001
        np.testing.assert_allclose(images.sum(axis=(1, 2, 3)), 32, rtol=1e-4)
    assert np.abs(rows - 13.5).max() > 0.5


def test_rotate_turns_a_standing_bar_about_the_middle() -> None:
    [images] = batches(OFF | {"rotate": 45}, 1, 1)
    rows, columns = middle(images)
    np.testing.assert_allclose([rows, columns], 13.5, atol=0.05)
    places = np.arange(28) - 13.5
    tilt = np.einsum("nij,i,j->n", images[..., 0], places, places)
    assert tilt.min() < -20
    assert tilt.max() > 20


def test_zoom_changes_how_much_ink_there_is() -> None:
    [images] = batches(OFF | {"zoom": 30}, 1, 1)
    ink = images.sum(axis=(1, 2, 3))
    assert 32 * 0.7**2 - 1 <= ink.min() < 30
    assert 34 < ink.max() <= 32 * 1.3**2 + 1


def test_noise_leaves_values_that_an_image_can_have() -> None:
    [images] = batches(OFF | {"noise": 20}, 1, 1)
    assert images.min() == 0
    assert images.max() == 1
    assert images[:, :8].std() == pytest.approx(0.2 * np.sqrt((1 - 1 / np.pi) / 2), rel=0.05)


def test_batches_differ_from_each_other_and_repeat_by_seed() -> None:
    choice = {"shift": 2, "rotate": 10, "zoom": 10, "noise": 10}
    first = [images.tobytes() for images in batches(choice, 1)]
    assert len(set(first)) == 3
    assert [images.tobytes() for images in batches(choice, 1)] == first
    assert [images.tobytes() for images in batches(choice, 2)] != first


def test_goes_on_from_a_kept_state_to_the_bit() -> None:
    choice = {"shift": 2, "rotate": 10, "zoom": 10, "noise": 10}
    out = np.empty((8, 28, 28, 1), np.float32)
    first = augmentation.changed(source(), choice, 1)
    first.batch(np.arange(8), out)
    state = first.get_state()
    wanted = first.batch(np.arange(8), out).copy()
    second = augmentation.changed(source(), choice, 99)
    second.set_state(state)
    np.testing.assert_array_equal(second.batch(np.arange(8), out), wanted)


def test_variations_begin_with_the_image_itself() -> None:
    images = source().x[:2, ..., 0]
    found = augmentation.variations(images, OFF | {"shift": 2}, 4, 0)
    assert found.shape == (10, 28, 28)
    np.testing.assert_array_equal(found[[0, 5]], images)
    assert len({way.tobytes() for way in found[1:5]}) == 4
