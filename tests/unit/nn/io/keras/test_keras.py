"""`.keras` files: Keras' files read with both HDF5 readers, and ours read by Keras."""

import contextlib
import functools
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"

import h5py
import jax
import keras
import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from nn.io import archive, errors
from nn.io.hdf5 import read, write
from nn.io.keras import read_config
from nn.io.limits import Limits

# Keras' variables predate NumPy 2's `copy` argument.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

L = keras.layers
X = np.random.default_rng(0).random((3, 8, 8, 1), dtype=np.float32)


def sequential():
    layers = [
        keras.Input((8, 8, 1)),
        L.Conv2D(4, 3, activation="relu", padding="same"),
        L.MaxPooling2D(),
        L.Conv2D(3, 2, kernel_regularizer="l2"),
        L.LeakyReLU(negative_slope=0.1),
        L.Flatten(),
        L.Dropout(0.2),
        L.Dense(5, activation="gelu", kernel_initializer="he_normal"),
        L.Dense(3, activation="softmax"),
    ]
    return keras.Sequential(layers)


def functional():
    entry = keras.Input((8, 8, 1), name="entry")
    hidden = L.Dense(6, activation="tanh", name="hidden")
    square = L.Dense(6)(hidden(L.Dense(6)(L.Flatten()(entry))))
    inner = keras.Sequential([keras.Input((6,)), L.Dense(4, activation="elu"), L.Dense(2)])
    return keras.Model(entry, [hidden(square), inner(square)], name="two_outputs")


def images():
    layers = [
        keras.Input((12, 11, 3)),
        L.ZeroPadding2D(((1, 2), (0, 1))),
        L.DepthwiseConv2D(3, depth_multiplier=2, activation="relu"),
        L.BatchNormalization(epsilon=0.01),
        L.SeparableConv2D(5, 3, padding="same", activation="silu"),
        L.UpSampling2D(2, interpolation="bilinear"),
        L.AveragePooling2D(2, padding="same"),
        L.Conv2DTranspose(3, 3, strides=2, padding="same"),
        L.SpatialDropout2D(0.3),
        L.LayerNormalization(),
        L.GlobalAveragePooling2D(),
        L.Rescaling(2.0, offset=-1.0),
        L.Reshape((1, 3)),
        L.Permute((2, 1)),
        L.GaussianNoise(0.1),
        L.Flatten(),
        L.Dense(4),
    ]
    return keras.Sequential(layers)


def sequences():
    entry = keras.Input((7, 4))
    x = L.Conv1D(5, 2, padding="causal", activation="relu")(entry)
    left = L.LSTM(5, return_sequences=True)(x)
    right = L.GRU(5, return_sequences=True, go_backwards=True)(x)
    x = L.Concatenate()([L.Add()([left, right]), L.Multiply()([left, x])])
    return keras.Model(entry, L.GRU(2)(L.SimpleRNN(3, return_sequences=True)(x)))


def words():
    layers = [keras.Input((5,)), L.Embedding(9, 4), L.Flatten(), L.Dense(2)]
    return keras.Sequential(layers)


def attentive():
    entry = keras.Input((4, 5))
    x = L.MultiHeadAttention(2, 3)(entry, value=entry, use_causal_mask=True)
    x = L.Bidirectional(L.LSTM(3, return_sequences=True))(x)
    x = L.RNN([L.LSTMCell(3), L.LSTMCell(2), L.GRUCell(2)], return_sequences=True)(x)
    x = L.TimeDistributed(L.Dense(3))(L.RNN(L.SimpleRNNCell(2), return_sequences=True)(x))
    x = L.TimeDistributed(L.LSTM(3))(L.Reshape((4, 3, 1))(x))
    x = L.PReLU()(L.GroupNormalization(3)(x))
    return keras.Model(entry, L.Attention(use_scale=True)([x, x], use_causal_mask=True))


INPUTS = {
    attentive: np.random.default_rng(1).random((2, 4, 5), dtype=np.float32),
    sequential: X,
    functional: X,
    images: np.random.default_rng(1).random((2, 12, 11, 3), dtype=np.float32),
    sequences: np.random.default_rng(1).random((2, 7, 4), dtype=np.float32),
    words: np.array([[0, 1, 2, 8, 4]], np.float32),
}


def written(model, path):
    model.save(path)
    return path.read_bytes()


def outputs(model, x):
    # Keras is called as one program rather than asked to predict, which would compile for seconds.
    known = isinstance(model, keras.Model)
    called = jax.jit(functools.partial(model, training=False)) if known else model.predict_on_batch
    results = called(x)
    return [np.asarray(y) for y in (results if isinstance(results, list) else [results])]


def scatter(model):
    """Give every weight, biases and statistics too, values that show when they are misplaced."""
    for number, weight in enumerate(model.weights):
        least = 0.1 if "variance" in weight.path else -0.5
        weight.assign(np.random.default_rng(number).uniform(least, 0.6, weight.shape))


@pytest.mark.promise(
    "Earlier work: models in production",
    "Models of Keras and TensorFlow.js are opened",
)
@pytest.mark.parametrize("make", INPUTS)
def test_a_model_of_keras_predicts_the_same_here_and_goes_back(make, tmp_path):
    theirs = make()
    scatter(theirs)
    data = written(theirs, tmp_path / "model.keras")
    assert nn.io.sniff(data) == "keras"
    ours = nn.io.load(data)
    x = INPUTS[make]
    for received, expected in zip(outputs(ours, x), outputs(theirs, x), strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-5)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert_back_in_keras(ours, theirs, tmp_path / "again.keras")


def assert_back_in_keras(ours, theirs, path):
    path.write_bytes(nn.io.save(ours, "keras"))
    loaded = keras.models.load_model(path)
    for again, expected in zip(loaded.weights, theirs.weights, strict=True):
        np.testing.assert_array_equal(again.numpy(), expected.numpy())
    config, wanted = (json.dumps(m.get_config(), sort_keys=True) for m in (loaded, theirs))
    for option in ('"go_backwards": true', '"depth_multiplier": 2', '"padding": "causal"'):
        assert (option in config) == (option in wanted)


def test_a_model_from_here_predicts_the_same_in_keras(tmp_path):
    entry = nn.Input((8, 8, 1))
    shared = nn.Dense(7, activation="silu", kernel_regularizer="l2")
    x = nn.Flatten()(nn.Conv2D(3, 3, strides=2, activation="relu")(entry))
    x = shared(nn.Dense(7)(shared(nn.Dense(7)(x))))
    stack = nn.Sequential([nn.Input((7,)), nn.Dense(4, activation="tanh")])
    ours = nn.Model(entry, [stack(x), nn.Dense(3, activation="softmax", name="head")(x)])
    path = tmp_path / "model.keras"
    path.write_bytes(nn.io.save(ours, "keras"))
    theirs = keras.models.load_model(path)
    for received, expected in zip(outputs(theirs, X), outputs(ours, X), strict=True):
        np.testing.assert_allclose(received, expected, atol=1e-5)


def test_a_sequential_model_goes_to_keras_and_back(tmp_path):
    ours = nn.Sequential([nn.Input((4,)), nn.Dense(3, activation="relu"), nn.Dense(2)])
    path = tmp_path / "model.keras"
    path.write_bytes(nn.io.save(ours, "keras"))
    theirs = keras.models.load_model(path)
    again = nn.io.load(written(theirs, tmp_path / "again.keras"))
    for a, b in zip(ours.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


PURE = """
import sys

class OnlyNumPy:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"h5py", "numcodecs", "fsspec", "keras"}:
            raise ImportError(name)

sys.meta_path.insert(0, OnlyNumPy())
sys.path.insert(0, sys.argv[1])
import nn
print(nn.io.load(open(sys.argv[2], "rb").read()).count_params())
"""


def test_reading_needs_nothing_that_is_compiled_but_numpy(tmp_path):
    path = tmp_path / "model.keras"
    theirs = sequential()
    theirs.save(path)
    folder = str(Path(nn.__file__).parent.parent)
    command = [sys.executable, "-c", PURE, folder, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(theirs.count_params()), done.stderr


# Damage.


@pytest.fixture(scope="module")
def saved():
    return nn.io.save(nn.Sequential([nn.Input((2,)), nn.Dense(3)]), "keras")


def edited(data, name, change):
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    members[name] = change(members[name])
    return archive.pack(members)


def changed(*path, value):
    def change(data):
        document = json.loads(data)
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        return json.dumps(document).encode()

    return change


def dataset(path, array):
    def change(data):
        stream = io.BytesIO(data)
        with h5py.File(stream, "r+") as file:
            if path in file:
                del file[path]
            if array is not None:
                file[path] = array
        return stream.getvalue()

    return change


def outside(data):
    stream = io.BytesIO(data)
    with h5py.File(stream, "r+") as file:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = h5py.ExternalLink("/etc/passwd", "/")
    return stream.getvalue()


LAYER = ("config", "layers", 1, "config")


@pytest.mark.parametrize(
    ("member", "change", "error", "message"),
    [
        ("config.json", lambda data: data[:50], errors.CorruptError, "expected JSON"),
        ("config.json", changed("class_name", value="X"), errors.UnsupportedError, "'X'"),
        ("config.json", changed(*LAYER, "units", value=4), errors.MismatchError, r"\(2, 4\)"),
        ("config.json", changed(*LAYER, "units", value=10**9), errors.LimitError, "units|weights"),
        ("config.json", changed(*LAYER, "lora", value=4), errors.UnsupportedError, "lora"),
        ("config.json", changed(*LAYER, "activation", value="f"), errors.CorruptError, "'f'"),
        ("model.weights.h5", lambda data: data[:900], errors.CorruptError, "HDF5"),
        ("model.weights.h5", lambda data: b"x" + data, errors.UnknownFormatError, "HDF5"),
        (
            "model.weights.h5",
            dataset("layers/dense/vars/1", None),
            errors.MissingEntryError,
            "expected 2 arrays for 'dense', received 1",
        ),
        (
            "model.weights.h5",
            dataset("layers/dense/vars/2", np.ones(3)),
            errors.MismatchError,
            "received 3",
        ),
        (
            "model.weights.h5",
            dataset("layers/dense/vars/1", np.ones(4)),
            errors.MismatchError,
            r"dense/bias.*\(3,\), received \(4,\)",
        ),
        ("model.weights.h5", dataset("a", "text"), errors.UnsupportedError, "'a': expected"),
        ("model.weights.h5", outside, errors.UnsupportedError, "ExternalLink"),
    ],
)
def test_names_each_damage(saved, member, change, error, message):
    with pytest.raises(error, match=message):
        nn.io.load(edited(saved, member, change))


@pytest.mark.parametrize("version", ["2.15", "3.15"])
def test_a_stack_of_no_layers_is_refused_as_in_keras(version):
    settings = {"name": "m", "layers": [], "build_input_shape": [None, 5]}
    document = {"class_name": "Sequential", "config": settings}
    with pytest.raises(ValueError, match="no layers"):
        keras.Sequential.from_config(settings)
    with pytest.raises(errors.MissingEntryError, match="expected the input's shape and layers"):
        read_config.read(document, version=version)


def test_a_missing_member_is_named(saved):
    with zipfile.ZipFile(io.BytesIO(saved)) as source:
        config = source.read("config.json")
    with pytest.raises(errors.MissingEntryError, match=r"model\.weights\.h5"):
        nn.io.load(archive.pack({"config.json": config}))


def test_a_dataset_beyond_the_limit_is_not_read(saved):
    def grow(data):
        stream = io.BytesIO(data)
        with h5py.File(stream, "r+") as file:
            file.create_dataset("huge", shape=(1 << 40,), dtype="f4", chunks=(1024,))
        return stream.getvalue()

    with pytest.raises(errors.LimitError, match=r"huge.*received 43980465111\d\d"):
        nn.io.load(edited(saved, "model.weights.h5", grow))
    with pytest.raises(errors.LimitError):
        nn.io.load(saved, limits=Limits(entries=3))


def heap(index, length):
    """Give the object with this index in the texts' heap another length."""

    def change(data):
        start = data.index(b"GCOL")
        place = start + 16
        while data[place] != index:
            place += 16 + -(-int.from_bytes(data[place + 8 : place + 16], "little") // 8) * 8
        return data[: place + 8] + length.to_bytes(8, "little") + data[place + 16 :]

    return change


@pytest.mark.parametrize(("index", "length"), [(0, 0), (0, 16), (1, 255), (1, 1 << 60)])
def test_a_heap_that_its_objects_do_not_fill_is_refused(saved, index, length):
    """HDF5's library walks some of these for ever."""
    with pytest.raises(errors.CorruptError, match="heap at byte"):
        nn.io.load(edited(saved, "model.weights.h5", heap(index, length)))


@given(st.integers(0), st.integers(0, 255))
def test_damage_to_the_weights_gives_a_model_or_a_named_error(saved, position, byte):
    def change(data):
        damaged = bytearray(data)
        damaged[position % len(damaged)] = byte
        return bytes(damaged)

    with contextlib.suppress(errors.FormatError):
        nn.io.load(edited(saved, "model.weights.h5", change))


@given(
    arrays.arrays(
        st.sampled_from(["<f2", "<f4", ">f4", "<f8", "u1", "<i4", "<u8"]),
        arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    ),
    st.lists(st.text("aé/0", min_size=1, max_size=6), max_size=12),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=300),
)
@settings(max_examples=30, deadline=None)
def test_h5py_and_this_reader_read_what_is_written_here(array, names, text):
    paths = {"/".join(part for part in name.split("/") if part) or "a" for name in names}
    datasets = {f"layers/{path}/vars/0": array for path in paths}
    attributes = {f"layers/{path}/vars": {"name": text} for path in paths} | {"vars": {"n": "é"}}
    data = write.file(datasets, attributes)
    found, texts = read.read(data)
    assert texts["vars"]["n"] == "é"
    with h5py.File(io.BytesIO(data), "r") as file:
        assert file["vars"].attrs["n"] == "é"
        for path in paths:
            for numbers in (found[f"layers/{path}/vars/0"], file[f"layers/{path}/vars/0"][...]):
                np.testing.assert_array_equal(numbers, array)
                assert np.shape(numbers) == array.shape
            assert file[f"layers/{path}/vars"].attrs["name"] == text
            assert texts[f"layers/{path}/vars"]["name"] == text


def test_a_group_may_have_hundreds_of_members_of_any_kind():
    datasets = {
        f"layers/dense_{i}/vars/{j}": np.full((2, i), j) for i in range(300) for j in (0, 1)
    }
    attributes = {f"layers/dense_{i}/vars": {"name": f"dense_{i}" * 9} for i in range(300)}
    with h5py.File(io.BytesIO(write.file(datasets, attributes)), "r") as file:
        assert len(file["layers"]) == 300
        for path, array in datasets.items():
            np.testing.assert_array_equal(file[path][...], array)
        for path, names in attributes.items():
            assert dict(file[path].attrs) == names


def test_what_is_no_number_is_not_written():
    with pytest.raises(errors.UnsupportedError, match="'a/b': expected numbers, received <U1"):
        write.file({"a/b": np.array(["x"])}, {})


def test_the_checksum_is_lookup3():
    """The values of the algorithm's own driver5(), burtleburtle.net/bob/c/lookup3.c."""
    assert write.lookup3(b"") == 0xDEADBEEF
    assert write.lookup3(b"Four score and seven years ago") == 0x17770551


def test_a_missing_reader_is_named(saved, monkeypatch):
    monkeypatch.delitem(sys.modules, "nn.io.hdf5.objects", raising=False)
    monkeypatch.setitem(sys.modules, "pyfive.btree", None)
    with pytest.raises(errors.UnsupportedError, match="expected pyfive to be installed"):
        nn.io.load(saved)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "bool", "float64", "float16"])
def test_an_input_is_given_the_same_numbers_after_a_file_as_before(dtype, tmp_path):
    entry = keras.Input((5,), dtype=dtype)
    keras.Model(entry, L.Dense(2)(entry)).save(tmp_path / "theirs.keras")
    entry = nn.Input((5,), dtype=dtype)
    files = (tmp_path / "theirs.keras").read_bytes(), nn.io.save(nn.Model(entry, entry), "keras")
    for file in files:
        [found] = nn.io.load(file).inputs
        assert found.dtype == ("float32" if dtype == "float16" else dtype)


def test_large_indices_are_looked_up_after_a_file_as_before():
    large = 2**40 + np.arange(6)[:, None]  # as floats of 32 bits one number
    model = nn.Sequential([nn.Input((1,), dtype="int64"), nn.IntegerLookup(vocabulary=large[:, 0])])
    again = nn.io.load(nn.io.save(model, "keras"))
    np.testing.assert_array_equal(again.predict_on_batch(large)[:, 0], np.arange(1, 7))
