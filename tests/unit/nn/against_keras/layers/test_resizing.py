"""Resizing with every setting of Keras', on floats and on whole numbers."""

from __future__ import annotations

from itertools import product
from typing import Any

import keras
import nn
import numpy as np
import pytest

from tests.unit.nn.against_keras.oracle import compare

KINDS = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")
RATIOS: list[dict[str, Any]] = [
    {},
    {"crop_to_aspect_ratio": True},
    {"pad_to_aspect_ratio": True},
    {"pad_to_aspect_ratio": True, "fill_value": 2.25},
]
RNG = np.random.default_rng(8)
IMAGES = RNG.normal(size=(2, 12, 7, 3))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("interpolation", KINDS)
def test_resizes_as_keras_with_every_setting(interpolation: str, antialias: bool) -> None:
    for ratio, (height, width) in product(RATIOS, [(5, 9), (20, 3)]):
        given = {"height": height, "width": width, **ratio}
        settings = {"interpolation": interpolation, "antialias": antialias, **given}
        compare("Resizing", settings, IMAGES)
    compare("Resizing", {"data_format": "channels_first", **settings}, IMAGES)


WHOLE = RNG.integers(0, 256, (2, 12, 7, 3))


def expect_near(ours: Any, theirs: Any) -> None:
    """Expect whole numbers that are equal, but where a value is halfway between two of them."""
    off = np.abs(np.asarray(ours, float) - np.asarray(theirs, float))
    assert set(np.unique(off)) <= {0.0, 1.0}
    assert np.mean(off) < 0.03


@pytest.mark.parametrize("kind", ["uint8", "int16", "int32"])
def test_resized_whole_numbers_are_those_of_keras(kind: str) -> None:
    x = WHOLE.astype(kind)
    for interpolation, ratio in product(KINDS, RATIOS):
        settings = {"height": 5, "width": 9, "interpolation": interpolation, **ratio}
        ours, theirs = (m.Resizing(**settings)(x) for m in (nn.layers, keras.layers))
        assert str(ours.dtype) == str(theirs.dtype) == kind
        expect_near(ours, theirs)


def test_an_input_of_whole_numbers_is_resized_to_such_in_a_graph() -> None:
    x, settings = WHOLE.astype("uint8"), {"height": 5, "width": 9}
    ours, theirs = (
        m.Sequential([m.layers.Input((12, 7, 3), dtype="uint8"), m.layers.Resizing(**settings)])
        for m in (nn, keras)
    )
    expect_near(ours.predict_on_batch(x), theirs.predict_on_batch(x))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "to crop or to pad"),
        ({"dtype": "uint8"}, "in floats, received .*'uint8'"),
        ({"fill_mode": "reflect"}, "fill_mode to be one of"),
        ({"interpolation": "area"}, "interpolation to be one of"),
    ],
)
def test_settings_that_do_not_fit_are_refused_by_name(settings: Any, said: str) -> None:
    with pytest.raises(nn.errors.ConfigError, match=said):
        nn.Resizing(2, 3, **settings)
