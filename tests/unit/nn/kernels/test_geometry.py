"""Kernels count in 32 bits: sizes for which that is too little are refused before any is called."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.kernels import library
from nn.kernels.geometry import Geometry

SIZES = st.integers(0, 15).map(lambda k: 2**k)  # products on both sides of the limit
WINDOWS = st.sampled_from([1, 2, 3, 5, 1024])
ASKED = [
    name
    for name, letters in library.SIGNATURES.items()
    if name.endswith(("_scratch", "_packed_size")) and letters == "p"
]
pytestmark = pytest.mark.usefixtures("native")


@settings(max_examples=150)
@given(
    images=st.tuples(st.integers(1, 4), SIZES, SIZES, SIZES),
    window=st.tuples(WINDOWS, WINDOWS),
    filters=SIZES,
    strides=st.sampled_from([(1, 1), (2, 2)]),
    dilation=st.just((1, 1)) | st.tuples(SIZES, SIZES),
    grouped=st.booleans(),
)
def test_memory_that_32_bits_cannot_count_is_refused(
    native, images, window, filters, strides, dilation, grouped
):
    channels = images[3]
    kernel = (*window, 1, channels) if grouped else (*window, channels, filters)
    around = tuple(((k - 1) * d, 0) for k, d in zip(window, dilation, strict=True))
    try:
        g = Geometry(images, kernel, strides, around, dilation, channels if grouped else 1)
    except MemoryError:
        return
    with suppress(MemoryError):
        g.expect_columns()
        assert 0 <= native.input_gradient_scratch(g.address) < 2**31
    for name in ASKED:
        if name.split("_")[0] in ("convolution", "weight", g.forward):
            assert 0 <= getattr(native, name)(g.address) < 2**31, name
