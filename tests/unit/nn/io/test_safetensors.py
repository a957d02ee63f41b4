"""safetensors files compared with the library, both ways, and damaged files."""

import contextlib

import nn
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from nn.io import errors, limits
from nn.io.safetensors import decode, encode, load_weights

DTYPES = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]
ARRAYS = st.dictionaries(
    st.text(max_size=12).filter(lambda name: name != "__metadata__"),
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, max_side=4))
    ),
    max_size=4,
)
SAMPLE = {"conv/kernel": np.arange(6, dtype="f4").reshape(2, 3), "bias": np.ones(2, "f8")}


def assert_same(received, expected):
    assert received.keys() == expected.keys()
    for name, array in expected.items():
        assert received[name].dtype == array.dtype
        assert received[name].shape == array.shape
        np.testing.assert_array_equal(received[name], array)


@given(ARRAYS)
def test_the_library_reads_what_is_written_here(arrays):
    assert_same(safetensors.numpy.load(encode(arrays)), arrays)


@given(ARRAYS)
def test_reads_what_the_library_writes(arrays):
    assert_same(decode(safetensors.numpy.save(arrays))[0], arrays)


def test_keeps_the_metadata():
    assert decode(encode(SAMPLE, {"made_by": "nn", "é": "ü"}))[1] == {"made_by": "nn", "é": "ü"}


def test_writes_arrays_of_any_memory_order_and_byte_order():
    array = np.arange(6, dtype=">f4").reshape(2, 3).T
    np.testing.assert_array_equal(safetensors.numpy.load(encode({"a": array}))["a"], array)


def test_reads_bfloat16_as_float32():
    values = np.array([1, -2.5, 0.15625, np.inf], "f4")
    halves = (values.view("u4") >> 16).astype("u2")
    header = b'{"w":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]}}'
    data = len(header).to_bytes(8, "little") + header + halves.tobytes()
    read = decode(data)[0]["w"]
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, values)


@given(st.integers(min_value=0, max_value=len(encode(SAMPLE)) - 1))
def test_names_every_truncation(length):
    with pytest.raises(errors.TruncatedError):
        decode(encode(SAMPLE)[:length])


@given(st.integers(min_value=0), st.integers(0, 7), st.binary(max_size=40))
def test_damage_gives_a_named_error_or_other_values_but_nothing_else(position, bit, tail):
    data = bytearray(encode(SAMPLE) + tail)
    data[position % len(data)] ^= 1 << bit
    with contextlib.suppress(errors.FormatError):
        decode(bytes(data))


@given(st.binary(max_size=200))
def test_any_bytes_give_arrays_or_a_named_error(data):
    with contextlib.suppress(errors.FormatError):
        decode(data)


def test_refuses_a_header_beyond_the_limit_before_reading_it():
    data = (1 << 40).to_bytes(8, "little") + b"{}"
    with pytest.raises(errors.LimitError, match=r"safetensors header.*1099511627776"):
        decode(data)


def test_refuses_too_many_arrays():
    with pytest.raises(errors.LimitError, match="at most 1 entries, received 2"):
        decode(encode(SAMPLE), limits.Limits(entries=1))


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (b"[0,24]", b"[1,24]", errors.CorruptError),
        (b"[0,24]", b"[24,0]", errors.CorruptError),
        (b"[24,40]", b"[20,40]", errors.CorruptError),
        (b"[24,40]", b"[24,99]", errors.TruncatedError),
        (b"[24,40]", b"[24,-1]", errors.CorruptError),
        (b"[2,3]", b"[2,4]", errors.CorruptError),
        (b"[2,3]", b'["",', errors.CorruptError),
        (b'"F32"', b'"F8X"', errors.UnsupportedError),
    ],
)
def test_names_each_contradiction_in_the_header(old, new, error):
    data = encode(SAMPLE)
    assert old in data
    with pytest.raises(error, match="safetensors"):
        decode(data.replace(old, new))


def test_refuses_what_the_format_cannot_hold():
    with pytest.raises(errors.UnsupportedError, match="complex64"):
        encode({"a": np.ones(1, "c8")})
    with pytest.raises(errors.UnsupportedError, match="__metadata__"):
        encode({"__metadata__": np.ones(1, "f4")})


def test_a_model_comes_back_from_its_weights_and_metadata():
    model = nn.Sequential([nn.Input((4,)), nn.Dense(3, activation="tanh"), nn.Dense(2)])
    data = nn.io.save(model, "safetensors")
    assert set(safetensors.numpy.load(data)) == {variable.path for variable in model.variables}
    x = np.ones((2, 4), "f4")
    loaded = nn.io.load(data)
    np.testing.assert_array_equal(loaded.predict_on_batch(x), model.predict_on_batch(x))


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "Networks as PyTorch exports them",
)
def test_weights_from_elsewhere_are_put_into_a_model():
    model = nn.Sequential([nn.Input((2,)), nn.Dense(2)])
    names = {"fc.weight": "dense/kernel", "fc.bias": "dense/bias"}
    arrays = {"fc.weight": np.eye(2, dtype="f4"), "fc.bias": np.ones(2, "f4")}
    data = safetensors.numpy.save(arrays)
    load_weights(model, data, rename=names.get)
    assert model.predict_on_batch(np.ones((1, 2))).tolist() == [[2, 2]]
    with pytest.raises(errors.MissingEntryError, match="dense/kernel"):
        load_weights(model, data)
    with pytest.raises(errors.MissingEntryError, match="load_weights"):
        nn.io.load(data)


def test_weights_of_other_shapes_change_nothing():
    model = nn.Sequential([nn.Input((2,)), nn.Dense(2)])
    before = model.get_weights()
    data = encode({"dense/kernel": np.ones((2, 2), "f4"), "dense/bias": np.ones(3, "f4")})
    with pytest.raises(errors.MismatchError, match=r"dense/bias: expected shape \(2,\)"):
        load_weights(model, data)
    for array, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(array, kept)
