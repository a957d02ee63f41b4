"""Values survive the wire; what is not the wire is refused by name."""

import dataclasses
import math
from typing import Any

import farcall
import numpy as np
import pytest
from farcall.errors import ProtocolError
from farcall.values import codec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**200, max_value=2**300).map(lambda n: -n)
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text()
    | st.binary(max_size=50)
    | st.binary(max_size=9).map(bytearray)
    | st.builds(range, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 3))
    | st.just(...)
)
hashables = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=4)
        | st.dictionaries(hashables, inner, max_size=4)
        | st.sets(hashables, max_size=4)
        | st.frozensets(hashables, max_size=4)
    ),
    max_leaves=25,
)
wires = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**6) | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.tuples(st.sampled_from("ltdszifcbBaPrSEeDohpg@"), inner, inner).map(list)
        | st.lists(inner, max_size=4).map(lambda w: ["g", ["@", 0], [["t", *w]]])
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=20,
)


def crossed(value: Any) -> Any:
    """The value as the other side gets it: through JSON text and buffers."""
    near, far = codec.Codec(), codec.Codec()
    text = codec.dumps(near.encode(value))
    return far.decode_with(codec.loads(text), near.buffers)


def same(a: Any, b: Any) -> bool:
    """Equality of values and of all the types within them."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, float):
        return a == b and math.copysign(1, a) == math.copysign(1, b)
    return bool(a == b)


@pytest.mark.promise("farcall: features", "Plain values equal in value and type")
@given(values)
def test_every_plain_value_arrives_equal_in_value_and_type(value: Any) -> None:
    assert same(crossed(value), value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_floats_that_json_lacks_arrive(value: float) -> None:
    assert repr(crossed(value)) == repr(value)


ARRAY_KINDS = (
    npst.integer_dtypes(endianness="?")
    | npst.unsigned_integer_dtypes(endianness="?")
    | npst.floating_dtypes(endianness="?", sizes=(16, 32, 64))
    | npst.complex_number_dtypes(endianness="?", sizes=(64, 128))
    | npst.boolean_dtypes()
    | npst.datetime64_dtypes()
    | npst.unicode_string_dtypes(min_len=1, max_len=5)
)


@pytest.mark.promise("farcall: features", "Arrays: dtype, shape, order; bytes")
@given(npst.arrays(ARRAY_KINDS, npst.array_shapes(min_dims=0, max_dims=4, min_side=0)), st.data())
@settings(deadline=None)
def test_arrays_of_every_dtype_shape_and_order_arrive_equal(array: Any, data: Any) -> None:
    array = data.draw(
        st.sampled_from([array, array.T, np.asfortranarray(array), array[..., ::2]])
        if array.ndim
        else st.just(array)
    )
    arrived = crossed(array)
    assert arrived.dtype == array.dtype
    assert arrived.shape == array.shape
    assert arrived.tobytes() == array.tobytes()
    if array.flags.f_contiguous and not array.flags.c_contiguous:
        assert arrived.flags.f_contiguous
    assert arrived.flags.writeable


@given(npst.from_dtype(np.dtype("float32")))
def test_numpy_scalars_stay_numpy_scalars(value: Any) -> None:
    arrived = crossed(value)
    assert type(arrived) is type(value)
    assert arrived.tobytes() == value.tobytes()


def test_an_array_of_objects_is_refused_with_what_to_do() -> None:
    with pytest.raises(TypeError, match="send a list"):
        crossed(np.array([object()]))


@given(st.integers(2, 400))
def test_nesting_of_any_depth_arrives(depth: int) -> None:
    value: Any = "core"
    for i in range(depth):
        value = [value] if i % 3 == 0 else (value,) if i % 3 == 1 else {"k": value}
    arrived = crossed(value)
    for i in reversed(range(depth)):
        assert type(arrived) is (list, tuple, dict)[i % 3]
        arrived = arrived["k"] if i % 3 == 2 else arrived[0]
    assert arrived == "core"


def test_a_cycle_through_every_container_keeps_its_identity() -> None:
    loop: dict[Any, Any] = {}
    loop["list"] = [loop, (loop, {1})]
    arrived = crossed(loop)
    assert arrived["list"][0] is arrived
    assert arrived["list"][1][0] is arrived


class Colour(int):
    """A subclass of a plain type."""


def test_subclasses_of_plain_types_arrive_as_the_plain_type() -> None:
    assert same(crossed([Colour(3)]), [3])


@pytest.mark.promise("farcall: features", "Registered classes by value, any depth")
def test_a_registered_dataclass_arrives_as_one() -> None:
    @dataclasses.dataclass
    class Setting:
        name: str
        values: list[Any]

    farcall.register(Setting, "test.Setting")
    assert crossed([Setting("a", [Setting("b", [])])]) == [Setting("a", [Setting("b", [])])]


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (["D", "test.Unheard", {}], "not registered"),
        (["b", 7], "undecodable"),
        (["b", -1], "buffer index -1"),
        (["zz"], "undecodable"),
        ([], "undecodable"),
        (["a", 0, "<f4", [3], "C"], "12 bytes, 4 came"),
        (["a", 0, "O", [1], "C"], "references"),
        (["f", "1e5"], "float"),
        (["g", ["@", 0], [["t", ["@", 0]]]], "holds itself"),
        (["o", 1, "o", "x"], "outside a session"),
    ],
)
def test_a_wire_form_that_is_none_is_refused_by_name(wire: Any, text: str) -> None:
    with pytest.raises(ProtocolError, match=text):
        codec.Codec().decode_with(wire, [bytearray(4)])


@given(wires)
@settings(max_examples=300)
def test_any_json_is_a_value_or_a_protocol_error(wire: Any) -> None:
    try:
        codec.Codec().decode_with(wire, [bytearray(4), bytearray(8)])
    except ProtocolError:
        return


@given(
    st.sampled_from([ValueError, KeyError, OSError, ZeroDivisionError, UnicodeError]),
    st.lists(st.text(max_size=5) | st.integers(), max_size=3),
)
def test_builtin_exceptions_arrive_as_themselves(kind: Any, args: list[Any]) -> None:
    arrived = crossed(kind(*args))
    assert type(arrived) in (kind, type(kind(*args)))
    assert arrived.args == kind(*args).args


@pytest.mark.promise(
    "farcall: every await ends",
    "A result or exception cannot cross: an error of that call only; the others go on",
)
def test_an_exception_whose_text_fails_still_arrives() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    arrived = crossed(Broken(object()))
    assert type(arrived).__name__ == "Broken"
    assert isinstance(arrived, farcall.RemoteError)
