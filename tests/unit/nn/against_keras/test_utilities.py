"""`nn.utils` and models as JSON against Keras' own."""

from __future__ import annotations

import json
from typing import Any

import keras
import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

SEQUENCES = st.lists(st.lists(st.integers(-5, 5), max_size=5), min_size=1, max_size=4)
SIDES = st.sampled_from(["pre", "post"])


@settings(settings.get_profile("oracles"), max_examples=50)
@given(
    sequences=SEQUENCES,
    maxlen=st.none() | st.integers(1, 6),
    padding=SIDES,
    truncating=SIDES,
    value=st.integers(-1, 1),
)
def test_pads_sequences_as_keras(sequences: Any, **options: Any) -> None:
    ours = nn.utils.pad_sequences(sequences, **options)
    theirs = keras.utils.pad_sequences(sequences, **options)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("shape", [(5,), (5, 1), (2, 3), (2, 3, 1)], ids=str)
@pytest.mark.parametrize("classes", [None, 7])
def test_encodes_classes_as_keras(shape: Any, classes: Any) -> None:
    labels = np.random.default_rng(0).integers(0, 4, shape)
    ours = nn.utils.to_categorical(labels, classes)
    theirs = keras.utils.to_categorical(labels, classes)
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(nn.errors.ShapeError, match="expected labels from 0 to 1"):
        nn.utils.to_categorical([0, 2], 2)


@pytest.mark.parametrize(("axis", "order"), [(-1, 2), (1, 1)])
def test_scales_rows_as_keras(axis: int, order: int) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4)) * [[0], [1], [2]]
    np.testing.assert_allclose(
        nn.utils.normalize(x, axis, order), keras.utils.normalize(x, axis, order), rtol=1e-6
    )


def test_models_go_to_keras_and_back_as_json() -> None:
    def build(library: Any, layers: Any) -> Any:
        x = library.Input((4,), name="x")
        return library.Model(x, layers.Dense(2, activation="tanh", name="end")(x), name="m")

    theirs = keras.models.model_from_json(build(nn, nn.layers).to_json())
    assert theirs.get_layer("end").activation is keras.activations.tanh
    text = build(keras, keras.layers).to_json()
    ours = nn.models.model_from_json(text)
    assert [layer.name for layer in ours.layers] == ["x", "end"]
    assert json.loads(ours.to_json(indent=1))["config"]["name"] == "m"
