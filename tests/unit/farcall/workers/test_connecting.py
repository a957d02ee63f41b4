"""Several tasks connect to one worker, and some give up."""

from __future__ import annotations

import asyncio

import farcall
import pytest
from farcall.endpoints import memory_pair
from farcall.workers import page

from tests.support.fake_page import FakePage, fake_page, until

__all__ = ["fake_page"]


@pytest.mark.asyncio
async def test_a_cancelled_connect_ends_no_other_task_s_and_the_name_works_later(
    fake_page: FakePage,
) -> None:
    fake_page.serves = False
    thread = fake_page.add("engine")
    thread.served = {"f": lambda: 42}
    impatient = asyncio.create_task(farcall.connect("engine"))
    patient = asyncio.create_task(farcall.connect("engine"))
    await until(lambda: page._engines.get("engine"))
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    thread.serve()
    assert await (await patient).f() == 42
    assert await (await farcall.connect("engine")).f() == 42


@pytest.mark.asyncio
async def test_a_connect_whose_time_is_over_ends_no_other_task_s(fake_page: FakePage) -> None:
    fake_page.serves = False
    thread = fake_page.add("engine")
    thread.served = {"f": lambda: 42}
    patient = asyncio.create_task(farcall.connect("engine"))
    with pytest.raises(farcall.TimeoutError, match=r"'engine' did not answer in 0\.01 s"):
        await farcall.connect("engine", timeout=0.01)
    thread.serve()
    assert await (await patient).f() == 42


@pytest.mark.asyncio
async def test_a_boot_that_failed_is_every_waiting_task_s_error_and_may_be_tried_again(
    fake_page: FakePage,
) -> None:
    fake_page.serves = False
    thread = fake_page.add("engine")
    thread.served = {"f": lambda: 42}
    tasks = [asyncio.create_task(farcall.connect("engine")) for _ in range(2)]
    await until(lambda: "engine" in page._engines)
    thread.ready.set_exception(RuntimeError("no such file"))
    for task in tasks:
        with pytest.raises(farcall.WorkerBootError, match="no such file"):
            await task
    assert (page._engines, thread._hear) == ({}, [])
    thread.ready = asyncio.get_running_loop().create_future()
    fake_page.serves = True
    assert await (await farcall.connect("engine")).f() == 42


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["WorkerBootError", "WorkerDiedError"])
async def test_what_the_page_knows_of_a_worker_that_starts_ends_the_wait(
    fake_page: FakePage, kind: str
) -> None:
    fake_page.serves = False
    thread = fake_page.add("engine")
    task = asyncio.create_task(farcall.connect("engine"))
    await until(lambda: "engine" in page._engines)
    thread.say({"WorkerBootError": "broken", "WorkerDiedError": "gone"}[kind], "it is no more")
    with pytest.raises(getattr(farcall, kind), match="worker 'engine': it is no more"):
        await task
    assert (page._engines, thread._hear) == ({}, [])


@pytest.mark.asyncio
async def test_a_port_that_comes_when_its_task_has_gone_is_closed(fake_page: FakePage) -> None:
    thread = fake_page.add("engine")
    thread.served = {"f": lambda: 42}
    await farcall.connect("engine")
    thread.asked = []
    task = asyncio.create_task(farcall.connect("engine"))
    await until(lambda: thread.asked)
    task.cancel()
    (asked,), thread.asked = thread.asked, None
    thread.open(asked)
    await until(lambda: len(thread.sessions) == 2 and thread.sessions[1].error)
    assert thread.sessions[0].error is None


@pytest.mark.asyncio
@pytest.mark.parametrize("ending", ["cancelled", "late"])
async def test_a_connect_that_is_given_up_closes_its_session(ending: str) -> None:
    near, far = memory_pair()
    task = asyncio.create_task(farcall.connect(near, timeout=0.01 if ending == "late" else 60))
    await asyncio.sleep(0)
    if ending == "cancelled":
        task.cancel()
    with pytest.raises((asyncio.CancelledError, farcall.TimeoutError)):
        await task
    other = farcall.Session(far, {})
    await until(lambda: other.error)
    assert "the other side closed" in str(other.error)


@pytest.mark.asyncio
async def test_a_task_that_waits_for_a_session_and_is_cancelled_ends_nobody_else_s_wait() -> None:
    near, far = memory_pair()
    session = farcall.Session(near)

    async def ready() -> object:
        return await session.ready

    tasks = [asyncio.create_task(ready()) for _ in range(2)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(session.ready, 0.001)
    farcall.Session(far, {})
    assert await tasks[1] is session.root
    assert tasks[0].cancelled()


@pytest.mark.asyncio
async def test_a_worker_that_has_died_is_asked_for_no_port(fake_page: FakePage) -> None:
    thread = fake_page.add("engine")
    engine = await farcall.connect("engine")
    thread.die()
    async with asyncio.timeout(5):
        with pytest.raises(farcall.WorkerDiedError, match="'engine': the worker is gone"):
            await farcall.port(engine)


@pytest.mark.asyncio
async def test_a_worker_that_dies_in_the_turn_in_which_it_serves_ends_the_connect(
    fake_page: FakePage,
) -> None:
    fake_page.serves = False
    thread = fake_page.add("engine")
    task = asyncio.create_task(farcall.connect("engine"))
    await until(lambda: thread._hear)
    thread.serve()
    asyncio.get_running_loop().call_soon(thread.die)
    async with asyncio.timeout(5):
        with pytest.raises(farcall.WorkerDiedError, match="'engine': the worker is gone"):
            await task
