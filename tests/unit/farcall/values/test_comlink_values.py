"""Over Comlink's wire a value of the standard library is what JavaScript has of it."""

import array
import collections
import datetime
import decimal
import fractions
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from farcall.comlink.values import Incoming, Outgoing
from farcall.values.codec import dumps
from hypothesis import given, settings

from tests.unit.farcall.values.test_registered import Node
from tests.unit.farcall.values.test_standard import Colour, Level, Point, Word, values

ROOT = Path(__file__).resolve().parents[4]


def over_comlink(value: Any) -> Any:
    frame = Outgoing(lambda served: None)
    text = dumps({"type": "RAW", "value": frame.wire(value)["value"]})
    return Incoming().frame(text, frame.buffers, frame.refs)["value"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (decimal.Decimal("1.50"), "1.50"),
        (fractions.Fraction(-(10**40), 3), "-" + "1" + 40 * "0" + "/3"),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.Counter("aa"), {"a": 2}),
        (collections.deque([1, [2]]), [1, [2]]),
        (Point(1, 2), (1, 2)),
        (Word.YES, "yes"),
        (Level.LOW, 1),
        (Colour.GREEN, ("g", 2)),
        (memoryview(b"ab"), b"ab"),
        ([{"at": datetime.timedelta(1)}], [{"at": "1 day, 0:00:00"}]),
    ],
    ids=lambda value: type(value).__name__,  # some show an address, which differs by process
)
def test_a_value_of_the_standard_library_is_plain_there(value: Any, expected: Any) -> None:
    arrived = over_comlink(value)
    assert type(arrived) is type(expected)
    assert arrived == expected


def test_a_fraction_of_more_digits_than_python_writes_is_refused() -> None:
    with pytest.raises(TypeError, match="digits"):
        over_comlink([fractions.Fraction(10**5000, 3)])


def test_an_array_is_a_typed_array_there() -> None:
    arrived = over_comlink([array.array("h", [1, -2]), array.array("d")])
    assert [a.dtype for a in arrived] == [np.dtype("int16"), np.dtype("float64")]
    assert arrived[0].tolist() == [1, -2]


def test_an_instance_nested_deep_is_its_fields_there() -> None:
    value: Any = "core"
    for _ in range(40):
        value = Node("n", [value])
    arrived = over_comlink([value])[0]
    for _ in range(40):
        arrived = arrived["children"][0]
    assert arrived == "core"


@given(values)
@settings(max_examples=50, deadline=None)
def test_any_of_them_crosses_or_is_refused_where_it_is_passed(value: Any) -> None:
    try:
        over_comlink([value])
    except TypeError:
        return


def revived() -> set[str]:
    """The tags that comlink.js makes values of."""
    source = (ROOT / "py" / "farcall" / "comlink" / "comlink.js").read_text()
    table = source.split("const REVIVERS = {")[1].split("function revive")[0]
    return set(re.findall(r"^    (\w)[:(]", table, re.MULTILINE)) | set(
        re.findall(r"(\w): REVIVERS", table)
    )


def tags(wire: Any) -> Iterator[str]:
    if isinstance(wire, dict):
        for item in wire.values():
            yield from tags(item)
    elif isinstance(wire, list):
        yield wire[0]
        for item in wire[1:]:
            yield from tags(item)


LONG = {
    "text": "x" * 5000,
    "list": [1] * 300,
    "rows": [{"a": 1}] * 300,
    "pairs": [(1, "x")] * 300,
    "dict": dict.fromkeys(map(str, range(300)), 1.5),
    "keys": {(n, n): None for n in range(300)},
    "set": set(range(300)),
}


@pytest.mark.parametrize("value", LONG.values(), ids=LONG)
def test_what_is_long_has_a_form_that_javascript_knows(value: Any) -> None:
    """In-memory pairs do not show it: both of their sides are Python."""
    assert {"l", "d", "f"} <= revived()
    assert set(tags(Outgoing(lambda value: None).encode([value]))) <= revived()
