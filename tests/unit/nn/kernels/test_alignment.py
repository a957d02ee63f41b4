"""Memory that kernels work on begins where a line of the processor's caches does."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from nn.context import Context, Run
from nn.models.workspaces import Pool
from nn.types import LINE, aligned

SIZES = [*range(1, 40), 1000, 4097, 100_003]


def begins_at_a_line(array):
    return array.ctypes.data % LINE == 0


@given(size=st.integers(1, 5000), kind=st.sampled_from(["f4", "f8", "i4", "i8", "u1", "?"]))
def test_aligned_memory_has_its_size_and_type_and_can_be_written(size, kind):
    array = aligned(size, np.dtype(kind))
    array[...] = 1
    assert begins_at_a_line(array)
    assert (array.shape, array.dtype) == ((size,), np.dtype(kind))
    assert array.flags.c_contiguous
    assert array.sum() == size


def test_workspaces_of_a_layer_begin_at_a_line():
    context = Context(Run(np.random.default_rng(0)))
    assert all(begins_at_a_line(context.buffer(f"{n}", (n,))) for n in SIZES)


def test_workspaces_that_layers_share_begin_at_a_line():
    pool = Pool()
    assert all(begins_at_a_line(pool.take(n)) for n in SIZES)


def test_scratch_memory_of_kernels_begins_at_a_line(native):
    assert all(native.scratch(native._scratch.size + n) % LINE == 0 for n in SIZES)
