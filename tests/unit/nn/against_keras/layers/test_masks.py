"""Layers under a mask, along each axis, against Keras: outputs, gradients, running statistics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import keras
import nn
import numpy as np
import pytest
from nn.context import Context, Run
from nn.parameters import Parameters

from tests.unit.nn.against_keras.oracle import built

pytestmark = pytest.mark.usefixtures("float64")

STEPS = (3, 4, 5)
SQUARE = (3, 4, 4)  # steps and features are easily mistaken for each other
MASK = np.array([[1, 1, 0, 1], [0, 1, 0, 0], [1, 0, 1, 1]], bool)

NORMAL = [("BatchNormalization", {"axis": axis, "momentum": 0.0}) for axis in (1, 2, -2)]
OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("BatchNormalization", {"axis": 1, "scale": False, "center": False}),
    *(("LayerNormalization", {"axis": axis}) for axis in (1, [1, 2])),
    ("UnitNormalization", {"axis": 1}),
    ("GlobalAveragePooling1D", {"keepdims": True}),
]
CASES = [
    *((name, config, shape, True) for name, config in NORMAL for shape in (STEPS, SQUARE)),
    *((name, config, STEPS, True) for name, config in OTHERS),
    (*NORMAL[0], SQUARE, False),
]


@pytest.mark.parametrize(("name", "config", "shape", "training"), CASES, ids=str)
def test_a_mask_counts_along_every_axis_as_in_keras(
    name: str, config: Any, shape: Any, training: bool
) -> None:
    x = np.random.default_rng(2).normal(size=shape)
    layer = getattr(nn, name)(**config)
    layer.ensure_built((None, *shape[1:]))
    weights = [np.random.default_rng(3).uniform(0.5, 1.5, w.shape) for w in layer.get_weights()]
    layer.set_weights(weights)
    received = here(layer, x, training)
    theirs = built(name, config, [shape])
    theirs.set_weights(weights)
    for ours, expected in zip(received, there(theirs, x, training), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=5e-6, atol=5e-6)


def here(layer: Any, x: Any, training: bool) -> list[Any]:
    """Return the output, gradients of input and weights, and what is not trained."""
    ctx = Context(Run(np.random.default_rng(0), np.float64))
    ctx.mask, ctx.masks = MASK, [MASK]
    parameters = Parameters(layer.trainable_variables)
    ctx.run.start_backward(parameters)
    y = np.array(layer.forward(ctx, x, training=training))
    dx = np.array(layer.backward(ctx, np.random.default_rng(5).normal(size=y.shape)))
    ctx.run.finish_backward()
    moved = [v.value.copy() for v in layer.non_trainable_variables]
    return [y, dx, *(parameters.views[v] for v in parameters.variables), *moved]


def there(layer: Any, x: Any, training: bool) -> list[Any]:
    options = {"training": training} if layer._call_has_training_arg else {}
    if layer._call_has_mask_arg:
        options["mask"] = jnp.asarray(MASK)
    before = [v.value for v in layer.non_trainable_variables]

    def call(trainable: Any, x: Any) -> Any:
        return layer.stateless_call(trainable, before, x, **options)

    def everything(trainable: Any, x: Any) -> Any:
        y, pull, after = jax.vjp(call, trainable, x, has_aux=True)
        dws, dx = pull(jnp.asarray(np.random.default_rng(5).normal(size=y.shape)))
        return [y, dx, *dws, *after]

    return list(jax.jit(everything)([v.value for v in layer.trainable_variables], x))


def test_a_mask_of_other_axes_is_refused() -> None:
    layer = nn.BatchNormalization()
    with pytest.raises(nn.errors.ShapeError, match=r"expected a mask of shape \(3, 4, 4\)"):
        layer(np.ones((3, 4, 4, 2)), training=True, mask=MASK)


KEPT = np.array([[1, 1, 1, 0], [1, 0, 0, 0]], bool)
INDICES = np.array([[1, 2, 0, 0], [2, 0, 1, 1]])
WORDS = np.ones((2, 4, 3), np.float32) * (INDICES > 0)[..., None]
COMPUTED: dict[str, tuple[Callable[[Any], Any], Any, tuple[Any, ...]]] = {
    "Embedding": (lambda of: of.Embedding(3, 2, mask_zero=True), INDICES, ()),
    "Embedding of all": (lambda of: of.Embedding(3, 2), INDICES, ()),
    "Masking": (lambda of: of.Masking(), WORDS, ()),
    "Masking, masked": (lambda of: of.Masking(1.0), WORDS, (KEPT,)),
    "Dense": (lambda of: of.Dense(2), WORDS, (KEPT,)),
    "Dropout, none": (lambda of: of.Dropout(0.5), WORDS, (None,)),
    "LSTM": (lambda of: of.LSTM(2), WORDS, (KEPT,)),
    "LSTM, steps": (lambda of: of.LSTM(2, return_sequences=True), WORDS, (KEPT,)),
    "GRU, states": (lambda of: of.GRU(2, return_state=True), WORDS, (KEPT,)),
    "TimeDistributed": (lambda of: of.TimeDistributed(of.Dense(2)), WORDS, (KEPT,)),
    "Attention": (lambda of: of.Attention(), [WORDS, WORDS], ([KEPT, None],)),
    "MultiHeadAttention": (lambda of: of.MultiHeadAttention(1, 2), [WORDS, WORDS], (None,)),
    "Add": (lambda of: of.Add(), [WORDS, WORDS], ([KEPT, ~KEPT],)),
    "Concatenate": (lambda of: of.Concatenate(1), [WORDS, WORDS], ([KEPT, None],)),
    "GlobalAveragePooling1D": (lambda of: of.GlobalAveragePooling1D(), WORDS, (KEPT,)),
}


@pytest.mark.parametrize("case", COMPUTED)
def test_the_mask_that_a_layer_makes_of_arrays_is_that_of_keras(case: str) -> None:
    make, inputs, masks = COMPUTED[case]
    made, expected = (make(k.layers).compute_mask(inputs, *masks) for k in (nn, keras))
    if isinstance(expected, list):
        assert len(made) == len(expected)
        made, expected = made[0], expected[0]
    assert (made is None) == (expected is None)
    if expected is not None:
        np.testing.assert_array_equal(made, np.asarray(expected))


def test_a_mask_of_a_tensor_is_refused_since_a_graph_has_it_already() -> None:
    words = nn.Input((4,))
    with pytest.raises(nn.errors.DataError, match="embedding: inputs: expected numbers, received"):
        nn.Embedding(3, 2, mask_zero=True).compute_mask(words)


class Later(nn.Layer):
    """A layer of your own, with Keras' `compute_mask`: the first step is left out."""

    supports_masking = True

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        given = super().compute_mask(inputs, previous_mask)
        return (np.arange(inputs.shape[1]) > 0) & (True if given is None else given)

    def forward(self, ctx: Context, *inputs: Any, training: bool = False) -> Any:
        return inputs[0]

    def backward(self, ctx: Context, dy: Any) -> Any:
        return dy


def test_a_layer_of_your_own_says_its_mask_as_in_keras() -> None:
    words = nn.Input((4, 3))
    model = nn.Model(words, nn.GlobalAveragePooling1D()(Later()(nn.Masking()(words))))
    x = np.random.default_rng(0).normal(size=WORDS.shape)
    kept = INDICES > 0
    x[~kept] = 0
    kept[:, 0] = False
    expected = (x * kept[..., None]).sum(1) / kept.sum(1, keepdims=True)
    np.testing.assert_allclose(model.predict_on_batch(x), expected, rtol=1e-5)


@pytest.mark.parametrize("made", ["array", "graph", "model"])
def test_a_layer_takes_its_input_by_name_as_in_keras(made: str) -> None:
    layer = nn.Dense(2)
    layer.build((None, 3))
    expected = layer(WORDS[:, 0])
    if made == "array":
        received = layer(inputs=WORDS[:, 0])
    else:
        entry = nn.Input((3,))
        model = nn.Model(entry, layer(inputs=entry))
        received = model(inputs=WORDS[:, 0]) if made == "model" else model.predict(WORDS[:, 0])
        received = asyncio.run(received) if made == "graph" else received
    np.testing.assert_allclose(received, expected)
