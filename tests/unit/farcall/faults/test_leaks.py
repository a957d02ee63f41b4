"""Ten thousand calls of every kind, and both sides hold what they held before."""

import asyncio
import gc
from typing import Any

import farcall
import pytest
from farcall.endpoints import memory_pair

HELD = ("pending", "serving", "exports", "imports", "streams", "answers")


class Far:
    """One method for each kind of thing that crosses."""

    def add(self, a: int, b: int) -> int:
        return a + b

    async def calls_back(self, callback: Any, n: int) -> Any:
        return await callback(n)

    def box(self) -> "Far":
        return Far()

    async def ticks(self, count: int) -> Any:
        for n in range(count):
            yield n

    def fail(self) -> None:
        raise ValueError("as asked")

    async def forever(self) -> None:
        await asyncio.Event().wait()


async def call(root: Any, n: int) -> None:
    assert await root.add(n, 1) == n + 1


async def callback(root: Any, n: int) -> None:
    assert await root.calls_back(lambda k: k * 2, n) == 2 * n


async def proxies(root: Any, n: int) -> None:
    box = await root.box()
    assert await box.add(n, 2) == n + 2


async def released_proxy(root: Any, n: int) -> None:
    box = await root.box()
    farcall.release(box)


async def pipeline(root: Any, n: int) -> None:
    assert await root.box().box().add(n, 3) == n + 3


async def stream(root: Any, n: int) -> None:
    assert [k async for k in root.ticks(3)] == [0, 1, 2]


async def abandoned_stream(root: Any, n: int) -> None:
    async for k in root.ticks(10_000):
        if k == 3:
            break


async def failure(root: Any, n: int) -> None:
    with pytest.raises(ValueError, match="as asked"):
        await root.fail()


async def cancelled(root: Any, n: int) -> None:
    with pytest.raises((TimeoutError, asyncio.TimeoutError)):
        await asyncio.wait_for(root.forever(), 0.0001)


KINDS = (
    call,
    callback,
    proxies,
    released_proxy,
    pipeline,
    stream,
    abandoned_stream,
    failure,
    cancelled,
)


async def quiet(*sessions: farcall.Session) -> list[dict[str, int]]:
    """What both hold once acknowledgements and releases have crossed."""
    for _ in range(40):
        gc.collect()
        await asyncio.sleep(0.01)
        held = [{k: s.statistics()[k] for k in HELD} for s in sessions]
        if not any(value for one in held for value in one.values()):
            break
    return held


@pytest.mark.promise(
    "farcall: nothing leaks",
    "10,000 calls with callbacks, proxies, streams, failures and cancellations leave "
    "both sides' `statistics()` and the heap where they were",
)
@pytest.mark.asyncio
@pytest.mark.timeout(120)
async def test_ten_thousand_calls_leave_nothing_on_either_side() -> None:
    near_end, far_end = memory_pair()
    far = farcall.Session(far_end, Far())
    near = farcall.Session(near_end)
    root = near.root
    for n in range(900):
        await KINDS[n % len(KINDS)](root, n)
    nothing = [dict.fromkeys(HELD, 0)] * 2
    assert await quiet(near, far) == nothing
    objects = len(gc.get_objects())
    for n in range(10_000):
        await KINDS[n % len(KINDS)](root, n)
    assert await quiet(near, far) == nothing
    assert len(gc.get_objects()) - objects < 200  # noise: caches of pytest and asyncio
    near.close()
    far.close()
    await asyncio.sleep(0.01)
