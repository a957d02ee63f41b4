"""Layers of any name are written so that they come back, or are refused by that name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import keras
import nn
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nn.io import errors

X = np.ones((2, 3), np.float32)
PARTS = st.sampled_from(["a", "b", "/", "\\", ".", "\0", "%", ":", "*", "é", " ", "\n", "\ud800"])
NAMES = st.lists(PARTS, min_size=1, max_size=5).map("".join) | st.text(min_size=1)


def named(name: str) -> nn.Model:
    return nn.Sequential([nn.Input((3,)), nn.Dense(2, name=name), nn.Dense(2, name="a/b/c")])


def expect_back(model: nn.Model, format: str) -> None:
    """Check that a file of the model holds its names and weights, unless it is refused."""
    try:
        data: Any = nn.io.save(model, format)
    except errors.UnsupportedError:
        assert any("\ud800" <= c <= "\udfff" for c in model.layers[0].name)
        return
    again = nn.io.load(data)
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    np.testing.assert_array_equal(again.predict_on_batch(X), model.predict_on_batch(X))


HALF = "a\ud800"  # of a character of two parts


def with_half(where: str) -> nn.Model:
    names = {part: HALF if part == where else part for part in ("layer", "input", "model")}
    entry = nn.Input((3,), name=names["input"])
    y = nn.Dense(2, name=names["layer"])(entry)
    return nn.Model(entry, {HALF: y} if where == "output" else y, name=names["model"])


@pytest.mark.parametrize("where", ["layer", "input", "model", "output"])
def test_half_a_character_in_a_name_is_refused_by_that_name_in_every_format(where: str) -> None:
    model = with_half(where)
    for format in nn.io.FORMATS:
        if (where, format) in {("output", "onnx"), ("output", "tfjs")}:  # these have no such names
            assert nn.io.save(model, format)
            continue
        with pytest.raises(errors.UnsupportedError, match=r"expected Unicode.*a\\ud800"):
            nn.io.save(model, format)
    if where in ("layer", "model"):  # the file of weights has no other names
        with pytest.raises(errors.UnsupportedError, match=r"expected Unicode.*a\\ud800"):
            nn.io.save_weights(model, "weights.h5")


@pytest.mark.parametrize("format", ["npz", "safetensors", "tfjs"])
@settings(max_examples=60)
@given(name=NAMES)
@example(name="a\\b/c")
@example(name="a\0")
@example(name="\0a")
@example(name="\ud800")
def test_a_layer_of_any_name_comes_back_or_is_refused(format: str, name: str) -> None:
    if name != "a/b/c":
        expect_back(named(name), format)


@pytest.mark.parametrize("name", ["a/b", "/", "a\\b", "a b", "é", "a:0", "%2F", "vars"])
@pytest.mark.parametrize("kind", ["layer", "inside", "model", "cell"])
def test_keras_opens_a_file_of_any_name_that_is_not_refused(
    name: str, kind: str, tmp_path: Path
) -> None:
    steps = nn.Input((4, 3))
    wrapped = nn.TimeDistributed(nn.Dense(2, name=name if kind == "inside" else None))(steps)
    cell = nn.layers.LSTMCell(2, name=name if kind == "cell" else None)
    last = nn.Dense(2, name=name if kind == "layer" else None)(nn.layers.RNN(cell)(wrapped))
    model = nn.Model(steps, last, name=name if kind == "model" else None)
    if "/" in name:
        with pytest.raises(errors.UnsupportedError, match=f"layer {name!r}: expected a name"):
            nn.io.save(model, "keras")
        return
    path = tmp_path / "model.keras"
    path.write_bytes(nn.io.save(model, "keras"))
    x = np.ones((2, 4, 3), np.float32)
    theirs = keras.models.load_model(path)
    np.testing.assert_allclose(theirs(x), model.predict_on_batch(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [5, b"a", ["a"], 0.5, True], ids=repr)
def test_a_name_that_is_no_text_is_refused(name: Any) -> None:
    for make in (lambda: nn.Dense(2, name=name), lambda: nn.Sequential(name=name)):
        with pytest.raises(nn.errors.ConfigError, match="expected name as text, received"):
            make()
