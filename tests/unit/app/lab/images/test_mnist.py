"""The files of MNIST as the page's worker reads them."""

import gzip

import numpy as np
import pytest
from app.lab.images.mnist import DataError, decode
from hypothesis import assume, given
from hypothesis import strategies as st
from nn.data import write_idx

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
FILE = gzip.compress(write_idx(IMAGES), mtime=0)


def test_a_whole_file_is_read():
    np.testing.assert_array_equal(decode("t10k-images", FILE, 3).reshape(IMAGES.shape), IMAGES)


@given(st.integers(0, len(FILE) - 1))
def test_a_file_that_ends_anywhere_is_damaged_by_name(kept):
    with pytest.raises(DataError, match=r"t10k-images\.gz is damaged"):
        decode("t10k-images", FILE[:kept], 3)


@given(st.integers(10, len(FILE) - 1), st.integers(1, 255))
def test_a_file_of_which_any_byte_after_the_head_was_changed_is_damaged_by_name(at, change):
    changed = FILE[:at] + bytes([FILE[at] ^ change]) + FILE[at + 1 :]
    assume(at > 10 or change % 8)  # five bits before a block that is stored as it is mean nothing
    with pytest.raises(DataError, match=r"t10k-images\.gz is damaged"):
        decode("t10k-images", changed, 3)
