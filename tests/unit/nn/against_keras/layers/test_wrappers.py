"""Layers around others, and cells, against Keras 3: outputs, states, masks and gradients."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import nn
import numpy as np
import pytest

from tests.unit.nn.against_keras.oracle import EXACT_TANH, compare

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(3, 4, 5))
MOVIES = RNG.normal(size=(2, 3, 5, 4, 2))


def tanh(layers: Any) -> Any:
    return EXACT_TANH["tanh"] if layers is keras.layers else "tanh"


SIDES = {
    "SimpleRNN": lambda of: of.SimpleRNN(3, activation="sigmoid"),
    "LSTM": lambda of: of.LSTM(3),
    "GRU": lambda of: of.GRU(3, return_sequences=True),
    "states": lambda of: of.LSTM(3, return_sequences=True, return_state=True),
}


def backwards(layers: Any) -> Any:
    return layers.GRU(3, go_backwards=True)


MODES = ("concat", "sum", "mul", "ave", None)
# In make test each side is merged in two ways or three, and each way merges two.
MERGED = [
    pytest.param(side, mode, marks=() if (i - j) % 4 in (0, 3) else pytest.mark.soak)
    for (i, side), (j, mode) in itertools.product(enumerate(SIDES), enumerate(MODES))
]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("side", "mode"), MERGED)
def test_a_bidirectional_layer_is_that_of_keras(side: str, mode: Any) -> None:
    compare("Bidirectional", {"layer": SIDES[side], "merge_mode": mode}, ROWS)


@pytest.mark.usefixtures("float64")
def test_the_backward_layer_may_be_another_one_as_in_keras() -> None:
    config = {"layer": SIDES["LSTM"], "backward_layer": backwards}
    compare("Bidirectional", config, ROWS)


INNER = {
    "Dense": (lambda of: of.Dense(3, activation="relu"), ROWS),
    "Conv2D": (lambda of: of.Conv2D(3, 2), MOVIES),
    "Flatten": (lambda of: of.Flatten(), MOVIES),
    "LSTM": (lambda of: of.LSTM(3), MOVIES[:, :, 0]),
}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("inner", INNER)
def test_a_layer_for_each_step_is_that_of_keras(inner: str) -> None:
    layer, x = INNER[inner]
    compare("TimeDistributed", {"layer": layer}, x)


CELLS = {
    "SimpleRNNCell": lambda of: of.SimpleRNNCell(3, activation=tanh(of)),
    "LSTMCell": lambda of: of.LSTMCell(3, use_bias=False),
    "GRUCell": lambda of: of.GRUCell(3),
    "StackedRNNCells": lambda of: of.StackedRNNCells([of.LSTMCell(3), of.GRUCell(2)]),
    "list": lambda of: [of.GRUCell(4), of.LSTMCell(2)],
}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("sequences", [False, True])
def test_a_cell_in_a_sequence_is_that_of_keras(cell: str, sequences: bool) -> None:
    compare("RNN", {"cell": CELLS[cell], "return_sequences": sequences}, ROWS)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("cell", ["LSTMCell", "StackedRNNCells"])
def test_the_last_states_of_cells_are_those_of_keras(cell: str) -> None:
    config = {"cell": CELLS[cell], "return_state": True, "go_backwards": True}
    compare("RNN", config, ROWS)


def test_a_cell_computes_one_step_of_its_layer() -> None:
    cell, layer = nn.LSTMCell(3), nn.LSTM(3, return_state=True)
    x, h, c = RNG.normal(size=(2, 5)), RNG.normal(size=(2, 3)), RNG.normal(size=(2, 3))
    y = cell(x, [h, c])
    layer.build((None, 1, 5))
    layer.built = True
    layer.set_weights(cell.get_weights())
    for one, other in zip(y, layer(x[:, None], initial_state=[h, c]), strict=True):
        np.testing.assert_array_equal(one, other)


WORDS = np.array([[3, 1, 4, 0, 0], [0, 0, 5, 2, 0], [2, 6, 5, 3, 5]])
MASKED = {
    "Bidirectional": lambda of: of.Bidirectional(of.LSTM(3, return_sequences=True)),
    "last": lambda of: of.Bidirectional(of.GRU(3)),
    "RNN": lambda of: of.RNN(
        [of.LSTMCell(3), of.GRUCell(2)], return_sequences=True, go_backwards=True
    ),
    "TimeDistributed": lambda of: of.TimeDistributed(of.Dense(3)),
}


@pytest.mark.parametrize("kind", MASKED)
def test_words_that_are_masked_are_passed_over_as_in_keras(kind: str) -> None:
    def model(api: Any) -> Any:
        entry = api.Input((5,))
        x = api.layers.Embedding(8, 4, mask_zero=True)(entry)
        x = MASKED[kind](api.layers)(x)
        if len(x.shape) == 3:
            x = api.layers.GRU(2)(x)
        return api.Model(entry, x)

    ours, theirs = model(nn), model(keras)
    weights = [RNG.normal(size=w.shape).astype("f4") for w in ours.get_weights()]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    np.testing.assert_allclose(ours.predict_on_batch(WORDS), theirs(WORDS), atol=1e-5)


@pytest.mark.parametrize("kind", MASKED)
def test_layers_inside_others_come_back_from_a_file(kind: str) -> None:
    model = nn.Sequential([nn.Input((5,)), nn.Embedding(8, 4), MASKED[kind](nn.layers)])
    loaded = nn.io.load(nn.io.save(model, "npz"))
    np.testing.assert_array_equal(loaded.predict_on_batch(WORDS), model.predict_on_batch(WORDS))


@pytest.mark.parametrize("format", ["npz", "safetensors", "keras"])
def test_a_layer_inside_another_may_have_the_name_of_one_outside(format: str) -> None:
    layers = [nn.TimeDistributed(nn.Dense(3)), nn.Dense(2), nn.TimeDistributed(nn.Dense(4))]
    model = nn.Sequential([nn.Input((5,)), nn.Embedding(8, 4), *layers])
    loaded = nn.io.load(nn.io.save(model, format))
    np.testing.assert_array_equal(loaded.predict_on_batch(WORDS), model.predict_on_batch(WORDS))


def test_a_stateful_rnn_goes_on_where_the_last_batch_ended() -> None:
    layer = nn.RNN([nn.LSTMCell(3), nn.GRUCell(2)], stateful=True)
    whole = nn.RNN(layer.cells)
    np.testing.assert_allclose([layer(ROWS[:, :2]), layer(ROWS[:, 2:])][1], whole(ROWS), atol=1e-6)


def test_what_cannot_be_wrapped_is_refused() -> None:
    with pytest.raises(nn.errors.ConfigError, match="expected SimpleRNNCell, LSTMCell or GRUCell"):
        nn.RNN(nn.Dense(3))
    with pytest.raises(nn.errors.ConfigError, match="merge_mode must be"):
        nn.Bidirectional(nn.LSTM(3), merge_mode="max")
    with pytest.raises(nn.errors.ConfigError, match="expected a layer"):
        nn.TimeDistributed(3)


@pytest.mark.parametrize("kind", [kind for kind in CELLS if kind != "list"])
def test_a_cell_says_its_sizes_and_its_first_states_as_in_keras(kind: str) -> None:
    ours, theirs = CELLS[kind](nn.layers), CELLS[kind](keras.layers)
    assert ours.state_size == theirs.state_size
    assert ours.output_size == theirs.output_size
    made, expected = ours.get_initial_state(batch_size=4), theirs.get_initial_state(batch_size=4)
    if kind != "StackedRNNCells":
        made, expected = [made], [expected]
    for mine, wanted in zip(made, expected, strict=True):
        assert [s.shape for s in mine] == [np.shape(s) for s in wanted]
        assert not np.any(mine)
    with pytest.raises(nn.errors.ConfigError, match="batch_size"):
        ours.get_initial_state()
