"""Streams: their end, and what goes wrong on the way, as a loop or lock-step sees it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.unit.farcall.connection.test_session import connected


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
