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
from nn.errors import ConfigError

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


MADE: dict[str, tuple[tuple[int, ...], Any]] = {
    "Dense": ((3,), lambda of: of.Dense(2, activation="softmax")),
    "Conv2D": ((4, 4, 2), lambda of: of.Conv2D(2, 3, activation="relu")),
    "Conv1D": ((4, 2), lambda of: of.Conv1D(2, 2)),
    "DepthwiseConv2D": ((4, 4, 2), lambda of: of.DepthwiseConv2D(3, activation="sigmoid")),
    "Conv2DTranspose": ((3, 3, 2), lambda of: of.Conv2DTranspose(2, 2, activation="tanh")),
    "Activation": ((3,), lambda of: of.Activation("relu")),
}


def drawn(shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(1).normal(size=shape)


@pytest.mark.usefixtures("native")  # whose calls are repeated from batch to batch
@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("given", ["linear", "tanh"])
def test_another_activation_of_a_layer_counts_from_then_on_as_in_keras(
    made: str, given: str
) -> None:
    shape, make = MADE[made]
    x = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    models = []
    for k in (keras, nn):
        models.append(k.Sequential([k.Input(shape), make(k.layers), k.layers.Flatten()]))
        models[-1].set_weights([drawn(tuple(w.shape)) for w in models[-1].weights])
        layer = models[-1].layers[0]
        if k is nn:
            for _ in range(3):
                models[-1].predict_on_batch(x)
                models[-1](x)
        none = given == "linear" and made != "Activation"
        layer.activation = None if none else getattr(k.activations, given)
    theirs, ours = models
    expected = np.asarray(theirs(x))
    for received in (ours.predict_on_batch(x), ours(x)):
        np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-6)
    again = nn.models.clone_model(ours)
    again.set_weights(ours.get_weights())
    np.testing.assert_allclose(again.predict_on_batch(x), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("native")
def test_a_compiled_model_trains_with_another_activation_of_a_layer() -> None:
    x, y = np.ones((4, 3), np.float32), np.zeros((4, 2), np.float32)
    model = nn.Sequential([nn.Input((3,)), nn.Dense(2, "relu", kernel_initializer="ones")])
    plain = nn.Sequential([nn.Input((3,)), nn.Dense(2)])
    for one in (model, plain):
        one.compile("sgd", "mse")
    for _ in range(3):
        model.train_on_batch(x, y)
    plain.set_weights([-w for w in model.get_weights()])
    model.set_weights(plain.get_weights())  # a relu would learn nothing of these
    model.layers[-1].activation = None
    for _ in range(3):
        assert model.train_on_batch(x, y) == plain.train_on_batch(x, y)
    for ours, wanted in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, wanted)


INSIDE = {
    "LSTM": ((4, 2), lambda: nn.LSTM(2)),
    "GRU": ((4, 2), lambda: nn.GRU(2)),
    "SimpleRNN": ((4, 2), lambda: nn.SimpleRNN(2)),
    "SeparableConv2D": ((4, 4, 2), lambda: nn.SeparableConv2D(2, 3)),
    "channels first": ((2, 4, 4), lambda: nn.Conv2D(2, 3, data_format="channels_first")),
}


@pytest.mark.parametrize("inside", INSIDE)
def test_an_activation_inside_a_layer_that_is_built_is_refused(inside: str) -> None:
    shape, make = INSIDE[inside]
    layer = make()
    nn.Sequential([nn.Input(shape), layer])
    before = layer.activation
    with pytest.raises(ConfigError, match="expected its activation where it is made"):
        layer.activation = "relu"
    dense = nn.Dense(2)
    dense.build((None, 3))
    with pytest.raises(ConfigError, match="activation: expected one of"):
        dense.activation = "nothing"
    assert layer.activation is before
    assert dense.activation.name == "linear"
