"""Masks in functional graphs against Keras: where operators and initial states end them, and what
files say of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import keras
import nn
import numpy as np
import pytest
from nn.io.errors import UnsupportedError

pytestmark = pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")

WORDS = np.array([[1, 2, 0, 0], [3, 0, 0, 0], [1, 2, 3, 4]], np.float32)
OPERATORS: dict[str, Callable[[Any], Any]] = {
    "x + 1": lambda x: x + 1.0,
    "x - 1": lambda x: x - 1.0,
    "1 - x": lambda x: 1 - x,
    "x * 2": lambda x: x * 2.0,
    "x / 2": lambda x: x / 2.0,
    "1 / x": lambda x: 1 / (x + 9.0),
    "-x": lambda x: -x,
    "abs(x)": abs,
    "x ** 2": lambda x: x**2,
    "x + x": lambda x: x + x,
    "x - y": lambda x: x - x * 0.5,
    "x * y": lambda x: x * (x + 1.0),
    "x / y": lambda x: x / (x * x + 1.0),
    "x[:, 1:]": lambda x: x[:, 1:],
    "x @ y": lambda x: x @ x[:, :3],
    "x": lambda x: x,
}
READERS = ("GlobalAveragePooling1D", "LSTM")


def embedded(k: Any) -> tuple[Any, Any]:
    entry = k.Input((4,))
    return entry, k.layers.Embedding(5, 3, mask_zero=True)(entry)


def of_operator(k: Any, operator: str, reader: str) -> Any:
    entry, x = embedded(k)
    layer = getattr(k.layers, reader)
    y = OPERATORS[operator](x)
    return k.Model(entry, layer(2)(y) if reader == "LSTM" else layer()(y))


def alike(make: Callable[[Any], Any]) -> tuple[Any, Any]:
    """Return a model here and in Keras, with the same weights."""
    ours, theirs = make(nn), make(keras)
    random = np.random.default_rng(0)
    weights = [random.normal(size=w.shape) for w in theirs.get_weights()]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    return ours, theirs


@cache
def with_operator(operator: str, reader: str) -> tuple[Any, Any, Any]:
    """Return a model here, the same in Keras, and what that computes: leave them as they are."""
    ours, theirs = alike(lambda k: of_operator(k, operator, reader))
    return ours, theirs, np.asarray(theirs(WORDS))


def expect_close(ours: Any, expected: Any) -> None:
    np.testing.assert_allclose(ours.predict_on_batch(WORDS), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_hands_no_mask_on_as_in_keras(operator: str, reader: str) -> None:
    ours, _, expected = with_operator(operator, reader)
    expect_close(ours, expected)
    again = nn.models.clone_model(ours)
    again.set_weights(ours.get_weights())
    expect_close(again, expected)


@pytest.mark.parametrize("format", ["npz", "keras", "tfjs"])
@pytest.mark.parametrize("operator", OPERATORS)
def test_a_file_hands_no_more_masks_on_or_is_refused(
    operator: str, format: str, tmp_path: Path
) -> None:
    ours, _, expected = with_operator(operator, "GlobalAveragePooling1D")
    try:
        data: Any = nn.io.save(ours, format)
    except UnsupportedError:
        assert format != "npz"
        assert format == "tfjs" or "[" in operator or "@" in operator
        return
    expect_close(nn.io.load(data), expected)
    if format == "keras":
        path = tmp_path / "model.keras"
        path.write_bytes(data)
        again = keras.models.load_model(path)
        np.testing.assert_allclose(again(WORDS), expected, rtol=1e-4, atol=1e-5)


READABLE = [
    name for name in OPERATORS if name not in ("1 / x", "-x", "abs(x)", "x[:, 1:]", "x @ y")
]


@pytest.mark.parametrize("operator", READABLE)
def test_a_file_of_keras_hands_no_more_masks_on(operator: str, tmp_path: Path) -> None:
    _, theirs, expected = with_operator(operator, "GlobalAveragePooling1D")
    path = tmp_path / "model.keras"
    theirs.save(path)
    expect_close(nn.io.load(path.read_bytes()), expected)


KINDS = {"LSTM": 2, "GRU": 1, "SimpleRNN": 1}
SETTINGS: list[dict[str, bool]] = [
    {},
    {"return_sequences": True},
    {"return_state": True},
    {"return_sequences": True, "go_backwards": True},
]
BEGINS = ("zeros", "masked", "plain")


def runs() -> Iterator[Any]:
    """Each kind, begin and setting with each of the others once in make test, or more often."""
    product = itertools.product(enumerate(KINDS), enumerate(BEGINS), enumerate(SETTINGS))
    for (i, kind), (j, begin), (k, settings) in product:
        marks = () if (i + j + k) % 3 == 0 else pytest.mark.soak
        yield pytest.param(kind, begin, False, settings, marks=marks)
        if "go_backwards" not in settings:  # Keras' own masks have other axes in both directions
            yield pytest.param(kind, begin, True, settings, marks=marks)


def of_states(k: Any, kind: str, begin: str, around: bool, settings: Any) -> Any:
    entry, x = embedded(k)
    layer = getattr(k.layers, kind)(3, **settings)
    layer = k.layers.Bidirectional(layer) if around else layer
    source = k.layers.GlobalAveragePooling1D()(x) if begin == "masked" else k.layers.Dense(3)(entry)
    states = [source] * (KINDS[kind] * (1 + around))
    y = layer(x, initial_state=states) if begin != "zeros" else layer(x)
    y = y[0] if isinstance(y, list | tuple) else y
    return k.Model(entry, k.layers.GlobalAveragePooling1D()(y) if len(y.shape) == 3 else y)


@pytest.mark.parametrize(("kind", "begin", "around", "settings"), list(runs()), ids=str)
def test_initial_states_and_a_mask_go_together_as_in_keras(
    kind: str, begin: str, around: bool, settings: Any, tmp_path: Path
) -> None:
    ours, theirs = alike(lambda k: of_states(k, kind, begin, around, settings))
    expected = np.asarray(theirs(WORDS))
    expect_close(ours, expected)
    path = tmp_path / "model.keras"
    theirs.save(path)
    for data in (path.read_bytes(), nn.io.save(ours, "npz"), nn.io.save(ours, "keras")):
        expect_close(nn.io.load(data), expected)
    if begin != "zeros":
        with pytest.raises(UnsupportedError, match=r"masked steps out here|another output"):
            nn.io.save(ours, "tfjs")


DOCUMENTS = np.random.default_rng(2).integers(1, 5, (3, 2, 4)).astype(np.float32)
DOCUMENTS[0, 1, 2:] = DOCUMENTS[1, 0, :1] = DOCUMENTS[2, 1, 1] = 0
EACH: dict[str, Callable[[Any], Any]] = {
    "LSTM": lambda of: of.LSTM(2),
    "GRU": lambda of: of.GRU(2, return_sequences=True),
    "Bidirectional": lambda of: of.Bidirectional(of.SimpleRNN(2)),
    "RNN": lambda of: of.RNN(of.LSTMCell(2)),
    "GlobalAveragePooling1D": lambda of: of.GlobalAveragePooling1D(),
    "Dense": lambda of: of.Dense(2),
    "TimeDistributed": lambda of: of.TimeDistributed(of.Dense(2)),
}


def of_each_step(k: Any, kind: str) -> Any:
    entry = k.Input((2, 4))
    words = k.layers.Embedding(5, 3, mask_zero=True)(entry)
    steps = k.layers.TimeDistributed(EACH[kind](k.layers))(words)
    return k.Model(entry, k.layers.Flatten()(steps))  # which ends the mask


@pytest.mark.parametrize(
    "kind",
    [pytest.param(k, marks=[pytest.mark.soak] * (k in ("GRU", "Bidirectional"))) for k in EACH],
)
def test_a_layer_for_each_step_has_the_mask_of_the_step(kind: str) -> None:
    ours, theirs = alike(lambda k: of_each_step(k, kind))
    expected = np.asarray(theirs(DOCUMENTS))
    np.testing.assert_allclose(ours.predict_on_batch(DOCUMENTS), expected, rtol=1e-4, atol=1e-5)
    for model in (ours, theirs) if kind == "GlobalAveragePooling1D" else ():  # quick to compile
        model.compile("sgd", "mse")
        model.train_on_batch(DOCUMENTS, np.zeros_like(expected))
    for mine, wanted in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-3, atol=1e-5)
    if kind in ("Dense", "TimeDistributed"):
        nn.io.save(ours, "tfjs")
    else:
        with pytest.raises(UnsupportedError, match="other masked steps"):
            nn.io.save(ours, "tfjs")


@pytest.mark.parametrize("shape", [(3,), (3, 3), (2, 2), (3, 1), (1, 2), (3, 3, 4), (2,)], ids=str)
def test_a_mask_of_other_steps_is_refused_as_in_keras(shape: Any) -> None:
    x = np.ones((3, 2, 4), np.float32)
    for k, refused in ((keras, ValueError), (nn, nn.errors.ShapeError)):
        with pytest.raises(refused, match="mask"):
            k.layers.TimeDistributed(k.layers.Dense(2))(x, mask=np.ones(shape, bool))
