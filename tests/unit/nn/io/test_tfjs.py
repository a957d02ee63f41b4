"""Files of a layers-model, and the error of each kind of damage.

tests/browser/test_formats_tfjs.py compares with TensorFlow.js.
"""

import contextlib
import json

import nn
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn.io import errors, tfjs
from nn.io.limits import Limits
from nn.io.tfjs import manifest, write

X = np.random.default_rng(0).random((3, 8, 8, 1), dtype=np.float32)


def classifier():
    return nn.Sequential(
        [
            nn.Input((8, 8, 1)),
            nn.Conv2D(4, 3, activation="relu"),
            nn.Flatten(),
            nn.Dense(3, activation="softmax", kernel_regularizer="l2"),
        ]
    )


@pytest.fixture(scope="module")
def model():
    return classifier()


@pytest.fixture(scope="module")
def files(model):
    return tfjs.save_files(model)


def edited(files, change):
    document = json.loads(files["model.json"])
    change(document)
    return {**files, "model.json": json.dumps(document).encode()}


def test_files_and_archive_bring_back_the_model(model, files):
    for data in (files, nn.io.save(model, "tfjs")):
        loaded = nn.io.load(data)
        np.testing.assert_array_equal(loaded.predict_on_batch(X), model.predict_on_batch(X))
        assert loaded.layers[-1].kernel.regularizer.l2 == pytest.approx(0.01)


def test_a_graph_with_two_outputs_comes_back():
    entry = nn.Input((4,), name="entry")
    shared = nn.Dense(4, activation="tanh", name="shared")
    graph = nn.Model(entry, [shared(shared(entry)), nn.Dense(2, name="second")(entry)])
    loaded = nn.io.load(tfjs.save_files(graph))
    data = np.ones((2, 4), "f4")
    pairs = zip(loaded.predict_on_batch(data), graph.predict_on_batch(data), strict=True)
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours, theirs)


def test_quantized_files_take_a_quarter(model, files):
    small = tfjs.save_files(model, quantization={"uint8": "*/kernel"})
    shard = "group1-shard1of1.bin"
    biases = 4 * (4 + 3)
    assert len(small[shard]) - biases == (len(files[shard]) - biases) // 4
    difference = tfjs.load(small).predict_on_batch(X) - model.predict_on_batch(X)
    assert 0 < np.abs(difference).max() < 0.02


@given(st.dictionaries(st.text(max_size=5), st.integers(1, 4), max_size=3), st.integers(1, 40))
def test_any_arrays_pass_through_any_number_of_shards(sizes, shard_bytes):
    arrays = {name: np.arange(size * 3, dtype="f4").reshape(-1, 3) for name, size in sizes.items()}
    before = write.SHARD_BYTES
    write.SHARD_BYTES = shard_bytes
    try:
        encoded = write.encode({}, arrays)
    finally:
        write.SHARD_BYTES = before
    _, decoded, _ = manifest.decode(encoded)
    assert decoded.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(decoded[name], array)


@given(st.integers(0), st.integers(0, 7))
def test_a_flipped_bit_in_a_shard_is_noticed(position, bit):
    encoded = write.encode({}, {"a": np.arange(5, dtype="f4")})
    shard = bytearray(encoded["group1-shard1of1.bin"])
    shard[position % len(shard)] ^= 1 << bit
    with pytest.raises(errors.CorruptError, match="SHA-256"):
        manifest.decode({**encoded, "group1-shard1of1.bin": bytes(shard)})


@given(st.integers(0), st.integers(0, 255))
def test_damage_to_the_document_gives_a_model_or_a_named_error(position, byte):
    encoded = tfjs.save_files(nn.Sequential([nn.Input((2,)), nn.Dense(2)]))
    document = bytearray(encoded["model.json"])
    document[position % len(document)] = byte
    with contextlib.suppress(errors.FormatError):
        tfjs.load({**encoded, "model.json": bytes(document)})


def weight(document, **changes):
    document["weightsManifest"][0]["weights"][0].update(changes)


def layer(document, index, **changes):
    document["modelTopology"]["config"]["layers"][index]["config"].update(changes)


def grow(document):
    weight(document, shape=[3, 3, 1, 400])
    document["userDefinedMetadata"] = None


def shrink(document):
    weight(document, shape=[3, 3, 1, 1])
    document["userDefinedMetadata"] = None


def shapeless(document):
    layer(document, 0, batch_input_shape=None)
    document["modelTopology"]["config"]["build_input_shape"] = None


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda d: d.pop("modelTopology"), errors.MissingEntryError, "'modelTopology'"),
        (lambda d: d.pop("weightsManifest"), errors.CorruptError, "weightsManifest"),
        (grow, errors.TruncatedError, r"conv2d/kernel.*expected 14400 bytes"),
        (shrink, errors.CorruptError, r"expected \d+ bytes, received"),
        (lambda d: weight(d, shape=[-1]), errors.CorruptError, "name and shape"),
        (lambda d: weight(d, dtype="string"), errors.UnsupportedError, "received 'string'"),
        (lambda d: weight(d, name="theirs"), errors.MissingEntryError, "conv2d/kernel"),
        (
            lambda d: weight(d, quantization={"dtype": "uint4"}),
            errors.UnsupportedError,
            "received 'uint4'",
        ),
        (
            lambda d: d["weightsManifest"][0]["paths"].append("group1-shard2of2.bin"),
            errors.MissingEntryError,
            r"shard2of2\.bin",
        ),
        (lambda d: layer(d, 1, groups=2.5), errors.CorruptError, "topology"),
        (
            lambda d: layer(d, 1, data_format="channels_first"),
            errors.CorruptError,
            "a window of 3 does not fit into an axis of 1",
        ),
        (lambda d: layer(d, 3, kernel_constraint={"a": 1}), errors.UnsupportedError, "constraint"),
        (lambda d: layer(d, 3, dtype="complex64"), errors.UnsupportedError, "complex64"),
        (shapeless, errors.MissingEntryError, "input's shape"),
        (
            lambda d: d["modelTopology"]["config"]["layers"][2].update(class_name="Flat"),
            errors.UnsupportedError,
            "'Flat'",
        ),
        (
            lambda d: d["modelTopology"].update(class_name="os.system"),
            errors.UnsupportedError,
            r"os\.system",
        ),
    ],
)
def test_names_each_contradiction_in_the_document(files, change, error, message):
    with pytest.raises(error, match=message):
        tfjs.load(edited(files, change))


def test_names_the_missing_files(files):
    with pytest.raises(errors.MissingEntryError, match=r"model\.json"):
        tfjs.load({})
    with pytest.raises(errors.MissingEntryError, match="shard1of1"):
        tfjs.load({"model.json": files["model.json"]})


def test_refuses_more_than_the_limits(files):
    for limits in (Limits(total=500), Limits(document=100), Limits(entries=1)):
        with pytest.raises(errors.LimitError):
            tfjs.load(files, limits=limits)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: nn.Conv2D(4, 1, groups=2), "groups=2"),
        (lambda: nn.Conv2D(4, 1, data_format="channels_first"), "expected channels_last"),
        (lambda: nn.Dense(2, activation="hard_sigmoid"), "hard_sigmoid"),
        (lambda: nn.Dense(2, activation="exponential"), "exponential"),
        (lambda: nn.ReLU(negative_slope=0.1), "negative_slope"),
        (lambda: nn.ELU(0.5), "supports alpha=1 only"),
        (lambda: nn.UpSampling2D(2, interpolation="bilinear"), "bilinear"),
        (lambda: nn.GlobalMaxPooling2D(keepdims=True), "keepdims"),
        (lambda: nn.Resizing(2, 2), "no such layer"),
    ],
)
def test_refuses_what_tensorflow_js_has_not_or_has_otherwise(layer, message):
    with pytest.raises(errors.UnsupportedError, match=message):
        tfjs.save_files(nn.Sequential([nn.Input((4, 4, 4)), layer()]))


def test_a_layer_of_ones_own_cannot_be_exported():
    class Twice(nn.Layer):
        def forward(self, ctx, x, training=False):
            return 2 * x

    with pytest.raises(errors.UnsupportedError, match="Twice"):
        tfjs.save_files(nn.Sequential([nn.Input((4,)), Twice()]))


def test_keras_2_models_of_a_list_of_layers_are_read():
    dense = {"class_name": "Dense", "config": {"units": 2, "batch_input_shape": [None, 3]}}
    arrays = {"dense/kernel": np.ones((3, 2), "f4"), "dense/bias": np.zeros(2, "f4")}
    encoded = write.encode({"class_name": "Sequential", "config": [dense]}, arrays)
    loaded = nn.io.load(encoded)
    assert loaded.predict_on_batch(np.ones((1, 3))).tolist() == [[3, 3]]
