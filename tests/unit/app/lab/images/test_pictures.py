"""RGBA bytes for the canvases."""

import numpy as np
from app.lab.images import pictures


def test_a_mosaic_lays_tiles_row_by_row() -> None:
    images = np.arange(3, dtype=np.uint8).repeat(4).reshape(3, 2, 2) + 1
    rgba = pictures.mosaic(images, columns=2)
    assert rgba.shape == (4, 4, 4)
    np.testing.assert_array_equal(
        rgba[..., 3], [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 0, 0], [3, 3, 0, 0]]
    )
    assert not rgba[..., :3].any()


def test_signed_values_get_the_colour_of_their_sign() -> None:
    rgba = pictures.signed(np.array([[-2.0, 1.0]], np.float32))
    assert tuple(rgba[0, 0]) == (*pictures.NEGATIVE, 255)
    assert tuple(rgba[0, 1]) == (*pictures.POSITIVE, 128)


def test_an_activation_runs_from_paper_to_ink() -> None:
    rgba = pictures.activation(np.array([[-1.0, 0.0, 1.0]], np.float32))
    assert rgba[0, :, 3].tolist() == [0, 128, 255]
    assert not pictures.activation(np.zeros((2, 2), np.float32)).any()
