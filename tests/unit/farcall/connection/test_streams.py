"""Streams: their end, and what goes wrong on the way, as a loop or lock-step sees it."""

import asyncio
import contextlib
import gc
import random
import types
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import farcall
import pytest
from farcall.connection.policy import Policy
from farcall.endpoints import memory_pair

from tests.unit.farcall.connection.test_session import connected, quiet, settle


def echo() -> Iterator[Any]:
    """Give 1, then what was sent."""
    yield (yield 1)


async def echo_later() -> AsyncIterator[Any]:
    yield (yield 1)


async def rest(stream: Any) -> list[Any]:
    """The items that a loop still gets."""
    async with asyncio.timeout(2):
        return [item async for item in stream]


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["echo", "echo_later"])
async def test_the_end_of_a_generator_is_that_of_lock_step_and_of_a_loop(name: str) -> None:
    async with connected({"echo": echo, "echo_later": echo_later}) as (engine, _):
        stream = await getattr(engine, name)()
        assert await stream.asend(None) == 1
        assert await stream.asend(5) == 5
        for _ in range(2):
            with pytest.raises(StopAsyncIteration):
                await stream.asend(6)
        assert await rest(stream) == []


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["echo", "echo_later"])
async def test_what_is_thrown_into_a_generator_comes_back_and_ends_it(name: str) -> None:
    async with connected({"echo": echo, "echo_later": echo_later}) as (engine, _):
        stream = await getattr(engine, name)()
        assert await stream.asend(None) == 1
        with pytest.raises(ValueError, match="mine"):
            await stream.athrow(ValueError("mine"))
        with pytest.raises(StopAsyncIteration):
            await stream.asend(None)
        assert await rest(stream) == []


class Row:
    """A registered value; one of number 3 cannot be encoded."""

    def __init__(self, number: int, kind: type[Exception]) -> None:
        self.number = number
        self.kind = kind


def number_of(row: Row) -> int:
    if row.number == 3:
        raise row.kind("not mine to end")
    return row.number


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration, ValueError])
@pytest.mark.parametrize("later", [False, True])
async def test_an_item_that_cannot_be_encoded_does_not_pass_for_the_end(
    kind: type[Exception], later: bool
) -> None:
    farcall.register(Row, encode=number_of, decode=lambda number: number, name="test.Row")

    def rows() -> Iterator[Row]:
        for number in range(6):
            yield Row(number, kind)

    async def rows_later() -> AsyncIterator[Row]:
        for row in rows():
            yield row

    async with connected({"rows": rows_later if later else rows}) as (engine, _):
        came: list[int] = []

        async def take() -> None:
            async for row in engine.rows():
                came.append(row)  # noqa: PERF401 - what came before the error counts

        with pytest.raises((farcall.RemoteError, ValueError), match="not mine to end"):
            await take()
        assert came == [0, 1, 2]


@pytest.mark.asyncio
async def test_a_generator_that_swallows_the_cancellation_is_closed_all_the_same() -> None:
    ended: list[str] = []

    async def stubborn() -> AsyncIterator[int]:
        try:
            yield 0
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)
            yield 1
            await asyncio.sleep(3600)
        finally:
            ended.append("closed")

    async with connected({"stubborn": stubborn}) as (engine, session):
        stream = await engine.stubborn()
        assert await anext(aiter(stream)) == 0
        await asyncio.wait_for(stream.aclose(), 5)
        assert ended == ["closed"]
        await quiet(engine, session)


@pytest.mark.asyncio
async def test_streams_that_are_sent_one_after_the_other_have_each_its_own_items() -> None:
    kept: list[Any] = []

    async def begin(stream: Any) -> Any:
        kept.append(aiter(stream))
        return await anext(kept[-1])

    async with connected({"begin": begin}) as (engine, _):
        for number in range(6):
            marked = farcall.stream([number, -1])
            alive = weakref.ref(marked)
            assert await engine.begin(marked) == number
            del marked
            gc.collect()
            assert alive() is not None, "another stream may have its id, by which it is known"
            await asyncio.sleep(0.1)


def test_a_module_that_another_takes_the_place_of_does_not_lend_it_its_names() -> None:
    served = types.ModuleType("served")
    served.__all__ = ["part"]  # type: ignore[attr-defined]
    served.part = types.ModuleType("part")  # type: ignore[attr-defined]
    served.part.__all__ = []
    policy = Policy({"served": served})
    freed = weakref.ref(served.part)
    del served.part
    gc.collect()
    assert freed() is not None, "another module may have its id, and the names of it"
    assert policy.root.modules[id(freed())][1] is freed()


class Item:
    """Crosses by reference."""


async def items(count: int) -> AsyncIterator[Item]:
    for _ in range(count):
        await asyncio.sleep(0)
        yield Item()


async def reading(engine: Any) -> None:
    async for _ in engine.items(5):
        await asyncio.sleep(0)


async def handing_over(engine: Any) -> None:
    await engine.first(items(5))


async def first(stream: AsyncIterator[Item]) -> None:
    async for item in stream:
        del item
        await asyncio.sleep(0)


@pytest.mark.asyncio
@pytest.mark.parametrize("consume", [reading, handing_over])
async def test_items_that_come_after_their_stream_was_left_are_given_back(consume: Any) -> None:
    """Wherever the loop is cancelled: items are then on their way, or made and not sent."""
    for turns in range(30):
        async with connected({"items": items, "first": first}) as (engine, session):
            task = asyncio.ensure_future(consume(engine))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            del task
            await quiet(engine, session)


@pytest.mark.asyncio
@pytest.mark.parametrize("turns", range(8))
async def test_a_generator_in_lock_step_is_closed_after_its_step(turns: int) -> None:
    made = asyncio.Event()

    async def slow() -> AsyncIterator[int]:
        try:
            while True:
                await asyncio.sleep(0)
                yield 1
        finally:
            await asyncio.sleep(0)

    async def stepping(engine: Any) -> None:
        stream = await engine.slow()
        made.set()
        for _ in range(9):
            await stream.asend(None)

    complaints: list[Any] = []
    near, far = memory_pair()
    farcall.Session(far, {"slow": slow}, on_error=lambda exc, of: complaints.append(exc))
    engine = await farcall.connect(near, timeout=5)
    task = asyncio.ensure_future(stepping(engine))
    await made.wait()
    for _ in range(turns):
        await asyncio.sleep(0)
    farcall.session(engine).close()
    await asyncio.gather(task, return_exceptions=True)
    await settle()
    assert complaints == []


# What a local generator may be thrown, and raise; the other side's ends are no ends here.
THROWN = (ValueError, StopIteration, StopAsyncIteration)


def drawn(dice: random.Random, log: list[str]) -> Any:
    """An async generator whose steps, and what it does with errors, are drawn."""
    steps = [dice.choice(["yield", "yield", "wait", "raise"]) for _ in range(dice.randrange(1, 5))]
    swallowed = dice.choice([(), *THROWN, asyncio.CancelledError])
    turns = dice.choice([0, 3])
    raised = dice.choice([KeyError, *THROWN])
    last = dice.choice([None, None, None, OSError, *THROWN])

    async def made() -> AsyncIterator[Any]:
        try:
            for number, step in enumerate(steps):
                with contextlib.suppress(swallowed):
                    if step == "yield":
                        log.append(f"received {(yield number)}")
                    elif step == "wait":
                        await asyncio.sleep(3600)
                    else:
                        raise raised(str(number))
        finally:
            for _ in range(turns):
                await asyncio.sleep(0)
            log.append("closed")
            if last is not None:
                raise last("at the end")

    return made()


async def outcome(step: Any) -> Any:
    """What a step gives or raises; if it does not end soon it is cancelled, and not waited for."""
    task = asyncio.ensure_future(step)
    await settle()
    ended = task.done()
    task.cancel()
    [found] = await asyncio.gather(task, return_exceptions=True)
    return (repr(found) if isinstance(found, BaseException) else found) if ended else "cancelled"


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(60))
async def test_drawn_steps_and_cancellations_give_what_a_local_generator_gives(seed: int) -> None:
    dice = random.Random(seed)
    plan = [dice.choice(["asend", "asend", "athrow", "aclose"]) for _ in range(6)]
    at = [*plan, "aclose"].index("aclose") + 1
    plan[at:] = ["asend", "aclose"]  # what is thrown after the end depends on Python's version
    near: list[str] = []
    far: list[str] = []
    local = drawn(random.Random(seed), near)
    async with connected({"drawn": lambda: drawn(random.Random(seed), far)}) as (engine, session):
        stream = await engine.drawn()
        begun = False
        for name in plan:
            # What StopIteration does to one that has not begun depends on that version too.
            values = {
                "asend": (7 if begun else None,),
                "athrow": (dice.choice(THROWN if begun else THROWN[:1])("mine"),),
                "aclose": (),
            }
            begun = True
            expected = await outcome(getattr(local, name)(*values[name]))
            found = await outcome(getattr(stream, name)(*values[name]))
            assert found == expected, (plan, name)
        assert far == near
        del stream
        await quiet(engine, session)


@pytest.mark.asyncio
async def test_a_generator_is_closed_after_a_step_that_ran_out_of_time() -> None:
    ended: list[str] = []

    async def slow() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.02)
            ended.append("closed")

    async with connected({"slow": slow}) as (engine, session):
        stream = await engine.slow()
        assert await stream.asend(None) == 1
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(stream.asend(None), 0.05)
        await stream.aclose()
        assert ended == ["closed"]
        with pytest.raises(StopAsyncIteration):
            await stream.asend(None)
        del stream
        await quiet(engine, session)


@pytest.mark.asyncio
@pytest.mark.parametrize("source", [[1, 2], {1: 0, 2: 0}, "generator"], ids=["list", "dict", "own"])
async def test_a_call_that_is_looped_over_again_goes_on_where_it_was(source: Any) -> None:
    def rows() -> Any:
        return (number for number in (1, 2)) if source == "generator" else farcall.stream(source)

    async with connected({"rows": rows}) as (engine, session):
        call = engine.rows()
        async for row in call:
            assert row == 1
            break
        assert await rest(call) == [2]
        assert await rest(call) == []
        del call
        await quiet(engine, session)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["echo", "echo_later"])
@pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration])
async def test_an_end_that_is_thrown_into_a_generator_is_a_runtime_error(
    name: str, kind: type[Exception]
) -> None:
    async with connected({"echo": echo, "echo_later": echo_later}) as (engine, _):
        stream = await getattr(engine, name)()
        assert await stream.asend(None) == 1
        with pytest.raises(RuntimeError, match=f"generator raised {kind.__name__}"):
            await stream.athrow(kind)
        with pytest.raises(StopAsyncIteration):
            await stream.asend(None)


@pytest.mark.asyncio
@pytest.mark.parametrize("later", [False, True])
async def test_a_callback_that_raises_an_end_does_not_end_the_generator_that_calls_it(
    later: bool,
) -> None:
    async def asked(function: Any) -> AsyncIterator[Any]:
        yield await function()

    def given(stream: Any) -> Iterator[Any]:
        raise StopAsyncIteration
        yield stream

    def end() -> Any:
        raise StopAsyncIteration("no rows")

    async with connected({"rows": asked if later else given}) as (engine, _):
        stream = await engine.rows(end)
        with pytest.raises(RuntimeError, match="generator raised StopAsyncIteration"):
            await stream.asend(None)


@pytest.mark.asyncio
async def test_only_an_exception_or_a_class_of_one_is_thrown() -> None:
    async with connected({"echo": echo}) as (engine, _):
        stream = await engine.echo()
        assert await stream.asend(None) == 1
        for wrong in (5, int):
            with pytest.raises(TypeError, match="exceptions must be classes or instances deriving"):
                await stream.athrow(wrong)
        with pytest.raises(KeyError):
            await stream.athrow(KeyError)


@pytest.mark.asyncio
@pytest.mark.parametrize("source", ["generator", "list", "slow"])
async def test_an_iteration_that_is_closed_before_its_first_item_gives_none(source: str) -> None:
    async def rows() -> Any:
        if source == "slow":
            await asyncio.Event().wait()
        return (number for number in (1, 2)) if source == "generator" else farcall.stream([1, 2])

    async with connected({"rows": rows}) as (engine, session):
        call = engine.rows()
        iteration = aiter(call)
        async with asyncio.timeout(2):
            await iteration.aclose()
            await iteration.aclose()
            with pytest.raises(StopAsyncIteration):
                await anext(iteration)
        if source != "slow":
            assert await rest(call) == [1, 2]
            del call, iteration
            await quiet(engine, session)


async def later(count: int) -> AsyncIterator[int]:
    for i in range(count):
        await asyncio.sleep(0)
        yield i


class Later:
    """An asynchronous iterator that is no generator."""

    def __init__(self, count: int) -> None:
        self._left = list(range(count))

    def __aiter__(self) -> "Later":
        return self

    async def __anext__(self) -> int:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop(0)


TAKEN: dict[str, Any] = {
    "generator": lambda: (i for i in range(3)),
    "asynchronous generator": lambda: later(3),
    "marked list": lambda: farcall.stream([0, 1, 2]),
    "marked iterator": lambda: farcall.stream(Later(3)),
    "iterator": lambda: iter([0, 1, 2]),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", TAKEN)
@pytest.mark.parametrize("pause", [True, False])
async def test_anext_of_a_call_takes_each_item_whether_its_reply_has_come(
    kind: str, pause: bool
) -> None:
    async with connected({"make": TAKEN[kind]}) as (engine, session):
        call = engine.make()
        if pause:
            await call
        assert [await anext(call), await anext(call), await anext(call)] == [0, 1, 2]
        with pytest.raises(StopAsyncIteration):
            await anext(call)
        assert await anext(call, "over") == "over"
        del call
        await quiet(engine, session)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["marked list", "marked iterator"])
async def test_what_is_no_generator_takes_nothing_that_is_sent_or_thrown(kind: str) -> None:
    async with connected({"make": TAKEN[kind]}) as (engine, _):
        stream = await engine.make()
        assert await stream.asend(None) == 0
        for attempt in (stream.asend(5), stream.athrow(KeyError(5))):
            with pytest.raises(AttributeError):
                await attempt
        assert await stream.asend(None) == 1


def counted(count: int) -> Any:
    yield from range(count)


async def counted_later(count: int) -> Any:
    for number in range(count):
        await asyncio.sleep(0)
        yield number


async def taken(given: Any) -> list[int]:
    """Return all items, and give way to messages before each."""
    source = given["here"][0] if isinstance(given, dict) else given
    found = []
    while True:
        await asyncio.sleep(0.001)
        try:
            found.append(await anext(source) if hasattr(source, "__anext__") else next(source))
        except (StopIteration, StopAsyncIteration):
            return found


@pytest.mark.promise(
    "farcall: features", "A call or path that was not awaited, anywhere a value may be"
)
@pytest.mark.asyncio
@pytest.mark.parametrize("make", ["counted", "counted_later"])
@pytest.mark.parametrize("awaited", [True, False])
@pytest.mark.parametrize("inside", [True, False])
async def test_a_generator_that_comes_home_gives_all_items_though_the_peer_has_dropped_it(
    make: str, awaited: bool, inside: bool
) -> None:
    served = {"counted": counted, "counted_later": counted_later, "taken": taken}
    async with connected(served) as (engine, session):
        stream = getattr(engine, make)(9)
        given = await stream if awaited else stream
        call = engine.taken({"here": [given]} if inside else given)
        del stream, given
        gc.collect()
        assert await call == list(range(9))
        await quiet(engine, session)


@pytest.mark.asyncio
async def test_asend_after_anext_says_what_to_write_in_place_of_that() -> None:
    async with connected({"echo": echo}) as (engine, _):
        stream = await engine.echo()
        assert await anext(stream) == 1
        with pytest.raises(RuntimeError, match=r"for anext write `asend\(None\)`"):
            await stream.asend(2)
