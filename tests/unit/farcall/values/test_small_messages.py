"""A small message makes a small value, in a short time; and so does what is made of it."""

import asyncio
import dataclasses
import gc
import re
from fractions import Fraction
from typing import Any

import farcall
import pytest
from farcall.comlink.values import rebuilt
from farcall.values import standard
from farcall.values.codec import Codec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.bounded import bounded
from tests.unit.farcall.connection.test_session import connected
from tests.unit.farcall.values.test_standard import crossed

BILLION = 10**9


def doubled(tag: str, depth: int = 64) -> list[Any]:
    """A value that holds the one before twice: 2**depth parts where each counts."""
    nodes = [[tag], *([tag, ["@", n], ["@", n]] for n in range(depth))]
    return ["g", ["@", depth], nodes]


def within(outer: list[Any], tag: str, depth: int = 63) -> list[Any]:
    """A node of which such a value is a part."""
    _, _, nodes = doubled(tag, depth)
    return ["g", ["@", depth + 1], [*nodes, [*outer, ["@", depth]]]]


LARGE: dict[str, Any] = {
    "a fraction's text": ["v", "Fraction", "", "1e999999999"],
    "a fraction's decimal": ["v", "Fraction", "", ["v", "Decimal", "1e999999999"]],
    "a fraction's digits": ["v", "Fraction", "", ["i", "0x" + "f" * 70_000], 3],
    "a decimal": ["v", "Decimal", "1e999999999"],
    "a decimal that is nearly nothing": ["v", "Decimal", "1e-999999999"],
    "items of an array": ["v", "array", "b", ["x", ""], 25 * BILLION // 10],
    "an array": ["v", "array", "b", BILLION, 1],
    "a memoryview": ["v", "memoryview", "B", BILLION, 1, None, False],
    "a mapping": ["m", ["r", 0, BILLION, 1], ["r", 0, BILLION, 1]],
    "parts": ["+", "l", ["l", 1], ["r", 0, BILLION, 1]],
    "a masked array": ["v", "MaskedArray", "", ["r", 0, BILLION, 1], False, 0],
    "a masked array's fill value": ["v", "MaskedArray", "", 1, False, ["r", 0, BILLION, 1]],
    "a key": ["s", doubled("t")],
    "a key in a circle": within(["s"], "t"),
    "a frozenset's key": ["z", doubled("t")],
    "a dict's key": ["d", doubled("t"), 1],
    "a key of many": ["m", ["l", doubled("t")], ["l", 1]],
    "a counter's key": ["v", "Counter", "", doubled("t"), 1],
    "a number": within(["i"], "l"),
    "a float": within(["f"], "l"),
    "a type's name": within(["v"], "l"),
    "a class's name": within(["D"], "l"),
    "a length": within(["v", "deque"], "l"),
}


@pytest.mark.promise("farcall: limits", "A small message makes no large value")
@pytest.mark.parametrize("kind", LARGE)
def test_a_small_message_that_would_make_a_large_value_is_refused(kind: str) -> None:
    with bounded(), pytest.raises((farcall.ProtocolError, farcall.LimitError)):
        Codec().decode_with(LARGE[kind], [])


def test_so_is_one_over_comlinks_wire() -> None:
    text = '["e",["ValueError"],[["v","Fraction","","1e999999999"]],"x","",[],null]'
    with bounded():
        found = rebuilt({"isError": True, "value": {"message": "m", "name": "E", "py": text}})
        assert str(found) == "m"


NUMBERS = st.sampled_from([0, 1, -1, 8, 16, 1000, BILLION, 2**40, 2**63 - 1]) | st.integers()
TEXTS = st.sampled_from(
    ["", "b", "d", "B", "1e999999999", "9" * 300, "list", "UTC", "0x" + "f" * 99]
)
PARTS = st.recursive(
    NUMBERS
    | TEXTS
    | st.sampled_from([None, True, 1.5, ["x", "00ff"], ["r", 0, BILLION, 1], doubled("l")])
    | st.just(doubled("t")),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda parts: ["l", *parts])
        | st.tuples(
            st.sampled_from(sorted(standard._KINDS)), TEXTS, st.lists(inner, max_size=4)
        ).map(lambda found: ["v", found[0], found[1], *found[2]])
        | st.tuples(st.sampled_from("tszdm+TSrci"), st.lists(inner, min_size=1, max_size=4)).map(
            lambda found: [found[0], *found[1]]
        )
        | st.tuples(st.sampled_from("ls"), inner).map(lambda found: ["+", found[0], found[1]])
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(wire=PARTS)
def test_any_small_message_makes_a_value_in_a_short_time_or_none(wire: Any) -> None:
    with bounded(2):
        try:
            Codec().decode_with(wire, [])
        except (farcall.FarcallError, ArithmeticError):
            return


def test_keys_may_share_parts_as_long_as_they_are_not_too_many() -> None:
    found = Codec().decode_with(["s", doubled("t", 10)], [])
    assert len(found) == 1
    with bounded(), pytest.raises(farcall.LimitError, match="keys of more than 100000 parts"):
        Codec().decode_with(["l", *[["s", doubled("t", 12)]] * 40], [])
    assert Codec().decode_with(["s", doubled("t", 10)], []) == found


def test_a_flag_does_not_grow_by_what_peers_ask_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    known = re.RegexFlag._value2member_map_
    monkeypatch.setattr(standard, "_MEMBERS", len(known) + 10)
    members = [["v", "Enum", "x", "re", "RegexFlag", "", (1 << 20) + n, True] for n in range(40)]
    with pytest.raises(farcall.LimitError, match="RegexFlag has"):
        Codec().decode(["l", *members])
    assert len(known) <= standard._MEMBERS


# -- what is shared


@pytest.mark.parametrize("wrap", ["list", "tuple", "dict", "instance"])
def test_a_value_that_holds_each_part_twice_crosses_in_a_short_time(wrap: str) -> None:
    @dataclasses.dataclass
    class Pair:
        first: Any
        second: Any

    farcall.register(Pair, "test.Shared")
    twice = {
        "list": lambda v: [v, v],
        "tuple": lambda v: (v, v),
        "dict": lambda v: {"a": v, "b": v},
        "instance": lambda v: Pair(v, v),
    }[wrap]
    for depth in (8, 18, 22, 40):
        value: Any = ["leaf"]
        for _ in range(depth):
            value = twice(value)
        with bounded():
            found = crossed(value)
        for _ in range(depth):
            first, second = (
                found.values()
                if wrap == "dict"
                else (found.first, found.second)
                if wrap == "instance"
                else found
            )
            assert first is second or depth < 12
            found = first
        assert found == ["leaf"]


def test_many_different_parts_cross_as_they_did() -> None:
    value = [[[n, [n]], {"a": [n]}] for n in range(9000)]
    buffers: list[Any] = []
    wire = Codec(None, buffers).encode(value)
    assert wire[0] != "g"
    assert crossed(value) == value
    same = [["row"]]
    assert Codec().encode([same] * 100)[0] != "g"


def circle(kind: str, count: int) -> list[Any]:
    """Graphs of circles whose nodes an older reader visited a square of times."""
    if kind == "back":
        return [["l", ["@", n + 1]] for n in range(count - 1)] + [
            ["l", *[["@", n] for n in range(count)]]
        ]
    if kind == "tuples":  # each list leads to the first tuple, the last tuple to all lists
        lists = [["l", ["@", count]] for _ in range(count)]
        tuples = [["t", ["@", n + 1]] for n in range(count, 2 * count - 1)]
        return [*lists, *tuples, ["t", *[["@", n] for n in range(count)]]]
    first = ["t", *[["@", n] for n in range(1, count)]]
    lists = [["l", ["@", count]] for _ in range(1, count)]
    tuples = [["t", ["@", n + 1]] for n in range(count, 2 * count - 1)]
    return [first, *lists, *tuples, ["t", ["@", 0]]]


@pytest.mark.parametrize("kind", ["back", "tuples", "first"])
def test_circles_are_read_in_a_time_that_is_linear(kind: str) -> None:
    with bounded(6):
        found = Codec().decode_with(["g", ["@", 0], circle(kind, 30_000)], [])
    assert found


class Refused(Exception):
    pass


@farcall.register
@dataclasses.dataclass
class Order:
    amount: int
    parts: Any = None

    def __post_init__(self) -> None:
        if self.amount < 0:
            raise ValueError("negative")


@pytest.mark.parametrize(
    "nodes",
    [
        [["D", "Order", {"amount": -5, "parts": ["@", 0]}]],
        [
            ["D", "Order", {"amount": 5, "parts": ["@", 1]}],
            ["l", ["@", 2]],
            ["D", "Order", {"amount": -1, "parts": ["@", 0]}],
        ],
        [
            ["D", "Order", {"amount": 1, "parts": ["@", 1]}],
            ["D", "Order", {"amount": -1, "parts": ["@", 0]}],
        ],
    ],
    ids=["itself", "by way of a list", "two"],
)
def test_an_instance_in_a_circle_is_checked_by_its_constructor(nodes: list[Any]) -> None:
    with pytest.raises(farcall.ProtocolError, match="negative"):
        Codec().decode(["g", ["@", 0], nodes])


def test_a_circle_of_instances_that_are_right_arrives() -> None:
    first = Order(1)
    second = Order(2, first)
    first.parts = second
    found = crossed(first)
    assert (found.amount, found.parts.amount) == (1, 2)
    assert found.parts.parts is found


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["deep", "shared"])
async def test_callbacks_beside_such_values_are_given_back(kind: str) -> None:
    value: Any = ["leaf"]
    for _ in range(40):
        value = [value] if kind == "deep" else [value, value]
    async with connected({"take": lambda it: None}) as (engine, _):
        await engine.take([print, value])
        for _ in range(20):
            gc.collect()
            await asyncio.sleep(0)
        assert farcall.session(engine).statistics()["exports"] == 0


def test_fractions_of_many_digits_still_cross() -> None:
    value = Fraction(10**6000, 3)
    assert crossed(value) == value
