"""Arrays of objects, and arrays and scalars with fields, as pandas and matplotlib give them."""

from typing import Any

import farcall
import numpy as np
import pytest
from farcall.values import codec, standard
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.bounded import bounded
from tests.unit.farcall.values.test_standard import crossed

SHAPES = [(), (0,), (3,), (2, 3), (3, 0), (2, 1, 2)]
FIELDS = st.lists(
    st.tuples(
        st.sampled_from(["<f4", "<i8", "|b1", "<U3", "<M8[s]", "O", [("mask", "O"), ("y", "<i2")]]),
        st.sampled_from([(), (2,), (1, 2)]),
    ),
    min_size=1,
    max_size=4,
)


def fill(array: Any, start: int = 0) -> None:
    """Give each item a value of its own."""
    for name in array.dtype.names or ():
        fill(array[name], start + 1)
    for index in () if array.dtype.names else np.ndindex(array.shape):
        start += 1
        odd = ["text", [start, [start]], np.arange(start % 4), {"n": start}, None, (1,)]
        array[index] = odd[start % len(odd)] if array.dtype.hasobject else start % 2


@st.composite
def arrays(draw: st.DrawFn) -> Any:
    """An array of objects, or with fields: which may be of objects, have axes or fields."""
    kinds: list[Any] = [(f"f {i}", *found) for i, found in enumerate(draw(FIELDS))]
    array = np.zeros(draw(st.sampled_from(SHAPES)), object if draw(st.booleans()) else kinds)
    fill(array)
    if array.dtype.names and array.size and draw(st.booleans()):
        return array.reshape(-1)[0]  # a scalar with fields
    return np.asfortranarray(array) if draw(st.booleans()) and array.ndim else array


@pytest.mark.promise("farcall: features", "Arrays: dtype, shape, order; bytes")
@given(arrays(), st.booleans())
@settings(max_examples=80, deadline=None)
def test_arrays_of_objects_and_with_fields_arrive_equal(array: Any, inside: bool) -> None:
    arrived = crossed({"in": [array]})["in"][0] if inside else crossed(array)
    assert type(arrived) is type(array)
    assert (arrived.dtype, arrived.shape) == (array.dtype, array.shape)
    assert repr(arrived.tolist()) == repr(array.tolist())


def test_so_do_masked_ones() -> None:
    for array in (np.array([1, "a"], object), np.array([(1, 2.5), (3, 4)], "i4, f8")):
        masked = np.ma.array(array, mask=[True, False])
        arrived = crossed(masked)
        assert type(arrived) is type(masked)
        assert repr(arrived) == repr(masked)


@pytest.mark.parametrize("axes", [None, 0, 1, -1, 2, "1"])
def test_fields_of_unequal_shapes_make_no_array(axes: Any) -> None:
    """The one's many items, each with the other's long item, would be a terabyte."""
    fields = [["a", 0, "|u1", [2**20, 1], "C"], ["a", 1, "|u1", [1, 2**20], "C"]]
    wire = ["v", "void", "", axes, ["l", "f", "g"], *fields]
    with bounded():
        try:
            found = codec.Codec().decode_with(wire, [bytearray(2**20), bytearray(2**20)])
        except farcall.ProtocolError:
            return
    assert found.nbytes <= 2**21


@pytest.mark.parametrize("shape", SHAPES)
def test_an_array_of_objects_is_lists_where_there_is_no_numpy(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    array = np.arange(float(np.prod(shape, initial=1))).astype(object).reshape(shape)
    wire, there = codec.Codec().encode(array), codec.Codec()
    with monkeypatch.context() as patch:
        patch.setattr(standard, "_class", lambda name: None)
        lists = there.decode(wire)
    assert isinstance(lists, list)
    assert lists == (np.atleast_1d(array).tolist() if array.size else [])
    back = there.decode(there.encode(lists))
    assert (type(back), back.dtype, back.shape) == (np.ndarray, array.dtype, array.shape)
    assert back.tolist() == array.tolist()
