"""Exceptions arrive as their class, with their arguments, text and fields."""

import builtins
import contextlib
import csv
import decimal
import json
import os
import traceback
import zipfile
from typing import Any

import farcall
import numpy as np
import pytest
from farcall import errors
from farcall.comlink import values as comlink
from farcall.values import codec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.farcall.values.test_standard import crossed, scalars

REFUSED = ("StopIteration", "StopAsyncIteration")
CLASSES = [
    cls
    for name, cls in vars(builtins).items()
    if isinstance(cls, type) and issubclass(cls, Exception) and name not in REFUSED
]


def over_comlink(exc: BaseException) -> Any:
    """The exception as it arrives over Comlink's wire, which has no buffers for it."""
    return comlink.rebuilt({"isError": True, "value": comlink._error(exc, False)})


parts = scalars | st.binary(max_size=5) | st.text(max_size=5) | st.integers(-3, 9) | st.none()
odd = parts | st.lists(parts, max_size=2) | st.dictionaries(st.text(max_size=2), parts, max_size=2)

WAYS = pytest.mark.parametrize("way", [crossed, over_comlink], ids=["farcall", "comlink"])


@WAYS
@given(st.sampled_from(CLASSES), st.lists(odd, max_size=5), st.data())
@settings(max_examples=60, deadline=None)
def test_a_builtin_exception_with_any_arguments_arrives_as_its_class(
    way: Any, cls: Any, args: list[Any], data: Any
) -> None:
    if cls.__name__.startswith("Unicode") and data.draw(st.booleans()):
        held = b"a\xffb" if cls is UnicodeDecodeError else "a\udc80b"
        args = [] if cls is UnicodeTranslateError else ["utf-8"]
        args += [held, 1, 2, data.draw(st.text(max_size=9))]
    with contextlib.suppress(Exception):
        exc = cls(*args)
        str(exc)
    if "exc" not in locals():
        return
    arrived = way(exc)
    assert type(arrived) is type(exc)
    assert isinstance(arrived, cls)
    assert len(arrived.args) == len(exc.args)
    assert str(arrived) == str(exc)


def raised(function: Any) -> BaseException:
    try:
        function()
    except Exception as exc:
        return exc
    raise AssertionError("nothing was raised")


@WAYS
@pytest.mark.parametrize(
    ("function", "fields"),
    [
        (lambda: os.listdir("/nope/data.csv"), ("errno", "strerror", "filename")),
        (lambda: b"ab\xff".decode(), ("object", "start", "reason", "encoding")),
        (lambda: "\udc80".encode(), ("object", "start", "reason", "encoding")),
        (lambda: json.loads("{]"), ("msg", "doc", "pos", "lineno", "colno")),
        (lambda: __import__("no_such_module"), ("name", "path")),
        (lambda: compile("a b", "f.py", "exec"), ("filename", "lineno", "text")),
        (lambda: next(csv.reader(['"a'], strict=True)), ("args",)),
        (lambda: decimal.Decimal(1) / 0, ("args",)),
        (lambda: zipfile.ZipFile(__file__), ("args",)),
    ],
    ids=["file", "decode", "encode", "json", "import", "syntax", "csv", "decimal", "zip"],
)
def test_an_exception_of_the_standard_library_is_caught_by_its_own_class(
    way: Any, function: Any, fields: tuple[str, ...]
) -> None:
    exc = raised(function)
    arrived = way(exc)
    assert type(arrived) is type(exc)
    assert str(arrived) == str(exc)
    if fields != ("args",):
        assert [getattr(arrived, f) for f in fields] == [getattr(exc, f) for f in fields]


class StatusError(Exception):
    """Its constructor takes other arguments than it is raised with."""

    def __init__(self, status: int, url: str) -> None:
        super().__init__(f"{status} of {url}")
        self.status = status
        self.url = url


@WAYS
def test_a_registered_exception_whose_constructor_refuses_keeps_class_and_fields(way: Any) -> None:
    farcall.register_exception(StatusError)
    exc: Any = StatusError(404, "/data")
    exc.row, exc.body, exc.held = 17, b"\x00\xff", object()
    arrived = way(exc)
    assert type(arrived) is StatusError
    assert (str(arrived), arrived.args) == ("404 of /data", exc.args)
    assert (arrived.status, arrived.url, arrived.row) == (404, "/data", 17)
    assert arrived.body == b"\x00\xff"
    assert not hasattr(arrived, "held")


class Copied(Exception):
    """Its constructor makes arguments that say nothing when they are compared."""

    def __init__(self, values: Any) -> None:
        super().__init__(np.array(values))


def test_an_exception_whose_arguments_cannot_be_compared_arrives_as_its_class() -> None:
    farcall.register_exception(Copied)
    arrived = crossed(Copied([1, 2]))
    assert type(arrived) is Copied
    assert (str(arrived), arrived.args[0].tolist()) == ("[1 2]", [1, 2])


class Unheard(LookupError):
    """Not registered."""


@WAYS
def test_an_exception_of_an_unknown_class_keeps_its_fields(way: Any) -> None:
    exc: Any = Unheard("no row")
    exc.row = [17, None]
    arrived = way(exc)
    assert (type(arrived).__name__, arrived.row, str(arrived)) == ("Unheard", [17, None], "no row")
    assert isinstance(arrived, LookupError)
    assert isinstance(arrived, farcall.RemoteError)


def write(exc: BaseException) -> str:
    return f"{exc.args} is wrong"


@WAYS
@given(st.sampled_from(CLASSES), st.lists(odd, max_size=4), st.booleans())
@settings(max_examples=60, deadline=None)
def test_an_exception_of_an_unknown_class_says_what_it_said(
    way: Any, base: Any, args: list[Any], own: bool
) -> None:
    """A KeyError writes its argument's repr, an OSError and a SyntaxError also their fields."""
    try:
        exc = type("Unknown", (base,), {"__str__": write} if own else {})(*args)
        traceback.format_exception(exc)  # Python cannot print a SyntaxError with a number as line
    except Exception:
        return
    if isinstance(exc, ExceptionGroup):
        return
    arrived = exc
    for _ in range(2):
        arrived = way(arrived)
        assert type(arrived).__name__ == "Unknown"
        assert str(arrived) == str(exc)
        assert way is over_comlink or repr(arrived.args) == repr(exc.args)


@WAYS
@pytest.mark.parametrize("base", [ValueError, FileNotFoundError, KeyError, json.JSONDecodeError])
def test_an_unknown_exception_keeps_its_base_however_often_it_crosses(way: Any, base: Any) -> None:
    """As one of a callback does, on its way through the worker back to the page."""
    own = type("Own", (base,), {"__init__": lambda self, *args: Exception.__init__(self, *args)})
    exc = own("mine")
    for _ in range(3):
        exc = way(exc)
        assert isinstance(exc, farcall.RemoteError)
        assert isinstance(exc, ValueError if base is json.JSONDecodeError else base)
        assert type(exc).__name__ == "Own"


def test_bytes_within_arguments_stay_bytes() -> None:
    arrived = crossed(ValueError({"a": b"x"}, [b"y"]))
    assert arrived.args == ({"a": b"x"}, [b"y"])


@pytest.mark.parametrize(
    "name",
    ["args", "with_traceback", "add_note", "__class__", "__traceback__", "_x", "remote_traceback"],
)
def test_a_field_cannot_replace_what_an_exception_is(name: str) -> None:
    wire = ["e", ["ValueError", "Exception"], ["text"], "text", "", ["note"], None, {name: 1}, ""]
    arrived = codec.Codec().decode(wire)
    assert type(arrived) is ValueError
    assert arrived.args == ("text",)
    assert arrived.__notes__ == ["note"]


@pytest.mark.parametrize(
    ("name", "module"),
    [("Popen", "subprocess"), ("system", "os"), ("Failure", "farcall.values.registered")],
)
def test_only_exceptions_of_the_standard_library_are_found_by_their_module(
    name: str, module: str
) -> None:
    wire = ["e", [name, "Exception"], ["text"], "text", "", [], None, {}, module]
    assert isinstance(codec.Codec().decode(wire), farcall.RemoteError)


class Counted(Exception):
    """Counts how often its text is asked for."""

    asked = 0

    def __str__(self) -> str:
        Counted.asked += 1
        return "counted"


@given(st.lists(st.lists(st.integers(0, 5), max_size=6), min_size=6, max_size=6), st.booleans())
def test_exceptions_that_reach_each_other_by_many_ways_are_encoded_a_bounded_number_of_times(
    ways: list[list[int]], arguments: bool
) -> None:
    made = [Counted() for _ in ways]
    for exc, others in zip(made, ways, strict=True):
        reached = [made[i] for i in others]
        if arguments:
            exc.args = tuple(reached)
        else:
            vars(exc).update({f"way{i}": other for i, other in enumerate(reached)})
    Counted.asked = 0
    assert str(crossed(made[0])) == "counted"
    encoded = len(made) + 100 + len(made)  # each once, and so many again
    # For its text and its traceback's, and once for each way that leads to one too many.
    assert Counted.asked <= 2 * encoded + 6 * encoded


def test_a_long_chain_of_exceptions_with_two_ways_each_crosses() -> None:
    first = inner = Counted()
    for _ in range(40):
        outer = Counted()
        outer.a = outer.b = inner  # type: ignore[attr-defined]
        inner = outer
    first.a = inner  # type: ignore[attr-defined]
    Counted.asked = 0
    assert str(crossed(inner)) == "counted"
    assert Counted.asked <= 1000


def test_an_exception_that_is_an_argument_and_a_field_crosses_as_both() -> None:
    inner = ValueError("inside")
    outer = RuntimeError(inner)
    outer.inner = inner  # type: ignore[attr-defined]
    found = crossed(outer)
    assert str(found.args[0]) == str(found.inner) == "inside"  # type: ignore[attr-defined]


def test_an_exception_is_not_inside_itself() -> None:
    exc = ValueError("of itself")
    exc.first = exc.second = exc  # type: ignore[attr-defined]
    found = crossed(exc)
    assert str(found) == "of itself"
    assert not hasattr(found, "first")


def test_an_exception_beside_a_deep_value_crosses() -> None:
    """What is too deep is encoded a second time, in another way."""
    deep: Any = []
    for _ in range(40):
        deep = [deep]
    found = crossed(RuntimeError([ValueError("inside"), deep]))
    assert str(found.args[0][0]) == "inside"


class Refusals(ExceptionGroup[Exception]):
    """A group that is made with a number, and what it is about."""

    number: int

    def __new__(cls, number: int, *refused: Exception) -> "Refusals":
        made = super().__new__(cls, f"{number} refused", refused or [KeyError("none")])
        made.number = number
        return made


@WAYS
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_group_whose_class_takes_other_arguments_arrives_with_its_exceptions(
    way: Any, count: int
) -> None:
    exc = Refusals(count, *[ValueError(i) for i in range(count)])
    arrived = way(exc)
    assert isinstance(arrived, ExceptionGroup)
    assert type(arrived).__name__ == "Refusals"
    assert str(arrived) == str(exc)
    assert [repr(inner) for inner in arrived.exceptions] == [repr(e) for e in exc.exceptions]
    assert arrived.number == count  # type: ignore[attr-defined]


@WAYS
def test_such_groups_arrive_from_inside_each_other(way: Any) -> None:
    exc = Refusals(0, ValueError("inmost"))
    for level in range(1, 9):
        exc = Refusals(level, exc, KeyError(level))
    arrived = way(exc)
    for _ in range(8):
        assert str(arrived.exceptions[1]) == str(exc.exceptions[1])
        exc, arrived = exc.exceptions[0], arrived.exceptions[0]  # type: ignore[assignment]
    assert [str(e) for e in arrived.exceptions] == ["inmost"]


def test_a_group_of_a_class_that_is_registered_on_one_side_only_is_a_group_of_its_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(errors, "_known", {**errors._known, "Refusals": Refusals})
    wire = codec.Codec().encode_exception(Refusals(1, ValueError("x")))
    monkeypatch.delitem(errors._known, "Refusals")
    arrived = codec.Codec().decode(json.loads(json.dumps(wire)))
    assert isinstance(arrived, ExceptionGroup)
    assert "1 refused" in str(arrived)


def test_of_exceptions_deep_inside_each_other_the_outer_ones_have_tracebacks() -> None:
    """Each is made of those of all inside it: with all, 5,000 took 14 s."""
    inner: Exception = ValueError("inner")
    for _ in range(40):
        inner = ExceptionGroup("outer", [inner])
    arrived, texts = crossed(inner), []
    while isinstance(arrived, ExceptionGroup):
        texts.append(arrived.remote_traceback)  # type: ignore[attr-defined]
        [arrived] = arrived.exceptions
    assert [bool(text) for text in texts] == [place < 5 for place in range(40)]
    assert arrived.args == ("inner",)
