"""Photographs as networks see them: Pillow's resampling, Keras' numbers, EXIF's rotation."""

import asyncio
import io
import os
from types import SimpleNamespace

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn import applications
from nn.applications import preprocessing, resampling
from nn.errors import ConfigError, DataError, ShapeError
from PIL import Image

NAMES = [name for name in preprocessing.NETWORKS if hasattr(keras.applications, name)]
RGB = SimpleNamespace(name="efficientnet_lite0", input_shape=(None, 32, 48, 3))


def noise(height, width):
    """A picture with edges and with soft parts."""
    rng = np.random.default_rng(height * 1000 + width)
    coarse = rng.integers(0, 256, (height // 3 + 1, width // 3 + 1, 3))
    image = np.repeat(np.repeat(coarse, 3, 0), 3, 1)[:height, :width] + rng.integers(0, 9, 3)
    return image.clip(0, 255).astype(np.uint8)


@settings(max_examples=30, deadline=None)
@given(*[st.integers(2, 90)] * 4)
def test_resampling_is_pillow_s_bicubic(height, width, rows, columns):
    """Values are rounded and clipped between the axes, and Pillow chooses which comes first."""
    image = noise(height, width)
    resized = Image.fromarray(image).resize((columns, rows), Image.Resampling.BICUBIC)
    expected = np.asarray(resized, np.float32)
    wide = resampling.resample(image, rows, columns)
    high = resampling.resample(image.swapaxes(0, 1), columns, rows).swapaxes(0, 1)
    assert min(np.abs(made - expected).max() for made in (wide, high)) <= 2


def test_every_network_s_numbers_are_keras_s():
    assert len(NAMES) == 7
    x = np.random.default_rng(0).uniform(0, 255, (2, 4, 5, 3)).astype(np.float32)
    for name in NAMES:
        expected = getattr(keras.applications, name).preprocess_input(x.copy())
        made = applications.preprocess_input(x, name)
        np.testing.assert_allclose(made, expected, atol=1e-5, err_msg=name)
    halves = applications.preprocess_input(np.uint8([0, 127, 255]))
    np.testing.assert_allclose(halves, [-127 / 128, 0, 1])


@pytest.mark.parametrize("name", ["mobilenetv2_1.00_224", "MobileNetV3Small", "resnet50v2"])
def test_models_are_known_by_the_names_that_keras_gives_them(name):
    assert preprocessing.of(SimpleNamespace(name=name)) in preprocessing.NETWORKS.values()


def test_unknown_networks_and_images_without_colours_are_refused():
    with pytest.raises(ConfigError, match=r"expected one of efficientnet_lite0, .*'lenet'"):
        applications.preprocess_input(np.zeros((2, 2, 3)), "lenet")
    with pytest.raises(ShapeError, match=r"expected RGB \(..., 3\), received \(28, 28\)"):
        applications.preprocess_input(np.zeros((28, 28)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_file_is_turned_as_its_exif_data_say(orientation):
    upright = Image.fromarray(noise(32, 48))
    # What a camera stores that was held so: PNG keeps every pixel.
    undone = {1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
              4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
              6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
              8: Image.Transpose.ROTATE_270}[orientation]  # fmt: skip
    stored = upright if undone is None else upright.transpose(undone)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    stored.save(file, "WEBP", lossless=True, exif=exif)
    made = asyncio.run(applications.load_image(file.getvalue(), RGB))
    expected = asyncio.run(applications.load_image(np.asarray(upright), RGB))
    np.testing.assert_array_equal(made, expected)


def test_the_middle_is_kept_in_the_proportions_of_the_input():
    image = np.zeros((64, 200, 3), np.uint8)
    image[:, 58:142] = 255  # 7 / 8 of what has the proportions 48 : 32 is 84 columns wide
    made = asyncio.run(applications.load_image(image, RGB))
    assert made.shape == (1, 32, 48, 3)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, 1)


def test_grey_and_transparent_pixels_become_colours():
    grey = asyncio.run(applications.load_image(np.full((40, 40), 255, np.uint8), RGB))
    clear = asyncio.run(applications.load_image(np.full((40, 40, 4), 255, np.uint8), RGB))
    np.testing.assert_array_equal(grey, clear)


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (np.zeros((8, 8, 3)), ShapeError, "expected uint8 pixels .* received float64"),
        (np.zeros((2, 8, 8, 3), np.uint8), ShapeError, r"received uint8 \(2, 8, 8, 3\)"),
        (b"GIF89a is no picture", DataError, "image"),
        (object(), DataError, "expected pixels, bytes or a path, received object"),
    ],
)
def test_what_is_no_image_is_said(image, error, message):
    with pytest.raises(error, match=message):
        asyncio.run(applications.load_image(image, RGB))
