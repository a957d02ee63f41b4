"""ConvLSTM against Keras 3: outputs, gradients, states, files."""

from __future__ import annotations

import base64
from typing import Any

import keras
import nn
import numpy as np
import pytest

from tests.support import tensorflowjs
from tests.unit.nn.against_keras.oracle import compare

RNG = np.random.default_rng(8)
IMAGES = RNG.normal(size=(2, 3, 6, 5, 2))
ROWS = RNG.normal(size=(2, 3, 7, 2))
BASE = {"filters": 3, "kernel_size": 3}
CASES: list[dict[str, Any]] = [
    {},
    {"padding": "same", "return_sequences": True},
    {"strides": 2, "go_backwards": True, "return_sequences": True},
    {"dilation_rate": 2, "use_bias": False},
    {"kernel_size": 2, "padding": "same", "activation": "relu", "recurrent_activation": "tanh"},
    {"return_state": True, "unit_forget_bias": False},
]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("config", CASES, ids=str)
def test_images_in_sequence_are_those_of_keras(config: dict[str, Any]) -> None:
    compare("ConvLSTM2D", {**BASE, "activation": "softsign", **config}, IMAGES)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("config", CASES[:3], ids=str)
def test_rows_in_sequence_are_those_of_keras(config: dict[str, Any]) -> None:
    compare("ConvLSTM1D", {**BASE, "activation": "softsign", **config}, ROWS)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("name", "x"), [("ConvLSTM2D", IMAGES), ("ConvLSTM1D", ROWS)])
@pytest.mark.parametrize("return_sequences", [False, True])
def test_channels_first_and_last_are_the_same(name: str, x: Any, return_sequences: bool) -> None:
    last = getattr(nn, name)(**BASE, return_sequences=return_sequences)
    first = getattr(nn, name)(
        **BASE, return_sequences=return_sequences, data_format="channels_first"
    )
    expected = last(x)
    first.ensure_built((None, x.shape[1], x.shape[-1], *x.shape[2:-1]))
    first.set_weights(last.get_weights())
    received = first(np.moveaxis(x, -1, 2))
    lead = 2 if return_sequences else 1
    np.testing.assert_allclose(np.moveaxis(received, lead, -1), expected, rtol=1e-9)
    nn.check_gradients(first, np.ascontiguousarray(np.moveaxis(x, -1, 2)), samples=15)


@pytest.mark.usefixtures("float64")
def test_begins_with_the_states_that_are_given() -> None:
    entry = nn.Input((3, 6, 5, 2))
    first, h, c = nn.ConvLSTM2D(3, 3, padding="same", return_state=True)(entry)
    y = nn.ConvLSTM2D(3, 3, padding="same")(entry, initial_state=[h, c])
    model = nn.Model(entry, [first, y])
    again = nn.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    for a, b in zip(model.predict_on_batch(IMAGES), again.predict_on_batch(IMAGES), strict=True):
        assert np.array_equal(a, b)
    with pytest.raises(nn.errors.ShapeError, match="states of shape"):
        nn.ConvLSTM2D(3, 3)(entry, initial_state=[h, c])


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    "config",
    [{}, {"strides": 2}, {"padding": "same", "dilation_rate": 2, "unit_forget_bias": False}],
    ids=str,
)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_cell_computes_one_step_of_its_layer(config: dict[str, Any], data_format: str) -> None:
    options = {**BASE, **config, "data_format": data_format}
    layer = nn.ConvLSTM2D(**options, return_state=True)
    cell = nn.ConvLSTM2DCell.from_config(nn.ConvLSTM2DCell(**options).get_config())
    x = IMAGES[:, 0] if data_format == "channels_last" else IMAGES[:, 0].transpose(0, 3, 1, 2)
    layer.ensure_built((None, 1, *x.shape[1:]))
    states = [
        RNG.normal(size=(2, *s[1:])) for s in layer.compute_output_shape((2, 1, *x.shape[1:]))
    ]
    made = cell(x, states[1:])
    layer.set_weights(cell.get_weights())
    for one, other in zip(made, layer(x[:, None], initial_state=states[1:]), strict=True):
        np.testing.assert_array_equal(one, other)
    if data_format == "channels_last":
        nn.check_gradients(cell, x, *states[1:], samples=10)


# A cell expects one shape to be built with, and receives three where it is called.
CELL_OF_TENSORFLOW_JS = """
const cell = tf.layers.convLstm2dCell({filters: 3, kernelSize: 2, padding: 'same',
  recurrentActivation: 'sigmoid', recurrentInitializer: 'glorotUniform'});
const inputs = [2, 3, 3].map(channels => tf.input({shape: [6, 5, channels]}));
cell.build(inputs[0].shape);
return tf.model({inputs, outputs: cell.apply(inputs)});"""


def test_a_cell_is_that_of_tensorflow_js() -> None:
    x = [RNG.normal(size=(2, 6, 5, channels)).astype(np.float32) for channels in (2, 3, 3)]
    [written] = tensorflowjs.ask([tensorflowjs.writing(CELL_OF_TENSORFLOW_JS, *x)])
    cell = nn.ConvLSTM2DCell(3, 2, padding="same")
    cell.ensure_built(*[(None, *a.shape[1:]) for a in x])
    flat = np.frombuffer(base64.b64decode(written["weights"]), np.float32)
    assert [spec["shape"] for spec in written["weightSpecs"]] == [
        [*v.shape] for v in cell.variables
    ]
    parts = np.split(flat, np.cumsum([v.size for v in cell.variables])[:-1])
    cell.set_weights([a.reshape(v.shape) for a, v in zip(parts, cell.variables, strict=True)])
    for theirs, ours in zip(written["outputs"], cell(x[0], x[1:]), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_a_sequence_takes_cells_of_vectors_alone() -> None:
    with pytest.raises(nn.errors.ConfigError, match="expected SimpleRNNCell, LSTMCell or GRUCell"):
        nn.RNN(nn.ConvLSTM2DCell(3, 3))


def test_a_file_of_keras_opens_and_goes_back(tmp_path: Any) -> None:
    layers = keras.layers
    theirs = keras.Sequential([
        keras.Input((3, 6, 5, 2)), layers.ConvLSTM2D(4, 3, padding="same", return_sequences=True),
        layers.BatchNormalization(), layers.ConvLSTM2D(2, 2), layers.Flatten(), layers.Dense(2),
    ])  # fmt: skip
    x = IMAGES.astype(np.float32)
    expected = np.asarray(theirs(x))
    theirs.save(tmp_path / "theirs.keras")
    ours = nn.io.load((tmp_path / "theirs.keras").read_bytes())
    np.testing.assert_allclose(ours.predict_on_batch(x), expected, rtol=1e-4, atol=1e-5)
    (tmp_path / "ours.keras").write_bytes(nn.io.save(ours, "keras"))
    again = keras.models.load_model(tmp_path / "ours.keras")
    np.testing.assert_allclose(again(x), expected, rtol=1e-4, atol=1e-5)
    ours.compile(nn.Adam(0.05), "mse")
    losses = [ours.train_on_batch(x, np.ones((2, 2))) for _ in range(20)]
    assert losses[-1] < 0.2 * losses[0]
