"""An async `encode` or `decode` ends, whatever it waits for: all messages behind it wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import farcall
import pytest
from farcall.endpoints import memory_pair
from farcall.values import registered

TABLES: tuple[Any, ...] = (registered.by_name, registered.names, registered.decoded)


class Picture:
    def __init__(self, size: int) -> None:
        self.size = size


class Pair:
    """Two sessions; each side's proxy of the other."""

    near: Any
    far: Any

    def __init__(self, **limits: int) -> None:
        ends = memory_pair()
        served = {"half": lambda n: n // 2, "size": lambda p: p.size, "picture": Picture}
        self.sessions = [farcall.Session(end, served, limits=limits) for end in ends]

    async def ready(self) -> Pair:
        self.near, self.far = [await session.ready for session in self.sessions]
        return self

    async def works(self) -> None:
        assert await self.near.half(4) == 2
        assert await self.far.half(4) == 2
        for session in self.sessions:
            session.close()


@pytest.fixture(autouse=True)
def forget_registrations() -> Any:
    before = [table.copy() for table in TABLES]
    yield
    for table, copy in zip(TABLES, before, strict=True):
        table.clear()
        table.update(copy)


async def calls(proxy: Any, size: int) -> int:
    return await proxy.half(size)  # type: ignore[no-any-return]


async def calls_in_a_task(proxy: Any, size: int) -> int:
    return await asyncio.create_task(calls(proxy, size))


async def calls_with_others(proxy: Any, size: int) -> int:
    return sum(await asyncio.gather(proxy.half(size), calls(proxy, size)))


def gives_its_call(proxy: Any, size: int) -> Any:
    return proxy.half(size)


WAYS = (calls, calls_in_a_task, calls_with_others, gives_its_call)


@pytest.mark.asyncio
@pytest.mark.parametrize("way", WAYS, ids=lambda f: f.__name__)
async def test_an_encode_that_calls_the_session_that_waits_for_it_is_refused(
    way: Callable[..., Any],
) -> None:
    pair = await Pair().ready()
    farcall.register(Picture, encode=lambda p: way(pair.near, p.size), decode=Picture)
    with pytest.raises(RuntimeError, match="calls the session whose messages wait for it"):
        await asyncio.wait_for(pair.near.size(Picture(8)), 5)
    await pair.works()


@pytest.mark.asyncio
@pytest.mark.parametrize("way", WAYS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("arrives", ["argument", "result"])
async def test_a_decode_that_calls_the_session_that_waits_for_it_is_refused(
    way: Callable[..., Any], arrives: str
) -> None:
    pair = await Pair().ready()
    proxy = pair.far if arrives == "argument" else pair.near
    farcall.register(Picture, encode=lambda p: p.size, decode=lambda n: way(proxy, n))
    call = pair.near.size(Picture(8)) if arrives == "argument" else pair.near.picture(8)
    with pytest.raises(RuntimeError, match="calls the session whose messages wait for it"):
        await asyncio.wait_for(call, 5)
    await pair.works()


@pytest.mark.asyncio
async def test_an_encode_that_does_not_wait_may_send_calls() -> None:
    pair = await Pair().ready()
    sent: list[Any] = []

    def encode(picture: Picture) -> int:
        sent.append(pair.near.half(picture.size))
        return picture.size

    farcall.register(Picture, encode=encode, decode=Picture)
    assert await pair.near.size(Picture(8)) == 8
    assert await sent[0] == 4
    await pair.works()


@pytest.mark.asyncio
async def test_a_call_of_another_session_or_of_another_task_is_no_concern_of_theirs() -> None:
    pair, other = await Pair().ready(), await Pair().ready()
    meanwhile: list[Any] = []

    async def encode(picture: Picture) -> int:
        meanwhile.append(asyncio.current_task())
        return int(await other.near.half(picture.size))

    farcall.register(Picture, encode=encode, decode=Picture)
    call = pair.near.size(Picture(8))
    later = pair.near.half(6)
    assert [await call, await later] == [4, 3]
    assert meanwhile
    await pair.works()
    await other.works()


@pytest.mark.asyncio
@pytest.mark.parametrize("side", ["encode", "decode"])
async def test_one_that_never_ends_is_a_time_out_of_its_call_alone(side: str) -> None:
    async def forever(value: Any) -> Any:
        await asyncio.Event().wait()

    pair = await Pair(hook=0).ready()
    functions: dict[str, Any] = {"encode": lambda p: p.size, "decode": Picture, side: forever}
    farcall.register(Picture, **functions)
    with pytest.raises(TimeoutError, match=r"an encode or decode .* took more than 0 s"):
        await asyncio.wait_for(pair.near.size(Picture(8)), 5)
    await pair.works()
