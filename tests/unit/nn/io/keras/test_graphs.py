"""`.keras` files of graphs: masks that Keras names, and models and cells inside other layers."""

import io
import itertools
import json
import os
import zipfile
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"

import keras
import nn
import numpy as np
import pytest
from nn.io import errors

# Keras' variables predate NumPy 2's `copy` argument.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

L = keras.layers
RNG = np.random.default_rng(0)
WORDS = RNG.integers(0, 5, (4, 6)).astype(np.float32)
WORDS[:, 4:] = 0
STEPS = RNG.standard_normal((4, 6, 4), np.float32)
STEPS[:, 3:5] = 0
ROWS = [RNG.standard_normal((3, 5), np.float32) for _ in range(2)]


def written(model, path):
    model.save(path)
    return path.read_bytes()


def assert_same(models, x):
    ours, theirs = (m.predict_on_batch(x) for m in models)
    if not isinstance(theirs, list):
        ours, theirs = [ours], [theirs]
    for received, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(received, expected, 1e-5, 1e-6)


def embedded(**options):
    return L.Embedding(5, 4, mask_zero=True, **options)


def after_an_embedding(entry):
    return L.LSTM(3)(embedded()(entry))


def through_layers_that_hand_it_on(entry):
    x = L.Dropout(0.1)(embedded()(entry))
    return [L.Bidirectional(L.LSTM(2))(x), L.TimeDistributed(L.Dense(2))(x)]


def beside_attention(entry):
    x = embedded()(entry)
    return L.GlobalAveragePooling1D()(L.Add()([L.MultiHeadAttention(2, 3)(x, x), x]))


def of_two_calls_in_one(entry):
    layer = embedded()
    return L.LSTM(3)(L.Concatenate(axis=1)([layer(entry), layer(entry)]))


def with_states(entry):
    x, h, _ = L.LSTM(3, return_sequences=True, return_state=True)(embedded()(entry))
    return [L.GRU(2)(x), h]


def inside_a_model(entry):
    words = keras.Input((6,))
    return L.Dense(2)(keras.Model(words, L.LSTM(2)(embedded()(words)))(entry))


def after_masking(entry):
    return L.LSTM(3)(L.GRU(2, return_sequences=True)(L.Masking()(entry)))


def of_another_number(entry):
    return L.RNN([L.LSTMCell(3), L.GRUCell(2)])(L.Masking(-1.0)(entry))


def stacked(layers):
    return layers.RNN([layers.LSTMCell(3), layers.LSTMCell(3)], return_sequences=True)


CELLS = {
    "two cells of one kind": stacked,
    "those of both directions": lambda layers: layers.Bidirectional(stacked(layers)),
    "those of both directions for each of several": lambda layers: layers.TimeDistributed(
        layers.Bidirectional(stacked(layers))
    ),
}


@pytest.mark.parametrize("cells", CELLS)
def test_cells_of_one_name_keep_their_weights_in_every_format(cells, tmp_path):
    shape = (2, 6, 4) if "several" in cells else (6, 4)
    ours = nn.Sequential([nn.Input(shape), CELLS[cells](nn.layers)])
    x = RNG.standard_normal((3, *shape), np.float32)
    for format in ("npz", "keras"):
        assert_same((nn.io.load(nn.io.save(ours, format)), ours), x)
    path = tmp_path / "model.keras"
    path.write_bytes(nn.io.save(ours, "keras"))
    assert_same((ours, keras.models.load_model(path)), x)
    theirs = keras.Sequential([keras.Input(shape), CELLS[cells](L)])
    assert_same((nn.io.load(written(theirs, path)), theirs), x)
    weights = nn.io.save(ours, "safetensors")
    before = ours.get_weights()
    ours.set_weights([0 * w for w in before])
    nn.io.load_weights(ours, weights)
    for one, other in zip(ours.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def images_of_several(module, layers):
    stack = [
        module.Input((6, 5, 2)), layers.Conv2D(3, 2), layers.BatchNormalization(),
        layers.LayerNormalization(), layers.Conv2D(2, 2), layers.Flatten(), layers.Dense(3),
    ]  # fmt: skip
    inner = module.Sequential(stack)
    inner = module.Sequential([module.Input((6, 5, 2)), inner, layers.Dense(3)])
    entry = module.Input((4, 6, 5, 2))
    return module.Model(entry, layers.TimeDistributed(inner)(entry))


def test_a_model_for_each_of_several_keeps_its_weights_both_ways(tmp_path):
    ours, theirs = images_of_several(nn, nn.layers), images_of_several(keras, L)
    scattered = [RNG.uniform(0.1, 0.6, w.shape).astype(np.float32) for w in theirs.get_weights()]
    theirs.set_weights(scattered)
    ours.set_weights(scattered)
    x, path = RNG.standard_normal((2, 4, 6, 5, 2), np.float32), tmp_path / "model.keras"
    read = nn.io.load(written(theirs, path))
    assert_same((read, theirs), x)
    path.write_bytes(nn.io.save(ours, "keras"))
    assert_same((ours, keras.models.load_model(path)), x)
    (tmp_path / "model.weights.h5").write_bytes(nn.io.save_weights(ours))
    theirs.set_weights([0 * w for w in scattered])
    theirs.load_weights(tmp_path / "model.weights.h5")
    assert_same((ours, theirs), x)


def tied(module, layers):
    entry, code = module.Input((6,)), module.Input((3,))
    encoded = layers.Dense(3, activation="tanh")(entry)
    encoder, decoder = module.Model(entry, encoded), module.Model(code, layers.Dense(6)(code))
    return module.Model(entry, [decoder(encoder(entry)), encoded])


def test_a_layer_that_a_model_shares_with_one_inside_is_counted_once():
    ours, theirs = tied(nn, nn.layers), tied(keras, L)
    assert ours.count_params() == theirs.count_params()
    ours.set_weights(theirs.get_weights())
    x = RNG.standard_normal((3, 6), np.float32)
    assert_same((ours, theirs), x)
    targets = [np.ones_like(y) for y in ours.predict_on_batch(x)]
    ours.compile(nn.SGD(1.0), ["mse", "mse"])
    theirs.compile(keras.optimizers.SGD(1.0), ["mse", "mse"])
    ours.train_on_batch(x, targets)
    theirs.train_on_batch(x, targets)
    for own, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(own, other, atol=1e-6)


OF_WORDS = (
    after_an_embedding, through_layers_that_hand_it_on, beside_attention, of_two_calls_in_one,
    with_states, inside_a_model,
)  # fmt: skip
MASKED = dict.fromkeys(OF_WORDS, WORDS) | {after_masking: STEPS, of_another_number: STEPS}


@pytest.mark.parametrize("make", MASKED, ids=lambda make: make.__name__)
def test_a_mask_that_keras_names_is_the_one_that_layers_hand_on_here(make, tmp_path):
    x = MASKED[make]
    entry = keras.Input(x.shape[1:])
    theirs = keras.Model(entry, make(entry))
    assert_same((nn.io.load(written(theirs, tmp_path / "model.keras")), theirs), x)


def test_another_mask_is_refused_by_the_layer_that_takes_it(tmp_path):
    entry, other = keras.Input((6,)), keras.Input((6,))
    for embedding, seen in ((L.Embedding(5, 4), entry), (embedded(), other)):
        mask = keras.ops.not_equal(seen, 0)
        x = L.LSTM(3, name="reads")(embedding(entry), mask=mask)
        model = keras.Model([entry, other], [x, L.Flatten()(other)])
        data = written(model, tmp_path / "model.keras")
        with pytest.raises(errors.UnsupportedError, match="layer 'reads': expected the mask of an"):
            nn.io.load(data)


def inner(module, layers, kind):
    """Return a model of one layer, to call in another."""
    if kind == "Sequential":
        stack = [module.Input((5,)), layers.Dense(5, activation="tanh")]
        return module.Sequential(stack, name="inner")
    x = module.Input((5,))
    return module.Model(x, layers.Dense(5, activation="tanh")(x), name="inner")


ENDS = [ends for n in (1, 2) for ends in itertools.product("abcd", repeat=n)]
"""Outputs of a model: of three calls of one inside it, and of a layer that reads the second."""


def called(module, layers, kind, ends):
    one = inner(module, layers, kind)
    entries = module.Input((5,), name="i"), module.Input((5,), name="j")
    made = dict(zip("ab", map(one, entries), strict=True))
    made["c"], made["d"] = one(made["a"]), layers.Dense(2, name="reads")(made["b"])
    outputs = [made[end] for end in ends]
    return module.Model(entries, outputs if len(ends) > 1 else outputs[0])


@pytest.mark.parametrize("kind", ["Functional", "Sequential"])
@pytest.mark.parametrize("ends", ENDS, ids="".join)
def test_each_call_of_a_model_inside_passes_both_ways(ends, kind, tmp_path):
    path = tmp_path / "model.keras"
    ours, theirs = called(nn, nn.layers, kind, ends), called(keras, L, kind, ends)
    ours.set_weights(theirs.get_weights())
    assert_same((nn.io.load(written(theirs, path)), theirs), ROWS)
    data = nn.io.save(ours, "keras")
    path.write_bytes(data)
    assert_same((nn.io.load(data), ours), ROWS)
    assert_same((ours, keras.models.load_model(path)), ROWS)


@pytest.mark.parametrize("names", [list, dict])
def test_masks_that_a_call_of_several_inputs_lacks_say_nothing(names, tmp_path):
    a, b = keras.Input((5,), name="a"), keras.Input((5,), name="b")
    given = [a, b] if names is list else {"a": a, "b": b}
    model = keras.Model(given, L.Subtract()([a, b]))
    x, y = keras.Input((5,), name="x"), keras.Input((5,), name="y")
    theirs = keras.Model([x, y], model([x, y] if names is list else {"a": x, "b": y}))
    assert_same((nn.io.load(written(theirs, tmp_path / "model.keras")), theirs), ROWS)


@pytest.mark.parametrize(
    "parts",
    [
        lambda x: x[:, 0],
        lambda x: [x[:, -1], x[..., 1:3, ::2], x[..., 0], x[:, -3:-1], x[:, ::-1, 1]],
        lambda x: x[:, 1:] - x[:, :-1],
    ],
)
def test_parts_of_a_tensor_pass_both_ways(parts, tmp_path):
    entry = keras.Input((6, 4))
    theirs = keras.Model(entry, parts(L.Dense(4)(entry)))
    ours = nn.io.load(written(theirs, tmp_path / "theirs.keras"))
    assert_same((ours, theirs), STEPS)
    entry = nn.Input((6, 4))
    ours = nn.Model(entry, parts(nn.Dense(4)(entry)))
    (tmp_path / "ours.keras").write_bytes(nn.io.save(ours, "keras"))
    assert_same((ours, keras.models.load_model(tmp_path / "ours.keras")), STEPS)


@pytest.mark.parametrize("part", [lambda x: x[:, None], lambda x: x[1:, 0], lambda x: x[0]])
def test_a_part_of_another_kind_is_refused_by_name(part, tmp_path):
    entry = keras.Input((6, 4))
    model = keras.Model(entry, part(L.Identity()(entry)))
    with pytest.raises(errors.UnsupportedError, match=r"'get_item.*ints and slices"):
        nn.io.load(written(model, tmp_path / "theirs.keras"))


def test_a_damaged_part_is_refused(tmp_path):
    entry = keras.Input((6, 4))
    data = written(keras.Model(entry, entry[:, 1:3]), tmp_path / "theirs.keras")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        document = json.loads(archive.read("config.json"))
    [call] = document["config"]["layers"][1]["inbound_nodes"]
    tensor, (whole, piece) = call["args"]
    for args in (
        [], [tensor], [tensor, None], [tensor, []], [tensor, {}], [tensor, [whole, {}]],
        [tensor, [whole, {"class_name": "__slice__", "config": {"start": 1.5}}]],
        [tensor, [whole, {**piece, "config": {**piece["config"], "step": 0}}]],
        [tensor, [whole, whole, whole, 0]], [{"config": None}, [whole, 1]], [tensor, 5],
    ):  # fmt: skip
        call["args"] = args
        with pytest.raises(errors.FormatError):
            nn.models.model_from_json(json.dumps(document))


def dense(layers, name):
    return layers.Dense(5, name=name)


def of_two_lengths(module, layers, x):
    long = dense(layers, "c")(dense(layers, "b")(x))
    return layers.Add()([dense(layers, "a")(x), long])


def of_named_outputs(module, layers, x):
    long = dense(layers, "c")(dense(layers, "b")(x))
    return {"second": dense(layers, "a")(long), "first": dense(layers, "d")(x)}


def of_one_called_twice(module, layers, x):
    twice = dense(layers, "a")
    y = layers.Multiply()([dense(layers, "b")(x), twice(dense(layers, "c")(twice(x)))])
    return layers.Maximum()([dense(layers, "d")(x), y])


def beside_an_array(module, layers, x):
    scaled = dense(layers, "b")(x) * np.full((1, 5), 0.5, np.float32)
    return layers.Add()([dense(layers, "c")(dense(layers, "d")(x)), scaled])


def around_another(module, layers, x):
    entry = module.Input((5,))
    inner = module.Model(entry, of_two_lengths(module, layers, entry), name="inner")
    return layers.Subtract()([dense(layers, "d")(x), dense(layers, "e")(inner(x))])


def in_a_wrapper(module, layers, x):
    """A model in a wrapper, with a layer that is frozen and one that keeps averages."""
    entry = module.Input((5,))
    y = of_two_lengths(module, layers, layers.BatchNormalization(name="n")(entry))
    inner = module.Model(entry, layers.Add()([dense(layers, "f")(entry), dense(layers, "g")(y)]))
    inner.get_layer("f").trainable = inner.get_layer("c").trainable = False
    steps = layers.TimeDistributed(inner, name="steps")(layers.Reshape((1, 5))(x))
    return layers.Add()([dense(layers, "d")(x), layers.Reshape((5,))(steps)])


BRANCHED = (
    of_two_lengths, of_named_outputs, of_one_called_twice, beside_an_array, around_another,
    in_a_wrapper,
)  # fmt: skip


def branched(module, layers, make):
    x = module.Input((5,))
    return module.Model(x, make(module, layers, x))


def train(model, module, times):
    """Train with a momentum, which the file keeps."""
    if not model.compiled:
        model.compile(module.optimizers.SGD(0.1, momentum=0.9), "mse")
    outputs = model.predict_on_batch(ROWS[0])
    named = isinstance(outputs, dict)
    target = {k: np.ones_like(y) for k, y in outputs.items()} if named else np.ones_like(outputs)
    for _ in range(times):
        model.train_on_batch(ROWS[0], target)


def by_layer(model):
    """Return the weights by the name of their layer."""
    found = {}
    for layer in model.layers:
        inside = getattr(layer, "layer", layer)
        nested = hasattr(inside, "layers")
        found |= by_layer(inside) if nested else {layer.name: layer.get_weights()}
    return {name: weights for name, weights in found.items() if weights}


@pytest.mark.parametrize("by", [keras, nn], ids=lambda by: by.__name__)
@pytest.mark.parametrize("make", BRANCHED)
def test_layers_of_branches_keep_their_weights_and_momenta_in_files_both_ways(make, by, tmp_path):
    path = tmp_path / "model.keras"
    first = branched(by, by.layers, make)
    train(first, by, 2)
    path.write_bytes(nn.io.save(first, "keras") if by is nn else written(first, path))
    ours, theirs = nn.io.load(path.read_bytes()), keras.models.load_model(path)
    for model, module in ((first, by), (ours, nn), (theirs, keras)):
        train(model, module, 2)
    for model in (ours, theirs):
        expect_alike(model, first, 1e-4)


@pytest.mark.parametrize("make", BRANCHED)
def test_layers_of_branches_keep_their_weights_and_momenta_from_older_files(make, tmp_path):
    theirs = branched(keras, keras.layers, make)
    train(theirs, keras, 2)
    theirs.save(tmp_path / "model.h5")
    ours = nn.io.load((tmp_path / "model.h5").read_bytes())
    expect_alike(ours, theirs)
    for model, module in ((ours, nn), (theirs, keras)):
        train(model, module, 2)
    expect_alike(ours, theirs, 1e-4)


@pytest.mark.parametrize("make", BRANCHED)
def test_layers_of_branches_keep_their_weights_in_files_of_weights_both_ways(make, tmp_path):
    ours, theirs = branched(nn, nn.layers, make), branched(keras, keras.layers, make)
    theirs.save_weights(tmp_path / "model.weights.h5")
    ours.load_weights(tmp_path / "model.weights.h5")
    expect_alike(ours, theirs)
    again = branched(keras, keras.layers, make)
    ours.save_weights(tmp_path / "model.weights.h5")
    again.load_weights(tmp_path / "model.weights.h5")
    expect_alike(ours, again)


def expect_alike(model, reference, tolerance=0.0):
    received, expected = by_layer(model), by_layer(reference)
    assert received.keys() == expected.keys()
    for name, weights in expected.items():
        for own, given in zip(received[name], weights, strict=True):
            np.testing.assert_allclose(own, given, tolerance, tolerance / 10, err_msg=name)


@pytest.mark.parametrize("make", BRANCHED)
def test_layers_of_branches_are_listed_and_their_weights_given_in_keras_order(make):
    ours, theirs = branched(nn, nn.layers, make), branched(keras, keras.layers, make)
    assert names_of(ours) == names_of(theirs)
    ours.set_weights(theirs.get_weights())
    expect_alike(ours, theirs)
    for which in ("weights", "trainable_weights", "non_trainable_weights"):
        for own, given in zip(getattr(ours, which), getattr(theirs, which), strict=True):
            np.testing.assert_array_equal(own.numpy(), given.numpy(), err_msg=which)


def names_of(model):
    """Return the names of the layers that have weights, and of the models inside."""
    return [layer.name for layer in model.layers if layer.weights]


def test_models_in_branches_keep_their_weights_in_files_of_earlier_versions():
    """The file was written when groups were numbered in the order of computation."""
    file = Path(__file__).parent / "files" / "models_in_branches.keras"
    model = nn.io.load(file.read_bytes())
    for name, value in (("p", 1), ("q", 2), ("r", 3)):
        assert np.all(model.get_layer(name).get_layer("a").get_weights()[0] == value), name
