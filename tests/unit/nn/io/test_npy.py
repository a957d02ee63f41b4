"""`.npy` files compared with NumPy's reader and writer, and damaged files."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from nn.io import errors, npy

DTYPES = ["?", "u1", "i1", "<u2", ">i2", "u4", ">i4", "u8", "i8", "f2", ">f4", "f8"]
ARRAYS = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=5, max_side=4))
)
SAMPLE = npy.dump(np.arange(6, dtype="f4").reshape(2, 3))


def numpys(array, version=None):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version, allow_pickle=True)
    return stream.getvalue()


@given(ARRAYS)
def test_numpy_reads_what_is_written_here(array):
    read = np.load(io.BytesIO(npy.dump(array)), allow_pickle=False)
    assert read.shape == array.shape
    np.testing.assert_array_equal(read, array)


@given(ARRAYS, st.booleans(), st.sampled_from([(1, 0), (2, 0)]))
def test_reads_what_numpy_writes(array, fortran, version):
    read = npy.load(numpys(np.asfortranarray(array) if fortran else array, version))
    assert read.dtype == array.dtype.newbyteorder("=")
    assert read.flags.c_contiguous
    assert read.flags.writeable
    np.testing.assert_array_equal(read, array)


@given(st.integers(0, len(SAMPLE) - 1))
def test_names_every_truncation(length):
    with pytest.raises(errors.TruncatedError, match="array"):
        npy.load(SAMPLE[:length])


@given(st.integers(0, 127), st.integers(0, 255))
def test_damage_in_the_header_gives_an_array_or_a_named_error(position, byte):
    data = bytearray(SAMPLE)
    data[position] = byte
    with contextlib.suppress(errors.FormatError):
        npy.load(bytes(data))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (numpys(np.array([{}, None])), errors.UnsupportedError),
        (numpys(np.ones(2, "c8")), errors.UnsupportedError),
        (numpys(np.zeros(2, [("a", "f4")])), errors.UnsupportedError),
        (numpys(np.array(["text"])), errors.UnsupportedError),
        (SAMPLE.replace(b"(2, 3)", b"(2, 4)"), errors.TruncatedError),
        (SAMPLE.replace(b"(2, 3)", b"(2, 2)"), errors.CorruptError),
        (SAMPLE.replace(b"(2, 3)", b"(9**9)"), errors.UnsupportedError),
        (SAMPLE.replace(b"'<f4'", b"'<f1'"), errors.UnsupportedError),
        (SAMPLE.replace(b"\x93", b"\x94"), errors.CorruptError),
        (SAMPLE[:6] + b"\x03\x00" + SAMPLE[8:], errors.UnsupportedError),
    ],
)
def test_names_what_it_refuses(data, error):
    with pytest.raises(error, match=r"^weights: expected"):
        npy.load(data, "weights")


def test_a_size_that_would_not_fit_is_compared_before_it_is_allocated():
    data = SAMPLE.replace(b"(2, 3), }" + b" " * 20, b"(999999999999, 9999999), }" + b" " * 3)
    with pytest.raises(errors.TruncatedError, match="received 24"):
        npy.load(data)


def test_writes_only_numbers():
    with pytest.raises(errors.UnsupportedError, match="object"):
        npy.dump(np.array([None]))
