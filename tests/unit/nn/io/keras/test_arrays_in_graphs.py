"""Arrays in a graph, as in `x + positions`: computed, trained, written and read as Keras does."""

from __future__ import annotations

import json
import operator
import os
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import keras
import nn
import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.errors import ConfigError, DataError, ShapeError
from nn.io import errors, formats

pytestmark = [
    # Keras' variables predate NumPy 2's `copy` argument.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    # The reference's 32 bits.
    pytest.mark.filterwarnings("ignore:Explicitly requested dtype:UserWarning"),
]

RNG = np.random.default_rng(3)
BATCH = 3
X = RNG.normal(size=(BATCH, 4, 3)).astype(np.float32)
GRID = RNG.normal(size=(4, 3))
KEEP = np.tri(4, dtype=bool)
STATE = RNG.normal(size=(BATCH, 5)).astype(np.float32)
DTYPES = ("int64", "int32", "uint8", "bool", "float32", "float64", "float16")


def by_operators(layers: Any, x: Any) -> Any:
    return (x + GRID) * np.arange(1, 4) - np.array([True, False, True]) / np.float32(2)


def summed(layers: Any, x: Any) -> Any:
    return x + np.arange(3) + GRID


def by_layers(layers: Any, x: Any) -> Any:
    y = layers.Add()([x, GRID[None].astype("float32")])
    y = layers.Multiply()([y, np.arange(12).reshape(1, 4, 3)])
    return layers.Maximum()([y, np.full((1, 4, 1), 0.5, "float32")])


def joined(layers: Any, x: Any) -> Any:
    return layers.Concatenate()([x, np.stack([GRID.astype("float32")] * BATCH)])


def attending(layers: Any, x: Any) -> Any:
    return layers.MultiHeadAttention(2, 3)(x, x, attention_mask=KEEP)


def attending_by_numbers(layers: Any, x: Any) -> Any:
    return layers.MultiHeadAttention(2, 3)(x, x, attention_mask=KEEP[None].astype("int32"))


def attending_by_heads(layers: Any, x: Any) -> Any:
    return layers.MultiHeadAttention(2, 3)(x, x, attention_mask=np.stack([KEEP, KEEP.T])[None])


def begun(layers: Any, x: Any) -> Any:
    return layers.LSTM(5)(x, initial_state=[STATE, 2 * STATE])


def called_twice(layers: Any, x: Any) -> Any:
    add = layers.Add()
    return add([add([x, GRID[None].astype("float32")]), GRID[None, :1].astype("float32")])


def inside(layers: Any, x: Any) -> Any:
    entry = (keras if layers is keras.layers else nn).Input((4, 3))
    model = (keras if layers is keras.layers else nn).Model(entry, by_operators(layers, entry))
    return model(x)


GRAPHS = [
    by_operators, by_layers, joined, attending, attending_by_numbers, attending_by_heads, begun,
    called_twice, inside,
]  # fmt: skip


def theirs(make: Any) -> Any:
    """Return Keras' model with a layer before the arrays, for whose weights gradients pass."""
    first = keras.Input((4, 3))
    y = make(keras.layers, keras.layers.Dense(3)(first))
    return keras.Model(first, keras.layers.Dense(2)(keras.layers.Flatten()(y)))


def ours(make: Any) -> nn.Model:
    first = nn.Input((4, 3))
    y = make(nn.layers, nn.Dense(3)(first))
    return nn.Model(first, nn.Dense(2)(nn.Flatten()(y)))


def file_of(model: Any, path: Path) -> bytes:
    model.save(path)
    return path.read_bytes()


def assert_close(received: Any, expected: Any) -> None:
    np.testing.assert_allclose(received, np.asarray(expected), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", GRAPHS)
def test_a_graph_with_arrays_computes_and_trains_as_that_of_keras(make: Any) -> None:
    reference, model = theirs(make), ours(make)
    model.set_weights(reference.get_weights())
    assert_close(model.predict_on_batch(X), reference.predict_on_batch(X))
    target = np.ones((BATCH, 2), np.float32)
    for each in (reference, model):
        each.compile(keras.optimizers.SGD(0.001) if each is reference else nn.SGD(0.001), "mse")
        for _ in range(4):
            each.train_on_batch(X, target)
    for received, expected in zip(model.get_weights(), reference.get_weights(), strict=True):
        assert_close(received, expected)


@pytest.mark.parametrize("make", GRAPHS)
def test_arrays_pass_in_keras_files_both_ways(make: Any, tmp_path: Path) -> None:
    reference = theirs(make)
    expected = reference.predict_on_batch(X)
    read = formats.load(file_of(reference, tmp_path / "theirs.keras"))
    assert_close(read.predict_on_batch(X), expected)
    for model in (read, ours(make)):
        (tmp_path / "ours.keras").write_bytes(formats.save(model, "keras"))
        again = keras.models.load_model(tmp_path / "ours.keras")
        assert_close(model.predict_on_batch(X), again.predict_on_batch(X))


@pytest.mark.parametrize("make", [by_layers, summed])
def test_arrays_pass_in_h5_files_and_json_of_keras(make: Any, tmp_path: Path) -> None:
    reference = theirs(make)
    read = formats.load(file_of(reference, tmp_path / "theirs.h5"))
    assert_close(read.predict_on_batch(X), reference.predict_on_batch(X))
    described = nn.models.model_from_json(reference.to_json())
    described.set_weights(reference.get_weights())
    assert_close(described.predict_on_batch(X), reference.predict_on_batch(X))


@pytest.mark.parametrize("make", GRAPHS)
def test_copies_and_our_files_hold_the_arrays_to_the_bit(make: Any) -> None:
    model = ours(make)
    expected = model.predict_on_batch(X)
    copies = [nn.Model.from_config(model.get_config()), nn.models.clone_model(model)]
    for copy in copies:
        copy.set_weights(model.get_weights())
    for copy in (*copies, formats.load(formats.save(model, "npz"))):
        np.testing.assert_array_equal(copy.predict_on_batch(X), expected)


@pytest.mark.parametrize("make", [m for m in GRAPHS if not m.__name__.startswith("attending")])
def test_onnxruntime_computes_a_graph_with_arrays_alike(make: Any) -> None:
    model = ours(make)
    session = onnxruntime.InferenceSession(formats.save(model, "onnx"))
    (received,) = session.run(None, {session.get_inputs()[0].name: X})
    assert_close(received, model.predict_on_batch(X))


def test_an_onnx_file_of_ours_with_arrays_opens_again() -> None:
    model = ours(summed)
    assert_close(
        formats.load(formats.save(model, "onnx")).predict_on_batch(X), model.predict_on_batch(X)
    )


@st.composite
def arrays(draw: Any) -> np.ndarray:
    """Return an array that broadcasts to a sample (4, 3), with an axis of the batch or without."""
    sizes = [draw(st.sampled_from([1, full])) for full in (1, 4, 3)]
    shape = sizes[draw(st.integers(0, 2)) :]
    values = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 9, shape) / 2
    return values.astype(draw(st.sampled_from(DTYPES)))


@given(arrays(), st.sampled_from([operator.add, operator.sub, operator.mul]))
@settings(max_examples=25, deadline=None)
def test_drawn_arrays_broadcast_as_in_keras(array: np.ndarray, apply: Any) -> None:
    x, first = nn.Input((4, 3)), keras.Input((4, 3))
    model, reference = nn.Model(x, apply(x, array)), keras.Model(first, apply(first, array))
    assert_close(model.predict_on_batch(X), reference(X))
    again = nn.models.model_from_json(reference.to_json())
    assert_close(again.predict_on_batch(X), reference(X))


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "of other sizes": (lambda x: x + np.ones((4, 2)), ShapeError, r"of size 1.*\(None, 4, 2\)"),
    "of more axes": (lambda x: x * np.ones((2, 1, 4, 3)), ShapeError, r"at most 3.*\(2, 1, 4, 3\)"),
    "a number": (lambda x: nn.layers.Add()([x, 2.0]), ShapeError, "the number 2.0"),
    "empty": (lambda x: x + np.ones((0, 3)), ShapeError, r"received shape \(1, 0, 3\)"),
    "texts": (lambda x: x + np.array(["a"]), DataError, "expected numbers"),
    "an exponent": (lambda x: x ** np.ones(3), ConfigError, "expected a number as exponent"),
    "a mask": (lambda x: nn.GRU(2)(x, mask=np.ones((1, 4), bool)), ConfigError, "expected no mask"),
}


@pytest.mark.parametrize("which", REFUSED)
def test_an_array_that_does_not_fit_is_refused_by_name(which: str) -> None:
    call, error, message = REFUSED[which]
    with pytest.raises(error, match=message):
        call(nn.Input((4, 3)))


def test_an_array_for_batches_of_one_size_refuses_another() -> None:
    with pytest.raises(ShapeError, match=r"each batch of 2.*received shape \(5, 4, 3\)"):
        nn.Input((4, 3), 2) + np.ones((5, 4, 3))
    x = nn.Input((4, 3))
    model = nn.Model(x, x + np.ones((5, 4, 3)))
    assert model.predict_on_batch(np.ones((5, 4, 3))).shape == (5, 4, 3)
    with pytest.raises(ShapeError, match=r"each batch of 3.*received shape \(5, 4, 3\)"):
        model.predict_on_batch(X)


def with_config(data: bytes, old: str, new: str) -> bytes:
    """Return a `.keras` file with another text in its configuration."""
    made = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as archive, zipfile.ZipFile(made, "w") as target:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "config.json":
                text = json.dumps(json.loads(content), separators=(",", ":"))
                assert old in text
                content = text.replace(old, new).encode()
            target.writestr(name, content)
    return made.getvalue()


DAMAGE = {
    "texts": ('"value":[[[1,2,3]]]', '"value":[[["1","2","3"]]]'),
    "nothing": ('"value":[[[1,2,3]]]', '"value":null'),
    "rows of several lengths": ('"value":[[[1,2,3]]]', '"value":[[1,2],[3]]'),
    "objects": ('"value":[[[1,2,3]]]', '"value":[{},{},{}]'),
    "an unknown type": ('"dtype":"int32"}', '"dtype":"object"}'),
    "no type": ('"dtype":"int32"}', '"dtype":[]}'),
    "numbers without end": ('"value":[[[1,2,3]]]', f'"value":[[[1,2,{10**30}]]]'),
}


@pytest.mark.parametrize("which", DAMAGE)
def test_an_array_of_a_file_that_is_none_of_numbers_is_refused(which: str) -> None:
    x = nn.Input((4, 3))
    data = formats.save(nn.Model(x, x * np.array([1, 2, 3])), "keras")
    data = with_config(data, *DAMAGE[which])
    with pytest.raises(errors.CorruptError, match=r"'multiply'.*expected an array of numbers"):
        formats.load(data)


def test_what_keras_has_no_place_for_is_refused(tmp_path: Path) -> None:
    x = nn.Input((4, 3))
    array = nn.layers.ConstantArray(GRID[None])(x)
    for model in (nn.Model(x, [x * 2, array]), nn.Model(x, nn.Dense(2)(array))):
        with pytest.raises(errors.UnsupportedError, match="constant_array"):
            formats.save(model, "keras")
    with pytest.raises(errors.UnsupportedError, match="TensorFlow"):
        formats.save(ours(by_operators), "tfjs")
    first = keras.Input((4, 3))
    masked = keras.Model(first, keras.layers.GRU(2)(first, mask=np.ones((1, 4), bool)))
    with pytest.raises(errors.UnsupportedError, match=r"gru.*mask.*received an array"):
        formats.load(file_of(masked, tmp_path / "masked.keras"))


def of_tensors(x: Any) -> Any:
    return x * keras.ops.convert_to_tensor(np.arange(3.0)) + keras.ops.convert_to_tensor(3.0)


def of_infinities(x: Any) -> Any:
    return keras.layers.Softmax()(x + np.array([0, -np.inf, 0]))


@pytest.mark.parametrize("make", [of_tensors, of_infinities])
def test_tensors_of_jax_and_infinite_numbers_pass_too(make: Any, tmp_path: Path) -> None:
    first = keras.Input((4, 3))
    reference = keras.Model(first, make(first))
    read = formats.load(file_of(reference, tmp_path / "theirs.keras"))
    assert_close(read.predict_on_batch(X), reference.predict_on_batch(X))
    (tmp_path / "ours.keras").write_bytes(formats.save(read, "keras"))
    again = keras.models.load_model(tmp_path / "ours.keras")
    assert_close(again.predict_on_batch(X), reference.predict_on_batch(X))
