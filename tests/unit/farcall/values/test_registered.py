"""Registered classes cross at any depth, in circles, and whatever their dataclass declares."""

import collections
import dataclasses
import enum
from dataclasses import InitVar, dataclass, field
from typing import Any, ClassVar, NamedTuple

import farcall
import pytest
from farcall.values import registered
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.farcall.values.test_standard import crossed

pytestmark = pytest.mark.promise("farcall: features", "Registered classes by value, any depth")


@farcall.register
@dataclass
class Node:
    name: Any
    children: Any = None
    parent: Any = None


@farcall.register
@dataclass(frozen=True, slots=True)
class Frozen:
    inner: Any


class Coded:
    def __init__(self, inner: Any) -> None:
        self.inner = inner


farcall.register(Coded, encode=lambda c: [c.inner], decode=lambda w: Coded(w[0]))


@given(st.integers(2, 300), st.lists(st.integers(0, 5), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_instances_arrive_from_any_depth(depth: int, kinds: list[int]) -> None:
    wrap = [
        lambda v: Node("n", [v]),
        Frozen,
        lambda v: (v,),
        lambda v: collections.deque([v]),
        lambda v: {"k": v},
        lambda v: [v],
    ]
    unwrap = [
        lambda v: v.children[0],
        lambda v: v.inner,
        lambda v: v[0],
        lambda v: v[0],
        lambda v: v["k"],
        lambda v: v[0],
    ]
    value: Any = "core"
    for level in range(depth):
        value = wrap[kinds[level % len(kinds)]](value)
    arrived, sent = crossed(value), value
    for level in reversed(range(depth)):
        assert type(arrived) is type(sent)
        arrived, sent = (unwrap[kinds[level % len(kinds)]](v) for v in (arrived, sent))
    assert arrived == "core"


@st.composite
def graphs(draw: st.DrawFn) -> list[Any]:
    """Containers and instances with parts drawn from all of them, circles included."""
    made: list[Any] = [Node(0), [], {}, collections.deque()]
    made += [Node(n) for n in range(draw(st.integers(0, 4)))]
    for n in range(draw(st.integers(0, 4))):
        parts = draw(st.lists(st.sampled_from(made), max_size=3))
        made.append([tuple(parts), Frozen(parts), slice(*(parts * 3)[:3] or [1])][n % 3])
    for value in list(made):
        parts = draw(st.lists(st.sampled_from(made), max_size=3))
        if isinstance(value, Node):
            value.children, value.parent = parts, draw(st.sampled_from(made))
        elif isinstance(value, (list, collections.deque)):
            value.extend(parts)
        elif isinstance(value, dict):
            value.update(enumerate(parts))
    return made


def shape(value: Any) -> Any:
    """Types and identities of everything that a value leads to, in order."""
    numbers: dict[int, int] = {}
    found: list[Any] = []
    queue = [value]
    while queue:
        part = queue.pop(0)
        if isinstance(part, (int, str, type(None))):
            found.append(part)
            continue
        if id(part) in numbers:
            found.append(("seen", numbers[id(part)]))
            continue
        numbers[id(part)] = len(numbers)
        found.append(type(part))
        if isinstance(part, Node):
            queue += [part.name, part.children, part.parent]
        elif isinstance(part, Frozen):
            queue.append(part.inner)
        elif isinstance(part, slice):
            queue += [part.start, part.stop, part.step]
        else:
            queue += part.values() if isinstance(part, dict) else part
    return found


@given(graphs())
@settings(max_examples=80, deadline=None)
def test_circles_and_shared_parts_arrive_as_they_were(value: list[Any]) -> None:
    value.append(value)
    assert shape(crossed(value)) == shape(value)


def test_a_tree_whose_nodes_know_their_parent_arrives() -> None:
    root = Node("root", [])
    root.children = [Node("a", [], root), Node("b", [], root)]
    arrived = crossed(root)
    assert [child.name for child in arrived.children] == ["a", "b"]
    assert all(child.parent is arrived for child in arrived.children)


def test_a_class_with_an_encode_crosses_nested_and_says_why_it_cannot_in_a_circle() -> None:
    value: Any = "core"
    for _ in range(40):
        value = Coded([value])
    arrived = crossed(value)
    for _ in range(40):
        arrived = arrived.inner[0]
    assert arrived == "core"
    loop = Coded(None)
    loop.inner = loop
    with pytest.raises(ValueError, match=r"a Coded nests too deep.*register it by its fields"):
        crossed(loop)


def test_instances_with_an_encode_that_share_parts_at_any_depth_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registered, "INSIDE", 1_000)
    value: Any = "core"
    for _ in range(40):
        value = Coded([value, value])
    with pytest.raises(farcall.LimitError, match=r"more than 1000 times: register Coded by its fi"):
        crossed(value)
    arrived = crossed(Coded([Coded(n) for n in range(2_000)]))
    assert [part.inner for part in arrived.inner] == [*range(2_000)]


@dataclass
class Area:
    width: float
    height: float = 2.0
    unit: ClassVar[str] = "m"
    area: float = field(init=False, default=0.0)
    scale: InitVar[float] = 1.0
    kept: list[int] = field(default_factory=list, kw_only=True)

    def __post_init__(self, scale: float) -> None:
        self.area = self.width * self.height * scale


@dataclass
class Needy:
    width: float
    scale: InitVar[float]


def test_fields_that_the_constructor_does_not_take_arrive() -> None:
    farcall.register(Area, "test.Area")
    value = Area(3.0, scale=10.0, kept=[1])
    arrived = crossed(value)
    assert (arrived, arrived.area) == (value, 60.0)
    assert dataclasses.asdict(arrived) == dataclasses.asdict(value)


def test_a_dataclass_that_its_fields_cannot_make_is_refused_with_the_reason() -> None:
    with pytest.raises(TypeError, match="Needy needs 'scale', an InitVar"):
        farcall.register(Needy)
    farcall.register(Needy, encode=lambda n: n.width, decode=lambda w: Needy(w, 1.0))
    assert crossed(Needy(2.0, 1.0)) == Needy(2.0, 1.0)


class Level(enum.Enum):
    LOW = (1, "low")


class Pair(NamedTuple):
    a: int
    b: int = 2


def test_an_enum_and_a_named_tuple_can_be_registered_by_name() -> None:
    farcall.register(Level, "test.Level")
    farcall.register(Pair, "test.Pair")
    assert crossed(Level.LOW) is Level.LOW
    arrived = crossed(Pair(1))
    assert (type(arrived), arrived) == (Pair, Pair(1))


@pytest.mark.parametrize("fields", ["x", "x y"])
@pytest.mark.parametrize("functions", [{}, {"encode": vars, "decode": lambda fields: fields}])
def test_a_class_does_not_take_the_name_of_another(fields: str, functions: Any) -> None:
    @dataclass
    class Taken:
        x: int

    def other() -> Any:
        made = dataclasses.make_dataclass("Taken", fields.split())
        made.__qualname__, made.__module__ = "Other.Taken", __name__
        return made

    farcall.register(Taken, "test.Taken")
    says = r"locals>\.Taken is called 'test\.Taken' already: give .*\.Other\.Taken another name"
    with pytest.raises(ValueError, match=says):
        farcall.register(other(), "test.Taken", **functions)
    assert crossed(Taken(1)) == Taken(1)
    farcall.register(other(), "test.Taken2", **functions)
    farcall.register(other(), "test.Taken2", **functions)
    farcall.register(Taken, "test.Taken")
