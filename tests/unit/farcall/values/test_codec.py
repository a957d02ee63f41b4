"""Values survive the wire; what is not the wire is refused by name."""

import dataclasses
import math
from typing import Any

import farcall
import ml_dtypes
import numpy as np
import pytest
from farcall.errors import ProtocolError
from farcall.values import bulk, codec
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
        | st.tuples(st.sampled_from("ltdszifcbBaPrSEeDohpg@uj+Tm"), inner, inner).map(list)
        | st.lists(inner, max_size=4).map(lambda w: ["g", ["@", 0], [["t", *w]]])
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=20,
)


characters = st.characters(exclude_categories=())  # lone surrogates too
edges = st.sampled_from([bulk.LONG - 1, bulk.LONG, bulk.LONG + 1, 3 * bulk.LONG])
long_texts = st.builds(
    lambda piece, length: (piece * length)[:length],
    st.text(characters, min_size=1, max_size=5),
    edges,
)
cells = values | long_texts
rows = (
    st.dictionaries(st.text(max_size=2), cells, max_size=bulk.FIRST + 2)
    | st.tuples(cells, cells)
    | st.lists(cells, max_size=3)
)
counts = st.sampled_from([bulk.MANY - 1, bulk.MANY, bulk.MANY + 1, bulk.PART + 1])


@st.composite
def long_containers(draw: st.DrawFn) -> Any:
    """Many items: of one kind or several, rows alike or with one that differs, in any container."""
    some = draw(st.lists(draw(st.sampled_from([rows, cells, hashables])), min_size=1, max_size=3))
    count = draw(counts)
    items = (some * count)[:count]
    if draw(st.booleans()):
        items[draw(st.integers(0, count - 1))] = draw(rows | cells)
    kind = draw(st.sampled_from(["list", "tuple", "dict", "set"]))
    if kind == "set":
        return {(index, "x" * (index % 3)) for index in range(count)}
    return {"list": items, "tuple": tuple(items), "dict": dict(enumerate(items))}[kind]


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


@given(long_texts, st.sampled_from([str, lambda t: [t], lambda t: {"k": (t, t)}, lambda t: {t}]))
@settings(max_examples=50)
def test_texts_of_every_kind_and_length_arrive_equal(text: str, around: Any) -> None:
    assert same(crossed(around(text)), around(text))


@given(long_containers())
@settings(max_examples=30, deadline=None)
def test_containers_of_many_items_of_every_kind_arrive_equal(value: Any) -> None:
    assert same(crossed(value), value)


def test_rows_of_the_same_keys_in_another_order_keep_it() -> None:
    table = [{"a": 1, "b": 2}] * bulk.MANY + [{"b": 3, "a": 4}]
    assert list(crossed(table)[-1]) == ["b", "a"]


def test_what_is_done_to_a_long_list_after_it_was_sent_does_not_cross() -> None:
    near, far = codec.Codec(), codec.Codec()
    table = [{"x": index} for index in range(1000)]
    wire = near.encode(table)
    table[0]["x"] = "changed"
    table.clear()
    assert far.decode_with(wire, near.buffers) == [{"x": index} for index in range(1000)]


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        ("a" * bulk.LONG, ["u"]),
        ([1.5] * 10_000, ["+", "j", "j", "j"]),
        ([{"a": 1, "b": None}] * 1000, ["+", "T", "j"]),
        ([(1, "two")] * 1000, ["+", "T", "j"]),
        ({str(n): n for n in range(1000)}, ["m", "+", "j", "+", "j"]),
    ],
)
def test_a_long_value_leaves_almost_nothing_to_the_header(value: Any, tags: list[str]) -> None:
    near = codec.Codec()
    text = codec.dumps(near.encode(value))
    assert len(text) < 80
    assert [c for c in text if c in "uj+Tm"] == tags


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


@pytest.mark.parametrize("dtype", ["|S0", "<U0", ">U0", "|V0", "S", "U", "V"])
def test_an_array_whose_items_have_no_size_takes_no_memory(dtype: str) -> None:
    for shape in ([2**26], [2**40], [2, 1]):
        with pytest.raises(ProtocolError, match="holds references, fields or nothing"):
            codec.Codec().decode_with(["a", 0, dtype, shape, "C"], [bytearray()])


@pytest.mark.parametrize(
    "value",
    [
        np.str_(""),
        np.bytes_(b""),
        np.void(b""),
        np.array(["", "a"])[0],
        np.array(""),
        np.array(b""),
        np.array(["", ""]),
        np.array([b"", b""]),
        np.empty((0, 2), "U0"),
        np.empty((2, 0), "S0"),
    ],
    ids=repr,
)
def test_empty_texts_of_numpy_cross(value: Any) -> None:
    for sent in (value, [value, value]):
        arrived = crossed(sent)
        found = arrived if sent is value else arrived[1]
        assert type(found) is type(value)
        assert (found.dtype, found.shape) == (value.dtype, value.shape)
        assert found.tolist() == value.tolist()


@pytest.mark.parametrize("kind", ["bfloat16", "float8_e4m3fn", "int4", "uint2"])
def test_an_array_of_a_kind_that_numpy_does_not_know_is_refused_by_its_name(kind: str) -> None:
    array = np.zeros(3, getattr(ml_dtypes, kind))
    for value in (array, array[0], {"weights": array}):
        with pytest.raises(TypeError, match=f"dtype {kind} .*: send it as one of NumPy's"):
            crossed(value)


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
        (["l", ["u", 0], ["u", 0]], "buffer 0 twice"),
        (["l", ["b", 0], ["b", 0]], "buffer 0 twice"),
        (["l", ["B", 0], ["b", 0]], "buffer 0 twice"),
        (["l", *[["a", 0, "<f4", [1], "C"]] * 2], "buffer 0 twice"),
        (["l", ["b", 0], ["a", 0, "<f4", [1], "C"]], "buffer 0 twice"),
        (["+", "l", ["u", 0]], "undecodable"),
        (["+", "l"], "undecodable"),
        (["T", "d", ["l", "a"], ["l", ["l", 1], ["l", 2]]], "2 columns"),
        (["T", "d", ["l", "a", "b"], ["l", ["l", 1], ["l"]]], "several lengths"),
        (["T", "x", ["l"], ["l", ["l", 1]]], "rows of kind"),
        ([], "undecodable"),
        (["a", 0, "<f4", [3], "C"], "12 bytes, 4 came"),
        (["a", 0, "<f4", [10**9, "x"], "C"], "shape"),
        (["a", 0, "<f4", [True], "C"], "shape"),
        (["a", 0, "O", [1], "C"], "references"),
        (["a", 0, "<i4,<i4", [0], "C"], "fields"),
        (["a", 0, {"names": ["x"], "formats": ["<i4"]}, [1], "C"], "fields"),
        (["a", 0, {"names": [], "formats": [], "itemsize": 4}, [1], "C"], "fields"),
        (["a", 0, None, [1], "C"], "fields"),
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
