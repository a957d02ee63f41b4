"""Attention against Keras 3: outputs, gradients, masks, and a whole block of a transformer."""

from __future__ import annotations

from typing import Any

import keras
import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.nn.against_keras.oracle import compare

RNG = np.random.default_rng(0)
QUERY, VALUE, KEY = (RNG.normal(size=(2, *shape)) for shape in ((4, 5), (3, 6), (3, 7)))


@pytest.mark.usefixtures("float64")
@settings(settings.get_profile("oracles"), max_examples=5)
@given(
    heads=st.integers(1, 3), value_dim=st.sampled_from([None, 5]), bias=st.booleans(),
    size=st.sampled_from([None, 7]), causal=st.booleans(), key=st.booleans(),
)  # fmt: skip
def test_any_attention_of_several_heads_is_that_of_keras(
    heads: int, value_dim: Any, bias: bool, size: Any, causal: bool, key: bool
) -> None:
    config = {
        "num_heads": heads, "key_dim": 4, "value_dim": value_dim, "use_bias": bias,
        "output_shape": size,
        # Without dropout Keras takes a path that fails where value_dim is not key_dim.
        "dropout": 0.1 if value_dim else 0.0,
    }  # fmt: skip
    inputs = [QUERY, VALUE, *([KEY] if key else [])]
    compare("MultiHeadAttention", config, *inputs, use_causal_mask=causal)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("mode", ["dot", "concat"])
@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_that_of_keras(mode: str, scale: bool, causal: bool) -> None:
    config = {"use_scale": scale, "score_mode": mode}
    third = [KEY[..., :5]] if causal else []
    compare("Attention", config, QUERY, VALUE[..., :5], *third, use_causal_mask=causal)


WORDS = np.array([[3, 1, 4, 0, 0], [5, 0, 0, 0, 0], [2, 6, 5, 3, 5]])


def block(api: Any, kind: str, causal: bool) -> Any:
    """A model of words whose padding is masked, in the words of either library."""
    entry = api.Input((5,))
    x = api.layers.Embedding(8, 6, mask_zero=True)(entry)
    if kind == "Attention":
        y = api.layers.Attention()([x, x], use_causal_mask=causal)
    else:
        y = api.layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=causal)
    x = api.layers.LayerNormalization()(api.layers.Add()([x, y]))
    x = api.layers.GlobalAveragePooling1D()(x)
    return api.Model(entry, api.layers.Dense(3)(x))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kind", ["Attention", "MultiHeadAttention"])
def test_words_that_are_masked_are_not_read_as_in_keras(kind: str, causal: bool) -> None:
    ours, theirs = block(nn, kind, causal), block(keras, kind, causal)
    rng = np.random.default_rng(3)
    weights = [rng.normal(size=w.shape).astype("f4") for w in ours.get_weights()]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    y = rng.integers(0, 3, 3)
    np.testing.assert_allclose(ours.predict_on_batch(WORDS), theirs(WORDS), atol=1e-4)
    ours.compile("sgd", nn.losses.SparseCategoricalCrossentropy(from_logits=True))
    theirs.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for _ in range(2):
        assert ours.train_on_batch(WORDS, y) == pytest.approx(
            float(theirs.train_on_batch(WORDS, y)), rel=1e-4
        )
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("kind", ["Attention", "MultiHeadAttention"])
def test_the_causal_mask_is_kept_in_a_file(kind: str) -> None:
    model = block(nn, kind, True)
    loaded = nn.io.load(nn.io.save(model, "npz"))
    np.testing.assert_array_equal(loaded.predict_on_batch(WORDS), model.predict_on_batch(WORDS))
    assert loaded.layers[2].use_causal_mask


def test_a_layer_takes_one_causal_mask() -> None:
    layer = nn.MultiHeadAttention(2, 4)
    layer(QUERY, QUERY, use_causal_mask=True)
    with pytest.raises(nn.errors.ConfigError, match="use_causal_mask=True as in the call before"):
        layer(QUERY, QUERY, use_causal_mask=False)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("kind", ["Attention", "MultiHeadAttention"])
def test_weights_that_are_dropped_have_the_right_gradient(kind: str) -> None:
    config = {"num_heads": 2, "key_dim": 4} if kind == "MultiHeadAttention" else {}
    layer = getattr(nn, kind)(**config, dropout=0.4)
    nn.check_gradients(layer, QUERY, VALUE[..., :5], training=True, samples=15)
