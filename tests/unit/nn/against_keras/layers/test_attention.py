"""Attention against Keras 3: outputs, gradients, masks, and a whole block of a transformer."""

from __future__ import annotations

from typing import Any

import keras
import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.errors import NNError

from tests.unit.nn.against_keras.oracle import compare, expect_same_files

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


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("first", [0, 1, 2])
@pytest.mark.parametrize("key", [False, True])
def test_inputs_of_attention_are_taken_by_name_as_in_keras(
    key: bool, first: int, graph: bool
) -> None:
    inputs = [QUERY, VALUE, *([KEY] if key else [])]
    mask = np.random.default_rng(2).random((len(QUERY), QUERY.shape[1], VALUE.shape[1])) < 0.7
    made = []
    for api in (nn, keras):
        layer = api.layers.MultiHeadAttention(2, 4)
        given = [api.Input(x.shape[1:]) for x in inputs] if graph else inputs
        named = dict(zip(("query", "value", "key")[first:], given[first:], strict=False))
        reordered = dict(reversed(named.items()))
        options = {} if graph else {"attention_mask": mask}
        y = layer(*given[:first], **reordered, **options)
        if made:
            layer.set_weights(made[0][0].get_weights())
            y = y if graph else layer(*inputs, **options)
        made.append((layer, api.Model(given, y).predict_on_batch(inputs) if graph else y))
    np.testing.assert_allclose(made[0][1], made[1][1], atol=2e-6)


@pytest.mark.parametrize("names", [["value"], ["value", "key"], ["query"], ["quary", "value"]])
def test_inputs_of_attention_that_are_missing_are_said(names: list[str]) -> None:
    with pytest.raises(NNError, match="multi_head_attention: expected"):
        nn.MultiHeadAttention(2, 4)(**dict.fromkeys(names, QUERY))


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


def reading(api: Any, dropout: float, masked: bool, scores: bool, causal: bool) -> Any:
    """A model of an attention whose mask is an input, and whose scores count in the output."""
    inputs = [api.Input((4, 5)), api.Input((4, 6)), *([api.Input((4, 4))] if masked else [])]
    made = api.layers.MultiHeadAttention(2, 3, dropout=dropout)(
        *inputs[:2], attention_mask=inputs[2] if masked else None,
        return_attention_scores=scores, use_causal_mask=causal,
    )  # fmt: skip
    parts = [api.layers.Flatten()(part) for part in (made if scores else [made])]
    y = api.layers.Dense(3)(api.layers.Concatenate()(parts) if scores else parts[0])
    return api.Model(inputs, y)


# Of the first sample's second step no score counts.
KEPT = np.array([[[1, 1, 0, 0], [0] * 4, [1, 0, 1, 1], [0, 1, 1, 0]], [[1, 0, 0, 1]] * 4], "f4")


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 1e-9])  # Keras computes it in two ways
@pytest.mark.parametrize(("masked", "scores"), [(True, False), (False, True), (True, True)])
@pytest.mark.filterwarnings("ignore:.*does not support masking")  # Flatten in Keras
def test_a_mask_of_scores_and_scores_that_are_returned_are_those_of_keras_in_files_too(
    masked: bool, scores: bool, dropout: float, causal: bool, tmp_path: Any
) -> None:
    ours, theirs = (reading(api, dropout, masked, scores, causal) for api in (nn, keras))
    rng = np.random.default_rng(3)
    weights = [rng.normal(0, 0.5, w.shape).astype("f4") for w in ours.get_weights()]
    x = [rng.normal(size=(2, 4, n)).astype("f4") for n in (5, 6)] + [KEPT] * masked
    for model, api in ((ours, nn), (theirs, keras)):
        model.set_weights(weights)
        model.compile(api.optimizers.SGD(0.01), "mse")
    y = rng.normal(size=(2, 3)).astype("f4")
    for _ in range(2):
        expected = float(theirs.train_on_batch(x, y))
        assert ours.train_on_batch(x, y) == pytest.approx(expected, rel=1e-4)
    expect_same_files(ours, theirs, x, tmp_path, 1e-4)


@pytest.mark.parametrize("shape", [(2, 4, 3), (4, 3), (3,), (1, 4, 1), (2, 2, 4, 3), (2, 1, 1, 3)])
def test_a_call_on_arrays_takes_a_mask_and_returns_scores_as_in_keras(shape: Any) -> None:
    layers = nn.MultiHeadAttention(2, 3), keras.layers.MultiHeadAttention(2, 3)
    query, value = QUERY.astype("f4"), VALUE.astype("f4")
    keep = np.random.default_rng(1).integers(0, 2, shape).astype(bool)
    for layer in layers:
        layer(query, value)
    layers[1].set_weights(layers[0].get_weights())
    options = {"attention_mask": keep, "return_attention_scores": True}
    ours = layers[0](query, value, **options)
    if len(shape) > 1:  # Keras takes the only axis of one of its own for two
        for received, wanted in zip(ours, layers[1](query, value, **options), strict=True):
            np.testing.assert_allclose(received, wanted, atol=1e-5)
    assert not ours[1][
        ~np.broadcast_to(keep if keep.ndim != 3 else keep[:, None], (2, 2, 4, 3))
    ].any()
    np.testing.assert_array_equal(layers[0](query, value), layers[0](query, value, value))


def test_a_mask_of_scores_that_cannot_be_is_refused() -> None:
    layer, graph = nn.MultiHeadAttention(1, 2), [nn.Input((4, 5)), nn.Input((3, 6))]
    with pytest.raises(nn.errors.ShapeError, match=r"attention_mask of \(n, t, s\).*\(2, 9\)"):
        layer(QUERY, VALUE, attention_mask=np.ones((2, 9)))
    with pytest.raises(nn.errors.ShapeError, match=r"attention_mask of \(n, t, s\).*4, 9\)"):
        layer(*graph, attention_mask=np.ones((4, 9)))
    with pytest.raises(nn.errors.ShapeError, match=r"broadcast to \(None, 1, 4, 3\).*2, 4, 3\)"):
        layer(*graph, attention_mask=np.ones((1, 2, 4, 3)))
    with pytest.raises(nn.errors.ConfigError, match="expected attention_mask to be an array"):
        layer(QUERY, VALUE, attention_mask=nn.Input((4, 3)))
    layer(*graph, attention_mask=nn.Input((4, 3)))
    with pytest.raises(nn.errors.ConfigError, match="as in the call before"):
        layer(*graph)
