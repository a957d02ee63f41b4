"""The standard library's value types cross with their type, at any depth and in circles."""

import array
import collections
import datetime
import decimal
import enum
import fractions
import pathlib
from typing import Any, NamedTuple

import farcall
import numpy as np
import pytest
from farcall.values import codec, standard
from farcall.values.opaque import Opaque
from hypothesis import given, settings
from hypothesis import strategies as st


class Colour(enum.Enum):
    RED = 1
    GREEN = ("g", 2)


class Word(str, enum.Enum):  # noqa: UP042 # its text is its name
    YES = "yes"

    def __str__(self) -> str:
        return "another text"


class Text(enum.StrEnum):
    NO = "no"


class Level(enum.IntEnum):
    LOW = 1


class Right(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


class Bits(enum.IntFlag):
    ONE = 1
    TWO = 2


class Ratio(float, enum.Enum):
    HALF = 0.5


class Point(NamedTuple):
    x: Any
    y: Any = None


class Said(str):
    """Says something else than it holds."""

    def __str__(self) -> str:
        return "another text"


zones = (
    st.none()
    | st.timezones()
    | st.builds(
        datetime.timezone,
        st.timedeltas(datetime.timedelta(hours=-23), datetime.timedelta(hours=23)),
    )
)
scalars = (
    st.dates()
    | st.times(timezones=zones)
    | st.datetimes(timezones=zones)
    | st.datetimes().map(lambda d: d.replace(fold=1))
    | st.timedeltas()
    | st.sampled_from([datetime.UTC, datetime.timezone(datetime.timedelta(hours=1), "one")])
    | st.timezones()
    | st.decimals()
    | st.fractions()
    | st.uuids()
    | st.text().filter(lambda t: "\0" not in t).map(pathlib.PurePosixPath)
    | st.text().filter(lambda t: "\0" not in t).map(pathlib.PureWindowsPath)
    | st.just(pathlib.Path("/a/b.csv"))
    | st.sampled_from([*Colour, *Word, *Text, *Level, *Ratio, *Right, *Bits])
    | st.sampled_from([Right.READ | Right.WRITE, Right(0), Bits.ONE | Bits.TWO, Bits(0)])
)
TYPECODES = "bBhHiIlLqQfd"
memory = st.builds(
    lambda code, raw: array.array(code, raw[: len(raw) // 8 * 8]),
    st.sampled_from(TYPECODES),
    st.binary(max_size=40),
)
views = (
    st.binary(max_size=9).map(memoryview)
    | st.binary(max_size=9).map(bytearray).map(memoryview)
    | memory.map(memoryview)
    | st.builds(lambda: memoryview(np.arange(6, dtype="f4").reshape(2, 3)))
)
hashables = st.recursive(
    scalars | st.text() | st.integers(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
keys = st.text(max_size=3) | scalars.filter(
    lambda v: not (isinstance(v, decimal.Decimal) and v.is_nan())
)
values = st.recursive(
    scalars | memory | views | st.text() | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.builds(Point, inner, inner)
        | st.builds(slice, inner, inner)
        | st.lists(inner, max_size=3).map(collections.deque)
        | st.lists(inner, max_size=3).map(lambda items: collections.deque(items, 5))
        | st.dictionaries(keys, inner, max_size=3).map(collections.OrderedDict)
        | st.dictionaries(keys, inner, max_size=3).map(
            lambda items: collections.defaultdict(list, items)
        )
        | st.lists(keys, max_size=4).map(collections.Counter)
        | st.sets(keys, max_size=3)
        | st.frozensets(keys, max_size=3)
        | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=12,
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
    if isinstance(a, memoryview):
        return (a.format, a.shape, a.readonly, a.tobytes()) == (
            b.format,
            b.shape,
            b.readonly,
            b.tobytes(),
        )
    if isinstance(a, collections.deque):
        return a.maxlen == b.maxlen and same(list(a), list(b))
    if isinstance(a, collections.defaultdict) and a.default_factory is not b.default_factory:
        return False
    if isinstance(a, slice):
        return same([a.start, a.stop, a.step], [b.start, b.stop, b.step])
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    if isinstance(a, datetime.datetime | datetime.time):
        return repr(a) == repr(b)
    if isinstance(a, decimal.Decimal):
        return str(a) == str(b)
    return bool(a == b) and repr(a) == repr(b) if not isinstance(a, set | frozenset) else a == b


@pytest.mark.promise(
    "farcall: features", "The standard library's value types by value, with their type"
)
@given(values)
@settings(max_examples=150, deadline=None)
def test_a_value_of_the_standard_library_arrives_equal_in_value_and_type(value: Any) -> None:
    assert same(crossed(value), value)


@given(values, st.integers(20, 60))
@settings(max_examples=30, deadline=None)
def test_they_arrive_from_any_depth(value: Any, depth: int) -> None:
    for level in range(depth):
        value = [[value], Point(value, 1), collections.deque([value]), {"k": value}][level % 4]
    assert same(crossed(value), value)


TYPED = [Word.YES, [Word.YES], {Word.YES: 1}, Said("real"), {Said("k"): Said("v")}, {Said("s")}]


@pytest.mark.parametrize("value", TYPED, ids=str)
def test_a_text_that_says_something_else_arrives_as_what_it_holds(value: Any) -> None:
    assert crossed(value) == value


@pytest.mark.parametrize("member", [Colour.RED, Word.YES, Level.LOW, Right.READ | Right.WRITE])
def test_a_member_of_an_enum_that_both_sides_import_is_that_member(member: Any) -> None:
    assert crossed(member) is member


@pytest.mark.promise(
    "farcall: what is refused",
    "Classes found by a module's name, except exceptions of the standard library, Enums and named "
    "tuples that are loaded; nothing is imported",
)
def test_no_module_is_imported_for_a_member_of_an_enum() -> None:
    wire = ["v", "Enum", "Colour.RED", "antigravity", "Colour", "RED", 1, False]
    arrived = codec.Codec().decode(wire)
    assert isinstance(arrived, Opaque)
    assert (arrived.name, arrived.value, str(arrived)) == ("RED", 1, "Colour.RED")


@pytest.mark.parametrize("path", ["DictOf", "NamedTuple.__repr__", "messages", "nothing.there", ""])
def test_what_is_no_enum_is_no_member_of_one(path: str) -> None:
    wire = ["v", "Enum", "text", "farcall.values.standard", path, "RED", 1, False]
    assert isinstance(codec.Codec().decode(wire), Opaque)


def local_types() -> tuple[Any, Any, Any]:
    """Values whose classes the other side cannot find."""
    local_colour = enum.Enum("local_colour", [("RED", 7)])
    local_level = enum.IntEnum("local_level", [("LOW", 3)])
    local_point = collections.namedtuple("local_point", "x y")
    local_colour.__qualname__ = local_level.__qualname__ = "f.<locals>.local"
    local_point.__qualname__ = "f.<locals>.local_point"
    return local_colour.RED, local_level.LOW, local_point(1, [2])


def test_a_class_that_is_not_known_here_gives_a_value_that_goes_back_as_what_it_was() -> None:
    colour, level, point = local_types()
    arrived = crossed(colour)
    assert (arrived.name, arrived.value, str(arrived)) == ("RED", 7, "local_colour.RED")
    assert codec.Codec().encode(arrived) == codec.Codec().encode(colour)
    assert hash(arrived) == hash(crossed(colour))
    assert arrived == crossed(colour) != crossed(point)
    assert same(crossed(level), 3)
    arrived = crossed(point)
    assert (arrived.x, arrived.y, tuple(arrived), repr(arrived)) == (
        1,
        [2],
        (1, [2]),
        "local_point(x=1, y=[2])",
    )
    assert codec.Codec().encode(arrived) == codec.Codec().encode(point)


def test_a_named_tuple_keeps_what_it_has_besides_its_items() -> None:
    class local(collections.namedtuple("local", "x")):  # noqa: N801
        def double(self) -> Any:
            return 2 * self.x

    value: Any = local(3)
    value.df, value.double, value._own = [4], print, 5
    arrived = crossed(value)
    assert (arrived.x, arrived.df, tuple(arrived)) == (3, [4], (3,))
    assert not hasattr(arrived, "double")
    assert not hasattr(arrived, "_own")
    assert codec.Codec().encode(arrived) == codec.Codec().encode(value)
    wire = ["v", "structseq", "x y", __name__, "Point", {"norm": 1, "count": 2, "_z": 3}, 1, 2]
    point = codec.Codec().decode(wire)
    assert same(point, Point(1, 2))
    assert not hasattr(point, "_z")


def test_a_dict_whose_keys_are_attributes_has_them_here_too() -> None:
    class Bunch(dict[Any, Any]):
        def __getattr__(self, name: str) -> Any:
            return self[name]

    arrived = crossed([Bunch(x=1, inner=Bunch(y=[2]))])[0]
    assert (arrived.x, arrived.inner.y, arrived) == (1, [2], {"x": 1, "inner": {"y": [2]}})
    assert not hasattr(arrived, "z")
    assert not hasattr(arrived, "__array__")
    assert codec.Codec().encode(arrived) == codec.Codec().encode(Bunch(x=1, inner=Bunch(y=[2])))
    loop = Bunch()
    loop["me"] = [loop]
    arrived = crossed(loop)
    assert arrived.me[0] is arrived


def test_a_default_factory_that_is_not_builtin_stays_behind() -> None:
    arrived = crossed(collections.defaultdict(lambda: 1, a=2))
    assert same(arrived, collections.defaultdict(None, a=2))


def test_a_windows_path_is_its_text_elsewhere() -> None:
    arrived = codec.Codec().decode(["v", "WindowsPath", "c:\\a"])
    assert str(arrived) == "c:\\a"
    assert codec.Codec().encode(arrived) == ["v", "WindowsPath", "c:\\a"]


class Local(datetime.tzinfo):
    """A time zone of the program's own."""


@pytest.mark.parametrize(
    "value",
    [
        datetime.datetime(2026, 1, 1, tzinfo=Local()),
        memoryview(np.zeros(2, "c16")),
    ],
    ids=["tzinfo", "memoryview"],
)
def test_what_cannot_cross_with_its_type_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        codec.Codec().encode(value)


def test_a_masked_array_keeps_its_mask() -> None:
    value = np.ma.array([[1, 2], [3, 4]], mask=[[0, 1], [0, 0]], fill_value=9)
    arrived = crossed(value)
    assert type(arrived) is type(value)
    assert (arrived.tolist(), arrived.fill_value) == ([[1, None], [3, 4]], 9)
    assert crossed(np.ma.masked) is np.ma.masked
    hard = np.ma.array([1, 2], mask=[0, 1], hard_mask=True)
    assert (crossed(hard).hardmask, crossed(value).hardmask) == (True, False)


def test_a_container_that_holds_itself_keeps_its_type() -> None:
    for kind in (collections.deque, collections.OrderedDict, collections.Counter):
        loop: Any = kind()
        loop.append(loop) if kind is collections.deque else loop.update(me=[Point(loop)])
        arrived = crossed(loop)
        assert type(arrived) is kind
        inner = arrived[0] if kind is collections.deque else arrived["me"][0].x
        assert inner is arrived


wires = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.text(max_size=3) | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)
names = st.sampled_from(
    [*standard._KINDS, standard.KEYED, standard.SEQUENCE, "Enum", "namedtuple", "no"]
)


@given(names, wires, st.lists(wires | st.just(["b", 0]), max_size=6))
@settings(max_examples=150, deadline=None)
def test_any_text_and_parts_are_a_value_or_a_protocol_error(
    name: str, text: Any, parts: list[Any]
) -> None:
    try:
        codec.Codec().decode_with(["v", name, text, *parts], [bytearray(8)])
    except farcall.ProtocolError:
        return


def test_containers_of_many_items_arrive_with_their_type() -> None:
    days = [datetime.date.fromordinal(n) for n in range(1, 6000)]
    for value in (
        collections.deque(days),
        collections.Counter(days),
        collections.OrderedDict((day, Colour.RED) for day in days),
        [Point(day, decimal.Decimal(1)) for day in days],
        {day: fractions.Fraction(1, 3) for day in days},
    ):
        assert same(crossed(value), value)
