"""`layer(x, training=True)` in a graph: when a call's mode counts, as in Keras 3, and in files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import product
from typing import Any

import keras
import nn
import numpy as np
import pytest

MODES = (None, True, False)
FLAT, STEPS, IMAGES = (6,), (3, 4), (4, 4, 2)
RANDOM: dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]] = {
    "Dropout": (FLAT, lambda k: k.layers.Dropout(0.5)),
    "SpatialDropout1D": (STEPS, lambda k: k.layers.SpatialDropout1D(0.5)),
    "GaussianNoise": (FLAT, lambda k: k.layers.GaussianNoise(1.0)),
    "AlphaDropout": (FLAT, lambda k: k.layers.AlphaDropout(0.5)),
    "RandomFlip": (IMAGES, lambda k: k.layers.RandomFlip()),
    "LSTM": (STEPS, lambda k: k.layers.LSTM(8, dropout=0.5)),
    "Bidirectional": (STEPS, lambda k: k.layers.Bidirectional(k.layers.GRU(8, dropout=0.5))),
    "TimeDistributed": (STEPS, lambda k: k.layers.TimeDistributed(k.layers.Dropout(0.5))),
    "Sequential": (FLAT, lambda k: k.Sequential([k.Input(FLAT), k.layers.Dropout(0.5)])),
}
ORACLE = ("RandomFlip", "Sequential")


def said(mode: Any) -> dict[str, Any]:
    """Return the arguments that name a mode: Keras takes a None that is given for False."""
    return {} if mode is None else {"training": mode}


def model_of(library: Any, name: str, mode: Any) -> tuple[Any, Any]:
    shape, make = RANDOM[name]
    inputs = library.Input(shape)
    model = library.Model(inputs, make(library)(inputs, **said(mode)))
    return model, np.random.default_rng(0).random((16, *shape), np.float32)


def varies(model: Any, x: Any, **options: Any) -> bool:
    """Return whether some of four calls differ: images are flipped by chance."""
    first, *others = (np.array(model(x, **options)) for _ in range(4))
    return any(np.any(first != other) for other in others)


@pytest.mark.parametrize(("name", "mode"), [*product(RANDOM, MODES)], ids=str)
def test_the_mode_of_a_call_counts_where_the_model_is_called_without_one(
    name: str, mode: Any
) -> None:
    model, x = model_of(nn, name, mode)
    expected = name == "RandomFlip" if mode is None else mode
    for files in (None,) if mode is None else (None, "npz", "keras"):
        again = model if files is None else nn.io.load(nn.io.save(model, files))
        assert varies(again, x) == expected, files
        assert varies(again, x, training=True)
        assert not varies(again, x, training=False)
        a, b = (asyncio.run(again.predict(x)) for _ in range(2))
        assert np.array_equal(a, b)


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize(("name", "mode"), [*product(RANDOM, MODES[:2])], ids=str)
def test_the_mode_of_a_call_counts_with_kernels_too(name: str, mode: Any) -> None:
    model, x = model_of(nn, name, mode)
    assert varies(model, x) == (name == "RandomFlip" if mode is None else mode)
    assert not varies(model, x, training=False)


@pytest.mark.parametrize(("name", "mode"), [*product(ORACLE, MODES)], ids=str)
def test_keras_3_says_so(name: str, mode: Any) -> None:
    ours, x = model_of(nn, name, mode)
    theirs, _ = model_of(keras, name, mode)
    for run in MODES:
        assert varies(ours, x, **said(run)) == varies(theirs, x, **said(run)), run


@pytest.mark.parametrize("mode", MODES)
def test_batch_normalization_takes_the_moments_that_its_call_says(mode: Any, tmp_path: Any) -> None:
    """With a file in each direction; what a call says beside several inputs passes too."""
    x = np.random.default_rng(0).normal(2, 3, (8, 6)).astype("float32")
    found = []
    for library in (nn, keras):
        inputs = library.Input(FLAT)
        normal = library.layers.BatchNormalization()(inputs, training=mode)
        both = library.layers.Add()([normal, inputs], training=mode)
        model = library.Model(inputs, both)
        found.append(np.array(model(x)))
        path = tmp_path / f"{library.__name__}.keras"
        model.save(path)
        found += [np.array(other.models.load_model(path)(x)) for other in (nn, keras)]
    for y in found[1:]:
        np.testing.assert_allclose(y, found[0], rtol=1e-4, atol=1e-4)
    assert (abs(np.mean(found[0] - x)) < 0.1) == bool(mode)


def test_one_layer_has_a_mode_for_each_of_its_calls() -> None:
    inputs, drop = nn.Input(FLAT), nn.Dropout(0.5)
    model = nn.Model(inputs, [drop(inputs, training=True), drop(inputs, training=False)])
    x = np.ones((64, 6), np.float32)
    for again in (model, nn.io.load(nn.io.save(model, "keras")), nn.models.clone_model(model)):
        dropped, kept = again(x)
        assert np.any(dropped == 0)
        assert np.array_equal(kept, x)


@pytest.mark.parametrize("mode", ["1", '"yes"', "[true]"])
def test_a_mode_in_a_file_that_is_none_is_refused(mode: str) -> None:
    model, _ = model_of(nn, "Dropout", True)
    found = '{"training": true}'
    damaged = model.to_json().replace(found, found.replace("true", mode))
    with pytest.raises(nn.io.FormatError, match="expected training to be true or false"):
        nn.models.model_from_json(damaged)
