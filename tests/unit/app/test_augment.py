"""Training images that move: as far as said, nothing lost on the way, the same by seed."""

from __future__ import annotations

import numpy as np
from app.lab import augment
from hypothesis import given
from hypothesis import strategies as st
from nn.data import Dataset

moves = st.integers(-augment.REACH, augment.REACH)


@given(moves, moves, st.integers(0, 2**32 - 1))
def test_moves_an_image_as_a_loop_over_its_pixels_does(down: int, right: int, seed: int) -> None:
    image = np.random.default_rng(seed).random((1, 7, 9, 1), np.float32)
    wanted = np.zeros_like(image)
    for row in range(7):
        for column in range(9):
            if 0 <= row - down < 7 and 0 <= column - right < 9:
                wanted[0, row, column] = image[0, row - down, column - right]
    np.testing.assert_array_equal(augment.move(image, np.array([[down, right]])), wanted)


def test_each_image_of_a_batch_moves_by_itself() -> None:
    images = np.zeros((2, 5, 5, 1), np.float32)
    images[:, 2, 2] = 1
    moved = augment.move(images, np.array([[1, 0], [0, -2]]))
    assert moved[0, 3, 2, 0] == moved[1, 2, 0, 0] == 1
    assert moved.sum() == 2


def source() -> Dataset:
    images = np.zeros((8, 28, 28, 1), np.uint8)
    images[:, 10:18, 10:18] = 255
    return Dataset(images, np.arange(8, dtype=np.uint8), scale=1 / 255)


def batches(seed: int) -> list[bytes]:
    data = augment.Shifted(source(), seed)
    out = np.empty((8, 28, 28, 1), np.float32)
    return [data.batch(np.arange(8), out).tobytes() for _ in range(3)]


def test_batches_differ_from_each_other_and_repeat_by_seed() -> None:
    first = batches(1)
    assert len(set(first)) == 3
    assert batches(1) == first
    assert batches(2) != first


def test_what_stays_inside_keeps_all_its_ink() -> None:
    out = np.empty((8, 28, 28, 1), np.float32)
    filled = augment.Shifted(source(), 0).batch(np.arange(8), out)
    np.testing.assert_allclose(filled.sum(axis=(1, 2, 3)), 64, rtol=1e-6)
