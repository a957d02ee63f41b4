"""Normalization adapted to data, against Keras 3: statistics, values, files."""

from __future__ import annotations

from typing import Any

import keras
import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.data import Dataset

from tests.unit.nn.against_keras.oracle import compare

RNG = np.random.default_rng(4)
DATA = RNG.normal(3, 2, size=(50, 4, 3)).astype(np.float32)
AXES = [-1, 1, 2, (1, 2), [2, 1], (-1,), None]


def same(ours: Any, theirs: Any, x: Any) -> None:
    received = [v.numpy() for v in ours.variables]
    expected = [np.asarray(v) for v in theirs.variables]
    for a, b in zip(received, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("invert", [False, True])
def test_adapts_along_any_axis_as_keras(axis: Any, invert: bool) -> None:
    ours = nn.Normalization(axis, invert=invert)
    theirs = keras.layers.Normalization(axis, invert=invert)
    ours.adapt(DATA)
    theirs.adapt(DATA)
    same(ours, theirs, DATA[:5])
    ours.adapt(DATA[:20] + 1)  # again, from nothing
    theirs.adapt(DATA[:20] + 1)
    same(ours, theirs, DATA[:5])


@settings(settings.get_profile("oracles"), max_examples=10)
@given(st.lists(st.integers(1, 49), max_size=3, unique=True), st.sampled_from(AXES))
def test_batches_give_the_statistics_of_all_data(cuts: list[int], axis: Any) -> None:
    batches = np.split(DATA, sorted(cuts))
    whole, parts, pairs = (nn.Normalization(axis) for _ in range(3))
    theirs = keras.layers.Normalization(axis)
    whole.adapt(DATA)
    parts.adapt(iter(batches))
    pairs.adapt([(batch, np.zeros(len(batch))) for batch in batches])
    theirs.adapt(DATA)  # Keras takes batches only where TensorFlow is
    same(parts, theirs, DATA[:5])
    for a, b, c in zip(*(la.get_weights() for la in (whole, parts, pairs)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
        assert np.array_equal(b, c)


def test_adapts_to_a_data_set_of_images_and_to_lists() -> None:
    images = RNG.integers(0, 256, (300, 5, 4), dtype=np.uint8)
    layer, expected = nn.Normalization(None), images / 255
    layer.adapt(Dataset(images))
    np.testing.assert_allclose(layer.get_weights()[0], expected.mean(), rtol=1e-6)
    np.testing.assert_allclose(layer.get_weights()[1], expected.var(), rtol=1e-5)
    layer = nn.Normalization()
    layer.adapt(DATA[:, 0].tolist())
    np.testing.assert_allclose(layer.get_weights()[0], DATA[:, 0].mean(axis=0), rtol=1e-6)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("axis", "shape"), [((1, 2), (4, 3)), ((1, 2), (3,)), ((1, 2), ()), ((1, 3), (4, 1))], ids=str
)
@pytest.mark.parametrize("invert", [False, True])
def test_given_statistics_repeat_as_in_keras(axis: Any, shape: Any, invert: bool) -> None:
    x = RNG.normal(size=(2, 4, 3, 5)) if axis == (1, 3) else RNG.normal(size=(2, 4, 3))
    mean, variance = RNG.normal(size=shape), np.maximum(RNG.normal(size=shape), 0)
    config = {"axis": axis, "mean": mean.tolist(), "variance": variance.tolist()}
    compare("Normalization", {**config, "invert": invert}, x)


def model(layers: Any, library: Any) -> Any:
    normal = layers.Normalization(name="normal")
    normal.adapt(DATA)
    return library.Sequential([
        library.Input((4, 3)), normal, layers.Normalization(2, [1.0, 2, 3], [4.0, 1, 0]),
        layers.Normalization(None, 0.5, 2.0, invert=True), layers.Flatten(), layers.Dense(2),
    ])  # fmt: skip


def test_opens_a_file_of_keras_and_goes_back(tmp_path: Any) -> None:
    theirs = model(keras.layers, keras)
    theirs.save(tmp_path / "theirs.keras")
    ours = nn.io.load((tmp_path / "theirs.keras").read_bytes())
    expected = np.asarray(theirs(DATA))
    np.testing.assert_allclose(ours.predict_on_batch(DATA), expected, rtol=1e-4, atol=1e-5)
    (tmp_path / "ours.keras").write_bytes(nn.io.save(ours, "keras"))
    again = keras.models.load_model(tmp_path / "ours.keras")
    np.testing.assert_allclose(again(DATA), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["npz", "keras", "safetensors"])
def test_keeps_its_statistics_in_every_format_that_has_it(name: str) -> None:
    ours = model(nn.layers, nn)
    again = nn.io.load(nn.io.save(ours, name))
    assert np.array_equal(again.predict_on_batch(DATA), ours.predict_on_batch(DATA))
    assert again.get_config() == ours.get_config()


def test_is_refused_by_name_where_tensorflow_js_lacks_it() -> None:
    with pytest.raises(nn.io.errors.UnsupportedError, match="Normalization"):
        nn.io.save(model(nn.layers, nn), "tfjs")


def test_says_what_does_not_fit() -> None:
    errors = nn.errors
    with pytest.raises(errors.ConfigError, match="together"):
        nn.Normalization(mean=1.0)
    with pytest.raises(errors.ConfigError, match="one shape"):
        nn.Normalization(mean=[1.0], variance=2.0)
    with pytest.raises(errors.ConfigError, match="numbers"):
        nn.Normalization(mean="x", variance="y")
    with pytest.raises(errors.ConfigError, match="axis from -2 to 1, received 2"):
        nn.Normalization(2)(nn.Input((3,)))
    with pytest.raises(errors.ShapeError, match="known"):
        nn.Normalization(1)(nn.Input((None, 3)))
    with pytest.raises(errors.ShapeError, match=r"\(None, 3\), received \(2,\)"):
        nn.Normalization(mean=[1.0, 2], variance=[1.0, 2])(nn.Input((3,)))
    layer = nn.Normalization()
    layer(nn.Input((4, 3)))
    with pytest.raises(errors.ShapeError, match=r"received \(50, 4, 2\)"):
        layer.adapt(DATA[..., :2])
    for empty in ([], iter([])):
        with pytest.raises(errors.EmptyError, match="normalization"):
            layer.adapt(empty)
    with pytest.raises(errors.DataError, match="NoneType"):
        layer.adapt(None)
    with pytest.raises(errors.ConfigError, match="without mean"):
        nn.Normalization(mean=1.0, variance=2.0).adapt(DATA)
