"""Recurrent layers with every argument against Keras 3 on JAX: outputs, states and gradients."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import keras
import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.context import Context, Run
from nn.parameters import Parameters

from tests.unit.nn.against_keras.oracle import EXACT_TANH, built

pytestmark = pytest.mark.usefixtures("float64")

KINDS = st.sampled_from(["SimpleRNN", "LSTM", "GRU"])
ACTIVATIONS = st.sampled_from(["tanh", "relu", "softsign", "elu", "gelu", "linear"])
GATES = st.sampled_from(["sigmoid", "hard_sigmoid", "tanh", "softplus"])


def pair(kind: str, config: dict[str, Any], features: int) -> tuple[Any, Any]:
    """Return our layer and Keras', built for (n, steps, features), with the same weights."""
    layer = getattr(nn, kind)(**config)
    named = {"activation": "tanh"} | config
    named = {k: EXACT_TANH.get(v, v) if k.endswith("activation") else v for k, v in named.items()}
    theirs = built(kind, named, [(3, 5, features)])
    layer.ensure_built((None, None, features))
    rng = np.random.default_rng(11)
    weights = [rng.uniform(-0.7, 0.7, size=w.shape) for w in layer.get_weights()]
    assert [w.shape for w in theirs.get_weights()] == [w.shape for w in weights]
    layer.set_weights(weights)
    theirs.set_weights(weights)
    return layer, theirs


def agree(
    kind: str,
    config: dict[str, Any],
    *,
    mask: Any = None,
    states: int = 0,
    training: bool = False,
    drops: Any = None,
    steps: int = 5,
) -> None:
    """Assert that outputs, and gradients of inputs, states and weights, are Keras'."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(3, steps, 4))
    first = [rng.normal(size=(3, config["units"])) for _ in range(states)]
    layer, theirs = pair(kind, config, 4)
    ctx = Context(Run(np.random.default_rng(0), np.float64))
    ctx.mask = mask
    parameters = Parameters(layer.trainable_variables)
    ctx.run.start_backward(parameters)
    made = layer.forward(ctx, x, *first, training=training)
    several = isinstance(made, list)
    ours = [np.array(y) for y in (made if several else [made])]
    dys = [rng.normal(size=y.shape) for y in ours]
    dx = layer.backward(ctx, tuple(dys) if several else dys[0])
    ctx.run.settle()
    received = [*(dx if isinstance(dx, tuple) else (dx,))]
    received += [parameters.views[v] for v in parameters.variables]
    if drops is not None:
        _force(theirs.cell, ctx, layer)

    def call(trainable: Any, x: Any, first: Any) -> Any:
        options = {"initial_state": first} if first else {}
        y, _ = theirs.stateless_call(
            trainable, [v.value for v in theirs.non_trainable_variables], x, mask=mask,
            training=training, **options,
        )  # fmt: skip
        return list(y) if several else [y]

    def everything(trainable: Any, x: Any, first: Any) -> Any:
        out, pull = jax.vjp(call, trainable, x, first)
        return out, pull([jnp.asarray(d, o.dtype) for d, o in zip(dys, out, strict=True)])

    trainable = [v.value for v in theirs.trainable_variables]
    out, (by_weights, by_x, by_states) = jax.jit(everything)(trainable, x, first)
    for ours_one, expected in zip(ours, out, strict=True):
        np.testing.assert_allclose(ours_one, expected, rtol=1e-6, atol=1e-6)
    for one, expected in zip(received, [by_x, *by_states, *by_weights], strict=True):
        np.testing.assert_allclose(one, expected, rtol=1e-5, atol=1e-6)


def _force(cell: Any, ctx: Context, layer: Any) -> None:
    """Let Keras drop what we dropped."""
    inputs, states = ctx.saved[-2]

    def given(drop: Any) -> Any:
        return None if drop is None else drop[0] if len(drop) == 1 else list(drop)

    def state_drop(_: Any) -> Any:
        if layer.gates == 1 or states is None:
            return given(states)
        return list(states)

    cell.get_dropout_mask = lambda _: given(inputs)
    cell.get_recurrent_dropout_mask = state_drop


@settings(settings.get_profile("oracles"), max_examples=12)
@given(
    kind=KINDS,
    activation=ACTIVATIONS,
    gates=GATES,
    use_bias=st.booleans(),
    sequences=st.booleans(),
    state=st.booleans(),
    backwards=st.booleans(),
    given_states=st.booleans(),
    masked=st.booleans(),
    zero=st.booleans(),
    reset_after=st.booleans(),
    units=st.integers(1, 4),
)
def test_any_recurrent_layer_is_that_of_keras(
    kind: str, activation: str, gates: str, use_bias: bool, sequences: bool, state: bool,
    backwards: bool, given_states: bool, masked: bool, zero: bool, reset_after: bool, units: int,
) -> None:  # fmt: skip
    config: dict[str, Any] = {
        "units": units, "activation": activation, "use_bias": use_bias,
        "return_sequences": sequences, "return_state": state, "go_backwards": backwards,
        "zero_output_for_mask": zero,
    }  # fmt: skip
    if kind != "SimpleRNN":
        config["recurrent_activation"] = gates
    if kind == "GRU":
        config["reset_after"] = reset_after
    mask = np.random.default_rng(units).random((3, 5)) > 0.4 if masked else None
    states = {"LSTM": 2}.get(kind, 1) if given_states else 0
    agree(kind, config, mask=mask, states=states)


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("use_bias", [True, False])
def test_a_gru_resets_before_or_after_the_product(reset_after: bool, use_bias: bool) -> None:
    config = {"units": 3, "reset_after": reset_after, "use_bias": use_bias}
    agree("GRU", config)
    layer = nn.GRU(**config)
    nn.check_gradients(layer, np.random.default_rng(1).normal(size=(2, 4, 3)))


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
@pytest.mark.parametrize(
    "rates",
    [{"dropout": 0.4}, {"recurrent_dropout": 0.5}, {"dropout": 0.3, "recurrent_dropout": 0.4}],
    ids=str,
)
def test_drops_inputs_and_states_where_keras_does(kind: str, rates: dict[str, float]) -> None:
    config = {"units": 3, "seed": 5, "return_sequences": True, **rates}
    agree(kind, config, training=True, drops=True)
    agree(kind, config, training=False)


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
def test_begins_a_batch_with_the_states_of_the_last_until_reset(kind: str) -> None:
    layer, theirs = pair(kind, {"units": 3, "stateful": True}, 4)
    x = np.random.default_rng(2).normal(size=(2, 3, 5, 4))
    for batch in x:
        np.testing.assert_allclose(layer(batch), np.asarray(theirs(batch)), atol=1e-6)
    assert not np.allclose(layer(x[0]), theirs(x[1]))
    layer.reset_states()
    theirs.reset_states()
    np.testing.assert_allclose(layer(x[0]), np.asarray(theirs(x[0])), atol=1e-6)
    with pytest.raises(nn.errors.ShapeError, match=r"expected batches of 3, .* received 2"):
        layer(x[0][:2])


def test_the_forget_gate_begins_open_as_in_keras() -> None:
    for unit_forget_bias in (True, False):
        ours = nn.LSTM(2, unit_forget_bias=unit_forget_bias)
        theirs = keras.layers.LSTM(2, unit_forget_bias=unit_forget_bias)
        ours.ensure_built((None, 3, 1))
        theirs.build((None, 3, 1))
        assert np.array_equal(ours.get_weights()[2], theirs.get_weights()[2])


def test_names_what_is_wrong_with_states_and_rates() -> None:
    x = np.zeros((2, 3, 4))
    with pytest.raises(nn.errors.ShapeError, match=r"expected 2 states of shape .n, 5."):
        nn.LSTM(5)(x, initial_state=np.zeros((2, 5)))
    with pytest.raises(nn.errors.ConfigError, match="recurrent_dropout must be between 0 and 1"):
        nn.GRU(5, recurrent_dropout=1.5)
