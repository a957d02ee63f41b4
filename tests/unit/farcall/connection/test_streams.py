"""Streams: their end, and what goes wrong on the way, as a loop or lock-step sees it."""

import asyncio
import contextlib
import gc
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
