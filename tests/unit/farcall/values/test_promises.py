"""A call or path that was not awaited may be anywhere a value may be: it is what it leads to."""

import asyncio
import collections
import datetime
import gc
import inspect
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import farcall
import numpy as np
import pytest
import pytest_asyncio
from farcall.endpoints import memory_pair
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.farcall.connection.test_session import connected, quiet

HELD = ("pending", "serving", "exports", "imports", "streams")


@farcall.register
@dataclass(frozen=True)
class Holder:
    inner: Any

    def __post_init__(self) -> None:
        assert type(self.inner).__module__ != "farcall.connection.references"


class Coded:
    def __init__(self, inner: Any) -> None:
        self.inner = inner


async def coded(wire: Any) -> Coded:
    return Coded(wire)


class Table:
    """Answers a comparison with a mask, as pandas does."""

    def __gt__(self, limit: int) -> list[bool]:
        return [n > limit for n in (1, 2, 3)]

    def __getitem__(self, key: Any) -> Any:
        return (
            self if key == "a" else [n for n, wanted in zip((1, 2, 3), key, strict=True) if wanted]
        )


@farcall.exposed(writable=("slot", "[]"))
class Far:
    """What is served."""

    def __init__(self) -> None:
        self.slot: Any = None
        self.key = "k"
        self.numbers = {"k": 1, b"raw": 2, datetime.date(2026, 1, 1): 3, ("k", 2): 4}
        self.table = Table()
        self.gate = asyncio.Event()

    def two(self) -> int:
        return 2

    async def later(self, value: Any) -> Any:
        await asyncio.sleep(0)
        return value

    async def gated(self, value: Any) -> Any:
        await self.gate.wait()
        return value

    def open(self) -> None:
        self.gate.set()

    def name(self) -> str:
        return "k"

    def fail(self) -> None:
        raise LookupError("an earlier call")

    def echo(self, *args: Any, **kwargs: Any) -> Any:
        return [args, kwargs] if kwargs else args[0] if len(args) == 1 else args

    def kept(self, value: Any, callback: Any) -> Any:
        self.slot = value
        return value


@pytest_asyncio.fixture
async def engine() -> AsyncIterator[Any]:
    near, far = memory_pair()
    session = farcall.Session(far, {"far": Far()})
    proxy = await farcall.connect(near, timeout=5)
    yield proxy
    await nothing_held(proxy, session)
    farcall.session(proxy).close()


async def nothing_held(proxy: Any, session: farcall.Session) -> None:
    near = farcall.session(proxy)
    for _ in range(100):
        gc.collect()
        held = [[s.statistics()[name] for name in HELD] for s in (near, session)]
        if held == [[0] * 5] * 2:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"held: {held}")


def itself(value: Any) -> list[Any]:
    loop: list[Any] = [value]
    loop.append(loop)
    return loop


PLACES: dict[str, Callable[[Any], Any]] = {
    "alone": lambda v: v,
    "list": lambda v: [v],
    "tuple": lambda v: (v, 1),
    "value": lambda v: {"k": v},
    "key": lambda v: {v: 1},
    "keys": lambda v: {1: 2, v: 3},
    "set": lambda v: {v},
    "frozenset": lambda v: frozenset([v, 7]),
    "slice": lambda v: slice(v, 3),
    "instance": Holder,
    "deque": lambda v: collections.deque([v], 4),
    "counter": lambda v: collections.Counter({v: 2}),
    "ordered": lambda v: collections.OrderedDict([(1, v)]),
}
LONG: dict[str, Callable[[Any], Any]] = {
    "long list": lambda v: [0] * 5000 + [v],
    "long dict": lambda v: {"k": 1, **dict.fromkeys(range(-5000, 0)), "v": v},
    "rows": lambda v: [{"a": n, "b": v} for n in range(3000)],
}
CALLS: dict[str, Callable[[Any], Any]] = {
    "call": lambda far: far.two(),
    "coroutine": lambda far: far.later(2),
    "path": lambda far: far.numbers[b"raw"],
    "of a call": lambda far: far.later(far.two()),
    "key": lambda far: far.numbers[far.later(b"raw")],
}


@pytest.mark.promise(
    "farcall: features", "A call or path that was not awaited, anywhere a value may be"
)
@pytest.mark.asyncio
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("place", PLACES)
async def test_a_call_in_any_place_is_its_result(engine: Any, place: str, call: str) -> None:
    expected = PLACES[place](2)
    promise = CALLS[call](engine.far)
    assert await engine.far.echo(PLACES[place](promise)) == expected
    received = await engine.far.echo(1, x=PLACES[place](promise))
    assert received == [(1,), {"x": expected}]


@pytest.mark.asyncio
@pytest.mark.parametrize("place", LONG)
async def test_a_call_among_many_items_is_its_result(engine: Any, place: str) -> None:
    assert await engine.far.echo(LONG[place](engine.far.later(2))) == LONG[place](2)


@pytest.mark.asyncio
async def test_a_list_that_holds_itself_and_a_call_has_its_result(engine: Any) -> None:
    arrived = await engine.far.echo(itself(engine.far.later(2)))
    assert arrived[0] == 2
    assert arrived[1] is arrived


@pytest.mark.promise(
    "farcall: features", "A call or path that was not awaited, anywhere a value may be"
)
@pytest.mark.asyncio
async def test_a_path_whose_key_is_a_call_can_be_used_again(engine: Any) -> None:
    far = engine.far
    assert await far.table[far.table["a"] > 1] == [2, 3]
    path = far.numbers[far.name()]
    assert [await path, await path, await far.numbers[far.key]] == [1, 1, 1]
    raw, day = far.numbers[b"raw"], far.numbers[datetime.date(2026, 1, 1)]
    assert [await raw, await raw, await day, await far.numbers[far.name(), 2]] == [2, 2, 3, 4]
    far.numbers[far.later(b"raw")] = far.two()
    assert await raw == 2


@pytest.mark.asyncio
async def test_a_key_that_is_an_object_is_given_up_once_a_use(engine: Any) -> None:
    path = engine.far.numbers[object()]
    for _ in range(2):
        with pytest.raises(KeyError):
            await path


@pytest.mark.asyncio
@pytest.mark.parametrize("place", PLACES)
async def test_the_error_of_a_call_is_that_of_what_builds_on_it(engine: Any, place: str) -> None:
    value = PLACES[place](engine.far.fail())
    with pytest.raises(LookupError, match="an earlier call"):
        await engine.far.kept(value, lambda: None)
    with pytest.raises(AttributeError, match="nothing"):
        await engine.far.kept(PLACES[place](engine.far.nothing), lambda: None)


@pytest.mark.asyncio
@pytest.mark.parametrize("place", ["key", "keys", "set", "frozenset", "counter"])
async def test_what_a_call_gives_and_python_takes_for_no_key_is_a_type_error(
    engine: Any, place: str
) -> None:
    beside = engine.far.two()
    with pytest.raises(TypeError, match="unhashable type: 'list'"):
        await engine.far.kept(PLACES[place](engine.far.echo([1])), lambda: None)
    assert await beside == 2


@pytest.mark.asyncio
async def test_what_was_passed_with_a_waiting_call_may_be_released_meanwhile(engine: Any) -> None:
    far = engine.far
    table = await far.table
    early = far.two()
    await early
    waiting = far.echo({far.gated(5): [table, early, lambda: 1]})
    farcall.release(table)
    for _ in range(3):  # the results that it builds on are forgotten by now, were they not kept
        await far.two()
    await far.open()
    arrived = await waiting
    assert list(arrived) == [5]
    assert arrived[5][1] == 2


@pytest.mark.asyncio
async def test_a_waiting_call_that_is_cancelled_leaves_nothing(engine: Any) -> None:
    task = asyncio.ensure_future(engine.far.kept({engine.far.gated(1)}, lambda: None))
    await engine.far.two()
    task.cancel()
    await engine.far.open()


@pytest.mark.asyncio
async def test_an_instance_whose_decode_must_be_awaited_takes_no_call(engine: Any) -> None:
    farcall.register(Coded, "test.Coded", encode=lambda c: [c.inner], decode=coded)
    assert (await engine.far.echo([Coded(1)]))[0].inner == [[1]]
    with pytest.raises(farcall.ProtocolError, match="must be awaited"):
        await engine.far.echo(Coded(engine.far.two()))


places = st.lists(st.sampled_from(sorted(PLACES)), min_size=1, max_size=6)


@given(places, st.sampled_from(sorted(CALLS)))
@settings(max_examples=40, deadline=None)
def test_a_call_at_any_depth_is_its_result(path: list[str], call: str) -> None:
    async def cross() -> None:
        near, far = memory_pair()
        session = farcall.Session(far, {"far": Far()})
        engine = await farcall.connect(near, timeout=5)
        expected, value = 2, CALLS[call](engine.far)
        for place in path:
            try:
                hash(expected)
            except TypeError:
                if place in ("key", "keys", "set", "frozenset", "counter"):
                    continue
            expected, value = PLACES[place](expected), PLACES[place](value)
        assert await engine.far.echo(value) == expected
        del value
        await nothing_held(engine, session)
        farcall.session(engine).close()

    asyncio.run(cross())


class Parcel:
    """Its `encode` waits for a gate."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()


async def packed(parcel: Parcel) -> str:
    await parcel.gate.wait()
    return "parcel"


@pytest.mark.asyncio
@pytest.mark.parametrize("turns", range(1, 6))
@pytest.mark.parametrize("waits", [False, True])
async def test_a_call_whose_result_comes_before_what_builds_on_it_has_left_is_known_there(
    engine: Any, turns: int, waits: bool
) -> None:
    """What leaves together is behind an encode that waits, or in the turn in which it comes."""
    farcall.register(Parcel, encode=packed, decode=str, name="test.promises.Parcel")
    first, parcel = engine.far.two(), Parcel()
    for _ in range(turns):
        await asyncio.sleep(0)
    before = engine.far.echo(parcel if waits else "parcel")
    built = engine.far.echo(first, [first])
    if waits:
        assert await first == 2
    parcel.gate.set()
    assert await before == "parcel"
    assert await built == (2, [2])


async def entered(found: Any) -> Any:
    async with found as inside:
        return await inside[0]


# Values that are marked, and what is asked of them.
MARKED: dict[str, tuple[Callable[[], Any], Callable[[Any], Any], Any]] = {
    "list": (lambda: farcall.ref([1, 2]), lambda found: found.index(2), 1),
    "text": (lambda: farcall.ref("ab"), lambda found: found.upper(), "AB"),
    "item": (lambda: farcall.ref({"a": [5]}), lambda found: found["a"][0], 5),
    "length": (lambda: farcall.ref([1, 2]), lambda found: farcall.len(found), 2),
    "block": (lambda: farcall.ref([5]), entered, 5),
    "array": (lambda: farcall.transfer(np.arange(3.0)), lambda found: found.sum(), 3.0),
    "generator": (lambda: (i for i in (7, 8)), lambda found: anext(found), 7),
}
# Where a program finds them.
FOUND: dict[str, Callable[[Any], Any]] = {
    "result": lambda far: far.give(),
    "inside a result": lambda far: far.inside()["at"][0],
    "attribute": lambda far: far.held,
    "inside an attribute": lambda far: far.table["at"][0],
}


class Marking:
    """Gives marked values in every place."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.give = make
        self.held = make()
        self.table = {"at": [make()]}

    def inside(self) -> Any:
        return {"at": [self.give()]}


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", MARKED)
@pytest.mark.parametrize("place", FOUND)
@pytest.mark.parametrize("awaited", [True, False])
async def test_a_mark_is_what_it_marks_for_what_is_built_on_it(
    kind: str, place: str, awaited: bool
) -> None:
    make, ask, expected = MARKED[kind]
    async with connected({"far": Marking(make)}) as (engine, session):
        found = FOUND[place](engine.far)
        if awaited:
            found = await found
        answer = ask(found)
        assert (await answer if inspect.isawaitable(answer) else answer) == expected
        del found, answer
        await quiet(engine, session)
