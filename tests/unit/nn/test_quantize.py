"""The affine quantization scheme: error bound, exact zero, globs."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from nn.quantize import Quantized, choose_dtypes, quantize, quantize_arrays

FLOATS = hnp.arrays(
    np.float32,
    hnp.array_shapes(max_dims=4, max_side=5),
    elements=st.floats(-1e6, 1e6, width=32),
)
LARGEST = float(np.finfo(np.float32).max)
ANY = hnp.arrays(np.float32, 4, elements=st.floats(-LARGEST, LARGEST, width=32))
STEPS = {"uint8": 255, "uint16": 65535}


@given(FLOATS | ANY, st.sampled_from(sorted(STEPS)))
@example(np.array([-LARGEST, LARGEST], np.float32), "uint8")
@example(np.array([-LARGEST, 0.9 * LARGEST], np.float32), "uint8")
def test_every_value_is_off_by_at_most_one_step(array, dtype):
    # Half a step of rounding, half a step of moving the range so that zero is exact.
    step = (float(array.max()) - float(array.min())) / STEPS[dtype]
    stored = quantize(array, dtype)
    assert stored.dtype == dtype
    assert stored.data.shape == array.shape
    difference = np.abs(stored.dequantize().astype("f8") - array)
    assert difference.max() <= step * (1 + 1e-9) + 1e-7 * np.abs(array).max()


@pytest.mark.promise(
    "Earlier work: models in production",
    "uint8, uint16, float16 by glob, TensorFlow.js' affine scheme",
)
@given(FLOATS, st.sampled_from(sorted(STEPS)))
def test_zero_is_exact_when_it_lies_in_the_range(array, dtype):
    array.flat[0] = 0
    assert quantize(array, dtype).dequantize().flat[0] == 0


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from(sorted(STEPS)))
def test_a_constant_tensor_is_exact_and_stored_as_zeros(value, dtype):
    stored = quantize(np.full((2, 3), value, np.float32), dtype)
    assert not stored.data.any()
    assert stored.scale == 1
    np.testing.assert_array_equal(stored.dequantize(), np.float32(value))


@pytest.mark.promise(
    "Earlier work: models in production",
    "uint8, uint16, float16 by glob, TensorFlow.js' affine scheme",
)
def test_follows_the_definition_on_an_example_done_by_hand():
    # (1 - -2) / 255 = 0.01176; -2 is 170 steps below zero; so the minimum is -170 * 3 / 255 = -2.
    stored = quantize(np.array([-2, 0, 0.5, 1], np.float32), "uint8")
    assert stored.data.tolist() == [0, 170, 212, 255]
    assert stored.scale == pytest.approx(3 / 255)
    assert stored.minimum == pytest.approx(-2)


def test_keeps_the_range_when_zero_lies_outside():
    stored = quantize(np.array([1, 2], np.float32), "uint8")
    assert (stored.minimum, stored.scale) == (1, 1 / 255)
    assert stored.data.tolist() == [0, 255]


@given(hnp.arrays(np.float16, 5, elements=st.floats(-60000, 60000, width=16)))
def test_float16_is_a_cast(array):
    stored = quantize(array.astype(np.float32), "float16")
    np.testing.assert_array_equal(stored.data, array)
    np.testing.assert_array_equal(stored.dequantize(), array.astype(np.float32))


def test_an_empty_tensor_stays_empty():
    assert quantize(np.zeros((0, 3), np.float32), "uint8").dequantize().shape == (0, 3)
    assert quantize(np.zeros((0, 3), np.float32), "float16").dequantize().shape == (0, 3)


@pytest.mark.parametrize(
    ("array", "dtype", "message"),
    [
        (np.ones(2, "f4"), "int4", "uint8, uint16, float16, received 'int4'"),
        (np.ones(2, "i4"), "uint8", "expected floats"),
        (np.array([1, np.nan], "f4"), "uint8", "received NaN or infinity"),
        (np.array([1, 1e300], "f8"), "uint8", "received NaN or infinity"),
        (np.array([1, 1e6], "f4"), "float16", "65504"),
    ],
)
def test_refuses_what_it_cannot_store(array, dtype, message):
    with pytest.raises(ValueError, match=message):
        quantize(array, dtype)


@pytest.mark.promise(
    "Earlier work: models in production",
    "uint8, uint16, float16 by glob, TensorFlow.js' affine scheme",
)
def test_globs_choose_the_dtype_of_each_tensor():
    names = ["conv/kernel", "conv/bias", "dense/kernel", "dense/bias"]
    globs = {"uint8": "*/kernel", "float16": ["conv/bias"], "uint16": True}
    assert choose_dtypes(names, globs) == {
        "conv/kernel": "uint8",
        "dense/kernel": "uint8",
        "conv/bias": "float16",
        "dense/bias": "uint16",
    }


def test_tensors_without_a_glob_stay_as_they_are():
    arrays = {"a": np.ones(2, "f4"), "b": np.ones(2, "f4"), "step": np.ones(1, "i8")}
    assert list(quantize_arrays(arrays, {"uint8": "a"})) == ["a"]
    assert list(quantize_arrays(arrays, {"uint8": "*"})) == ["a", "b"]
    assert quantize_arrays(arrays, None) == {}


@pytest.mark.parametrize(
    ("globs", "message"),
    [
        ({"uint8": "*", "float16": "a*"}, "'a' matches the globs of uint8 and of float16"),
        ({"uint8": True, "float16": True}, "one dtype for all other tensors"),
        ({"int8": "*"}, "received 'int8'"),
    ],
)
def test_conflicting_globs_are_errors(globs, message):
    with pytest.raises(ValueError, match=message):
        choose_dtypes(["a"], globs)


def test_a_stored_tensor_names_its_dtype():
    assert Quantized(np.zeros(1, np.uint16)).dtype == "uint16"
