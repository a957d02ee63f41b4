"""Pools, and workers that are started, end and are started again."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import farcall
import numpy
import pytest
from farcall import platform
from farcall.workers import pool as pools
from farcall.workers import started
from farcall.workers.teams import team

from tests.support.fake_page import FakePage, fake_page, until

__all__ = ["fake_page"]


async def square(number: int) -> int:
    await asyncio.sleep(0)
    return number * number


class Jobs:
    """Jobs that end when the test says so."""

    def __init__(self) -> None:
        self.begun: list[object] = []
        self.cancelled: list[object] = []
        self._ends: dict[object, asyncio.Event] = {}

    async def job(self, name: object) -> object:
        self.begun.append(name)
        try:
            await self._ends.setdefault(name, asyncio.Event()).wait()
        except asyncio.CancelledError:
            self.cancelled.append(name)
            raise
        return name

    def end(self, *names: object) -> None:
        for name in names:
            self._ends.setdefault(name, asyncio.Event()).set()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(started, "PAUSES", (0.001,) * 7, raising=False)


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0.0005)


@pytest.mark.asyncio
@pytest.mark.parametrize("when", ["on_close", "turn of the death", "pause"])
async def test_a_worker_terminated_as_it_dies_stays_dead(
    fake_page: FakePage, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    worker = await farcall.Worker("w", restarts=None).start()
    (thread,) = fake_page.threads
    if when == "on_close":
        farcall.session(worker.engine).on_close.append(lambda _: worker.terminate())
    if when == "pause":
        monkeypatch.setattr(started, "PAUSES", (60,), raising=False)
        monkeypatch.setattr(platform, "report", lambda text: None)
        fake_page.fails = ["no network"]
    thread.die()
    if when == "pause":
        await until(lambda: worker.starts == 2 and len(fake_page.alive()) == 0)
    worker.terminate()
    await turns()
    assert (fake_page.alive(), worker.engine, worker.usable()) == ([], None, False)


@pytest.mark.asyncio
@pytest.mark.parametrize("made", [True, False])
async def test_a_start_that_is_cancelled_leaves_no_thread(fake_page: FakePage, made: bool) -> None:
    fake_page.serves, fake_page.makes = False, made
    task = asyncio.create_task(farcall.Worker("w").start())
    await until(lambda: fake_page.scripts)
    (script,) = fake_page.scripts.values()
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    if not made:
        fake_page.make(script)
    await until(lambda: fake_page.threads and not fake_page.alive())
    assert fake_page.scripts == {}


@pytest.mark.asyncio
async def test_a_start_that_another_task_waits_for_outlives_the_one_that_is_cancelled(
    fake_page: FakePage,
) -> None:
    fake_page.serves = False
    worker = farcall.Worker("w")
    tasks = [asyncio.create_task(worker.start()) for _ in range(2)]
    await until(lambda: fake_page.threads)
    await turns()
    tasks[0].cancel()
    await turns()
    fake_page.threads[0].serve()
    assert await tasks[1] is worker
    assert len(fake_page.alive()) == 1


@pytest.mark.asyncio
async def test_a_worker_that_is_up_is_not_started_twice(fake_page: FakePage) -> None:
    worker = farcall.Worker("w")
    await asyncio.gather(worker.start(), worker.start())
    await worker.start()
    assert (len(fake_page.threads), worker.starts) == (1, 1)


@pytest.mark.asyncio
async def test_a_restart_during_an_automatic_one_leaves_one_thread(fake_page: FakePage) -> None:
    fake_page.served = {"square": square}
    worker = await farcall.Worker("w", restarts=None).start()
    fake_page.serves = False
    fake_page.threads[0].die()
    await until(lambda: len(fake_page.threads) == 2)
    fake_page.serves = True
    await asyncio.gather(worker.restart(), worker.restart(), return_exceptions=True)
    await turns()
    assert len(fake_page.alive()) == 1
    assert await worker.engine.square(3) == 9
    worker.terminate()
    assert fake_page.alive() == []


@pytest.mark.asyncio
async def test_starts_by_hand_are_none_of_those_that_a_worker_does_by_itself(
    fake_page: FakePage,
) -> None:
    worker = await farcall.Worker("w", restarts=1).start()
    await worker.restart()
    fake_page.threads[-1].die()
    await until(lambda: worker.engine is not None)
    fake_page.threads[-1].die()
    await turns()
    assert (worker.starts, worker.usable()) == (3, False)


@pytest.mark.asyncio
@pytest.mark.parametrize("restarts", [0, None])
async def test_a_start_ends_with_its_worker_whatever_setup_waits_for(
    fake_page: FakePage, restarts: int | None
) -> None:
    ended: list[str] = []
    waits = [True]

    async def setup(engine: Any) -> str:
        try:
            if waits:
                await asyncio.Event().wait()
        finally:
            ended.append("setup")
        return "state"

    worker = farcall.Worker("w", setup=setup, restarts=restarts)
    if restarts is None:
        waits.clear()
        await worker.start()
        waits.append(True)
        fake_page.threads[-1].die()
    threads, ends = len(fake_page.threads) + 1, len(ended) + 1
    task = asyncio.create_task(worker.start())
    await until(lambda: len(fake_page.threads) == threads and fake_page.threads[-1].sessions)
    await turns()
    waits.clear()
    fake_page.threads[-1].die()
    async with asyncio.timeout(10):
        if restarts is None:
            assert await task is worker
        else:
            with pytest.raises(farcall.WorkerDiedError):
                await task
    assert len(ended) == ends + (restarts is None)
    assert len(fake_page.alive()) == (restarts is None)


@pytest.mark.asyncio
async def test_a_setup_that_does_not_end_fails_its_start(fake_page: FakePage) -> None:
    ended: list[str] = []

    async def setup(engine: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("setup")

    pool = farcall.Pool(1, "w", setup=setup, timeout=0.2)
    with pytest.raises(TimeoutError, match=r"setup took more than 0\.2 s"):
        await asyncio.wait_for(pool.start(), 10)
    await until(lambda: ended and not fake_page.alive())


async def asked(callback: Any) -> Any:
    return await callback()


@pytest.mark.asyncio
@pytest.mark.parametrize("boots", [True, False])
async def test_a_callback_of_a_worker_may_restart_it(fake_page: FakePage, boots: bool) -> None:
    fake_page.served = {"asked": asked, "square": square}
    worker = await farcall.Worker("w").start()

    async def restart() -> None:
        await worker.restart()

    fake_page.fails = [] if boots else ["no network"]
    with pytest.raises(farcall.WorkerDiedError, match="terminated"):
        await worker.engine.asked(restart)
    await until(lambda: worker.engine is not None or worker.failure is not None)
    assert len(fake_page.alive()) == boots
    if boots:
        assert await worker.engine.square(3) == 9
    else:
        assert "no network" in str(worker.failure)


class Busy:
    """Whatever a call may be at when its worker ends."""

    async def slow(self) -> None:
        await asyncio.Event().wait()

    def doubled(self, numbers: Any) -> Any:
        return numbers * 2

    def rows(self) -> Iterator[int]:
        yield from range(10**6)

    async def later(self) -> AsyncIterator[Any]:
        while True:
            await asyncio.sleep(0)
            yield numpy.zeros(9)

    async def asked(self, callback: Any) -> Any:
        return await callback(self)

    async def taken(self, stream: Any) -> None:
        async for _ in stream:
            await asyncio.sleep(0)

    async def __aenter__(self) -> Busy:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.sleep(0)


def uses(worker: Any, other: Any) -> list[Callable[[], Any]]:
    """Ways to use a `Busy` of a worker that never end by themselves."""
    engine = worker.engine
    busy = engine.busy

    async def loop(stream: Any) -> None:
        async for _ in stream:
            pass

    async def lock_step() -> None:
        stream = await busy.later()
        while True:
            await stream.asend(None)

    async def entered() -> None:
        async with engine.Busy() as own:
            await own.slow()

    async def again(call: Callable[[], Any]) -> None:
        while True:
            await call()

    async def back(far: Any) -> None:
        await far.doubled(1)
        await busy.slow()

    async def over_another(far: Any) -> None:
        await other.engine.busy.asked(back)

    return [
        busy.slow,
        lambda: engine.Busy().slow(),
        lambda: loop(busy.rows()),
        lambda: loop(busy.later()),
        lambda: busy.taken(row for row in range(10**6)),
        lambda: busy.taken(farcall.stream([1] * 10**5)),
        lock_step,
        entered,
        lambda: again(lambda: busy.doubled(numpy.ones(1000))),
        lambda: busy.asked(back),
        lambda: busy.asked(over_another),
    ]


def held(session: Any) -> dict[str, int]:
    """What a session still holds."""
    names = ("pending", "serving", "answers", "exports", "imports", "streams")
    statistics = session.statistics()
    return {name: statistics[name] for name in names if statistics[name]}


@pytest.mark.asyncio
@pytest.mark.parametrize("ending", ["dies", "terminate", "restart", "twice", "by proxy"])
@pytest.mark.parametrize("after", [0, 1, 2, 5, 30])
async def test_a_worker_that_ends_amid_a_hundred_calls_ends_each_of_them(
    fake_page: FakePage, ending: str, after: int
) -> None:
    complaints: list[Any] = []
    fake_page.served = {"Busy": Busy, "busy": Busy()}
    options: Any = {"on_error": lambda exc, of: complaints.append((exc, of))}
    pool = await farcall.Pool(2, "w", **options).start()
    worker, other = pool.workers
    engine, thread = worker.engine, fake_page.threads[0]
    kinds = uses(worker, other)
    tasks = [asyncio.ensure_future(kinds[n % len(kinds)]()) for n in range(100)]
    await turns(after)
    starts: list[Any] = []
    if ending == "dies":
        thread.die()
    elif ending == "terminate":
        worker.terminate()
    elif ending == "by proxy":
        farcall.terminate(engine)
    else:
        starts = [asyncio.ensure_future(worker.restart()) for _ in range(1 + (ending == "twice"))]
    async with asyncio.timeout(10):
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        last = [None, *await asyncio.gather(*starts, return_exceptions=True)][-1]
    assert {type(end) for end in ends} == {farcall.WorkerDiedError}
    assert not starts or last is worker
    with pytest.raises(farcall.WorkerDiedError):
        await engine.busy.doubled(1)
    if ending != "terminate":
        await until(lambda: worker.engine is not None)
        assert await worker.engine.busy.doubled(2) == 4
    await turns()
    assert [held(s) for s in (farcall.session(engine), *thread.sessions)] == [{}, {}]
    del tasks, ends, kinds
    gc.collect()
    await until(lambda: set(held(farcall.session(other.engine))) <= {"imports"})
    assert complaints == []
    pool.terminate()
    assert fake_page.alive() == []


@pytest.mark.asyncio
@pytest.mark.parametrize("ending", ["fails", "cancelled"])
async def test_a_pool_of_which_one_does_not_start_leaves_none(
    fake_page: FakePage, ending: str
) -> None:
    setups: list[Any] = []

    async def setup(engine: Any) -> None:
        setups.append(engine)
        if len(setups) == 2:
            if ending == "fails":
                raise OSError("no data")
            await asyncio.Event().wait()

    pool = farcall.Pool(2, "w", setup=setup)
    task = asyncio.create_task(pool.start())
    await until(lambda: len(setups) == 2)
    if ending == "cancelled":
        task.cancel()
    with pytest.raises((OSError, asyncio.CancelledError)):
        await task
    await until(lambda: not fake_page.alive())
    assert len(fake_page.threads) == 2


@pytest.mark.asyncio
async def test_a_worker_whose_restart_fails_is_started_again_after_a_pause(
    fake_page: FakePage,
) -> None:
    fake_page.served = {"square": square}
    pool = await farcall.Pool(1, "w").start()
    fake_page.fails = ["the network was away"] * 7
    fake_page.threads[0].die()
    assert await pool.run(lambda engine: engine.square(3)) == 9
    assert (pool.workers[0].starts, len(fake_page.alive())) == (9, 1)


@pytest.mark.asyncio
async def test_restarts_that_fail_end_and_say_so(
    fake_page: FakePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(platform, "report", said.append)
    pool = await farcall.Pool(1, "w").start()
    fake_page.fails = ["the network is away"] * 8
    fake_page.threads[0].die()
    with pytest.raises(farcall.WorkerDiedError, match=r"did not start again: .*network is away"):
        await pool.run(lambda engine: engine.square(3))
    (text,) = said
    assert "pool did not start again in 8 attempts, the last: " in text
    assert fake_page.alive() == []
    await pool.start()
    assert len(fake_page.alive()) == 1


@pytest.mark.asyncio
async def test_an_item_goes_to_the_worker_that_has_become_free(fake_page: FakePage) -> None:
    """Of sixteen items the first takes as long as all others together."""
    jobs = [Jobs(), Jobs()]
    pool = farcall.Pool(2, "w")
    for worker, served in zip(pool.workers, jobs, strict=True):
        fake_page.served = {"jobs": served}
        await worker.start()
    for served in jobs:
        served.end(*range(1, 16))
    task = asyncio.create_task(pool.map(lambda engine, n: engine.jobs.job(n), range(16)))
    await until(lambda: len(jobs[0].begun) + len(jobs[1].begun) == 16)
    (slow,) = [served for served in jobs if 0 in served.begun]
    slow.end(0)
    assert await task == [*range(16)]
    assert len(slow.begun) < 8


@pytest.mark.asyncio
async def test_a_map_of_any_number_of_items_has_few_under_way(fake_page: FakePage) -> None:
    fake_page.served = {"square": square}
    pool = await farcall.Pool(2, "w").start()
    most = 0

    def work(engine: Any, number: int) -> Any:
        nonlocal most
        most = max(most, sum(pool._rooms[0].loads))
        return engine.square(number)

    assert await pool.map(work, range(10_500)) == [n * n for n in range(10_500)]
    assert most == 4
    assert await pool.map(work, iter(range(100)), ahead=50) == [n * n for n in range(100)]
    assert most == 50


async def killed(fake_page: FakePage, worker: farcall.Worker) -> None:
    """Let the worker die as soon as it is up."""
    await until(lambda: worker.engine is not None)
    (thread,) = fake_page.alive()
    thread.die()


@pytest.mark.asyncio
async def test_a_worker_that_dies_at_once_each_time_is_given_up_and_says_so(
    fake_page: FakePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(platform, "report", said.append)
    jobs = Jobs()
    fake_page.served = {"jobs": jobs}
    pool = await farcall.Pool(1, "w").start()
    first = asyncio.create_task(pool.run(job, "first"))
    second = asyncio.create_task(pool.run(job, "second"))
    await until(lambda: jobs.begun)
    for _ in range(8):
        await killed(fake_page, pool.workers[0])
    await until(lambda: pool.workers[0].engine is not None)
    third = asyncio.create_task(pool.run(job, "third"))
    fourth = asyncio.create_task(pool.run(job, "fourth"))
    await killed(fake_page, pool.workers[0])
    for task in (first, second, third):
        with pytest.raises(farcall.WorkerDiedError, match="the worker is gone"):
            await task
    with pytest.raises(farcall.WorkerDiedError, match=r"start again: .*pool died 0 s after its st"):
        await fourth
    assert (pool.workers[0].starts, fake_page.alive()) == (9, [])
    (text,) = said
    assert "pool did not start again in 8 attempts, the last: WorkerDiedError(" in text
    await pool.start()
    await killed(fake_page, pool.workers[0])
    await until(lambda: pool.workers[0].engine is not None)


@pytest.mark.asyncio
@pytest.mark.parametrize("steady", [0, 60])
async def test_a_worker_pauses_before_it_starts_again_only_if_it_was_not_up_for_long(
    fake_page: FakePage, monkeypatch: pytest.MonkeyPatch, steady: int
) -> None:
    monkeypatch.setattr(started, "STEADY", steady, raising=False)
    monkeypatch.setattr(started, "PAUSES", (60,), raising=False)
    worker = await farcall.Worker("w", restarts=None).start()
    await killed(fake_page, worker)
    await killed(fake_page, worker)
    if steady:
        await turns()
        assert (worker.starts, worker.engine, worker.usable()) == (2, None, True)
    for _ in range(0 if steady else 20):
        await killed(fake_page, worker)
    worker.terminate()


async def two_workers(fake_page: FakePage, **options: Any) -> tuple[farcall.Pool, list[Jobs]]:
    """A pool whose workers are at one job at a time, and the jobs of each."""
    jobs = [Jobs(), Jobs()]
    pool = farcall.Pool(2, "w", concurrency=1, **options)
    for worker, served in zip(pool.workers, jobs, strict=True):
        fake_page.served = {"jobs": served}
        await worker.start()
    return pool, jobs


def job(engine: Any, name: object) -> Any:
    return engine.jobs.job(name)


@pytest.mark.asyncio
async def test_any_number_of_runs_has_few_under_way_at_each_worker(fake_page: FakePage) -> None:
    """More than the calls that a session takes, all at once."""
    fake_page.served = {"square": square}
    pool = await farcall.Pool(2, "w", concurrency=3).start()
    most = 0

    def work(engine: Any, number: int) -> Any:
        nonlocal most
        most = max(most, *pool._rooms[0].loads)
        return engine.square(number)

    runs = [pool.run(work, number) for number in range(20_500)]
    assert await asyncio.gather(*runs) == [n * n for n in range(20_500)]
    assert most == 3
    keyed = [pool.run(work, number, affinity=number % 3) for number in range(3_000)]
    assert await asyncio.gather(*keyed) == [n * n for n in range(3_000)]
    assert most == 3
    assert pool._rooms[0].loads == [0, 0]


@pytest.mark.asyncio
async def test_runs_that_wait_begin_in_their_order_as_workers_become_free(
    fake_page: FakePage,
) -> None:
    pool, jobs = await two_workers(fake_page)
    tasks = [asyncio.create_task(pool.run(job, name)) for name in range(5)]
    await until(lambda: jobs[0].begun == [0] and jobs[1].begun == [1])
    jobs[1].end(1, 2)
    await until(lambda: jobs[1].begun == [1, 2, 3])
    tasks[4].cancel()
    jobs[0].end(0)
    jobs[1].end(3)
    assert await asyncio.gather(*tasks[:4]) == [0, 1, 2, 3]
    await turns()
    assert (jobs[0].begun, jobs[1].begun, pool._rooms[0].loads) == ([0], [1, 2, 3], [0, 0])


@pytest.mark.asyncio
async def test_a_run_that_is_cancelled_as_its_turn_comes_leaves_its_worker_to_the_next(
    fake_page: FakePage,
) -> None:
    jobs = Jobs()
    fake_page.served = {"jobs": jobs}
    pool = await farcall.Pool(1, "w", concurrency=1).start()
    first, second, third = [asyncio.create_task(pool.run(job, n)) for n in range(3)]
    await until(lambda: jobs.begun == [0])
    (turn, _) = pool._rooms[0].queues[-1]
    jobs.end(0, 2)
    assert await first == 0
    assert turn.done
    assert jobs.begun == [0]
    second.cancel()
    assert await third == 2
    assert (jobs.begun, pool._rooms[0].loads) == ([0, 2], [0])


@pytest.mark.asyncio
async def test_runs_that_wait_go_on_when_a_worker_dies_and_are_refused_when_all_have_gone(
    fake_page: FakePage,
) -> None:
    pool, jobs = await two_workers(fake_page, restarts=0)
    names = ["a", "b", "c", "d"]
    tasks = [asyncio.create_task(pool.run(job, n, affinity=n)) for n in names]
    await until(lambda: jobs[0].begun == ["a"] and jobs[1].begun == ["b"])
    fake_page.threads[0].die()
    with pytest.raises(farcall.WorkerDiedError):
        await tasks[0]
    jobs[1].end("b")
    await until(lambda: len(jobs[1].begun) == 2)
    pool.terminate()
    for task in tasks[2:]:
        with pytest.raises(farcall.WorkerDiedError):
            await task
    assert await tasks[1] == "b"
    assert pool._rooms[0].loads == [0, 0]


@pytest.mark.asyncio
async def test_no_short_job_waits_behind_a_long_one_while_a_worker_is_idle(
    fake_page: FakePage,
) -> None:
    pool, jobs = await two_workers(fake_page)
    for served in jobs:
        served.end("short")
    task = asyncio.create_task(pool.map(job, ["long", "short", "longer", "short"]))
    await until(lambda: [served.begun[-1:] for served in jobs] == [["long"], ["longer"]])
    jobs[1].end("longer")
    await until(lambda: jobs[1].begun[-1] == "short")
    jobs[0].end("long")
    assert await task == ["long", "short", "longer", "short"]


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["run", "affinity", "map", "imap", "task"])
async def test_jobs_that_run_jobs_on_their_pool_end_though_all_workers_are_at_them(
    fake_page: FakePage, how: str
) -> None:
    fake_page.served = {"square": square}
    pool = await farcall.Pool(2, "w", concurrency=1).start()
    most = 0

    async def work(engine: Any, number: int, depth: int) -> Any:
        nonlocal most
        most = max(most, *[sum(rooms.loads) for rooms in pool._rooms])
        if not depth:
            return await engine.square(number)
        if how == "map":
            return (await pool.map(lambda e, n: work(e, n, depth - 1), [number] * 3))[0]
        if how == "imap":
            return await anext(pool.imap(lambda e, n: work(e, n, depth - 1), [number]))
        key = number if how == "affinity" else None
        inner = pool.run(work, number, depth - 1, affinity=key)
        return await (asyncio.create_task(inner) if how == "task" else inner)

    runs = [pool.run(work, number, 3) for number in range(5)]
    assert await asyncio.gather(*runs) == [0, 1, 4, 9, 16]
    assert (most, [rooms.loads for rooms in pool._rooms]) == (2, [[0, 0]] * 4)
    assert await pool.run(work, 2, 0) == 4
    assert (len(pool._rooms), pool._depths) == (4, {})


@pytest.mark.asyncio
async def test_a_job_of_a_job_that_has_ended_waits_for_itself_no_more_than_others(
    fake_page: FakePage,
) -> None:
    fake_page.served = {"square": square}
    pool = await farcall.Pool(1, "w", concurrency=1).start()
    ended = asyncio.Event()
    tasks: list[asyncio.Task[Any]] = []

    async def child(engine: Any) -> Any:
        await ended.wait()
        return await pool.run(lambda engine: engine.square(3))

    async def parent(engine: Any) -> None:
        tasks.append(asyncio.create_task(pool.run(child)))

    await pool.run(parent)
    ended.set()
    assert await tasks[0] == 9


@pytest.mark.asyncio
async def test_an_imap_whose_loop_waits_for_a_long_job_keeps_the_other_workers_at_work(
    fake_page: FakePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "HELD", 20, raising=False)
    pool, jobs = await two_workers(fake_page)
    for served in jobs:
        served.end(*range(1, 100))
    results = pool.imap(job, range(100))
    first = asyncio.create_task(anext(results))
    await until(lambda: jobs[1].begun == [*range(1, 21)])  # and then its results are enough
    await turns()
    assert (jobs[0].begun, len(jobs[1].begun)) == ([0], 20)
    jobs[0].end(0)
    assert [await first] + [result async for result in results] == [*range(100)]


@pytest.mark.asyncio
async def test_the_first_error_of_a_map_ends_it(fake_page: FakePage) -> None:
    jobs = Jobs()

    async def fails() -> None:
        raise ValueError("bad")

    fake_page.served = {"jobs": jobs, "fails": fails}
    pool = await farcall.Pool(2, "w").start()

    def work(engine: Any, name: str) -> Any:
        return engine.fails() if name == "bad" else engine.jobs.job(name)

    def items() -> Iterator[str]:
        yield "slow"
        yield "slower"
        raise OSError("no more rows")

    with pytest.raises(ValueError, match="bad"):
        await pool.map(work, ["one", "bad", "two", "three", "four"])
    with pytest.raises(OSError, match="no more rows"):
        await pool.map(work, items())
    await until(lambda: len(jobs.cancelled) == len(jobs.begun))
    assert "four" not in jobs.begun
    assert pool._rooms[0].loads == [0, 0]


@pytest.mark.asyncio
@pytest.mark.parametrize("ending", ["left", "closed", "exited", "failed", "cancelled"])
async def test_an_imap_that_ends_early_cancels_what_it_began(
    fake_page: FakePage, ending: str
) -> None:
    unheard: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    jobs = Jobs()

    async def fails() -> None:
        raise ValueError("bad")

    fake_page.served = {"jobs": jobs, "fails": fails}
    pool = await farcall.Pool(2, "w").start()

    def work(engine: Any, name: int) -> Any:
        return engine.fails() if ending == "failed" and name < 3 else engine.jobs.job(name)

    async def loop() -> None:
        results = pool.imap(work, range(100), 8)
        async for _ in results:
            if ending == "closed":
                await results.aclose()
                assert [r async for r in results] == []
            elif ending == "exited":
                async with results as same:
                    held.append(same)
            return

    held: list[Any] = []
    if ending in ("left", "closed", "exited"):
        jobs.end(0)
    task = asyncio.create_task(loop())
    await until(lambda: len(jobs.begun) >= 5)
    if ending == "cancelled":
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert isinstance(task.exception(), ValueError) if ending == "failed" else True
    assert len(held) == (ending == "exited")
    del task
    gc.collect()
    rest = [name for name in jobs.begun if ending not in ("left", "closed", "exited") or name]
    await until(lambda: sorted(jobs.cancelled) == sorted(rest))  # type: ignore[type-var]
    assert pool._rooms[0].loads == [0, 0]
    await turns()
    gc.collect()
    assert unheard == []


@pytest.mark.asyncio
async def test_an_iterable_that_raises_costs_an_imap_no_result_before_it(
    fake_page: FakePage,
) -> None:
    fake_page.served = {"square": square}
    pool = await farcall.Pool(2, "w").start()

    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("no more rows")

    results = pool.imap(lambda engine, x: engine.square(x), items())
    assert [await anext(results), await anext(results)] == [1, 4]
    with pytest.raises(OSError, match="no more rows"):
        await anext(results)
    with pytest.raises(StopAsyncIteration):
        await anext(results)


@pytest.mark.asyncio
@pytest.mark.parametrize("ahead", [-1, 1.5, "2"])
async def test_what_is_no_number_of_items_ahead_is_refused(fake_page: FakePage, ahead: Any) -> None:
    with pytest.raises(ValueError, match=r"Pool: expected concurrency of at least 1, received"):
        farcall.Pool(2, "w", concurrency=ahead)
    pool = await farcall.Pool(2, "w").start()
    with pytest.raises(ValueError, match=r"imap: expected ahead of at least 1, or 0 .* received"):
        pool.imap(lambda engine, x: engine.square(x), [1], ahead)
    with pytest.raises(ValueError, match=r"map: expected ahead of at least 1, or 0 .* received"):
        await pool.map(lambda engine, x: engine.square(x), [1], ahead)


@pytest.mark.asyncio
async def test_a_pool_remembers_the_workers_of_the_affinities_used_last(
    fake_page: FakePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "AFFINITIES", 3, raising=False)
    fake_page.served = {"square": square}
    pool = await farcall.Pool(2, "w").start()
    for key in ("a", "b", "c", "a", "d"):
        await pool.run(lambda engine: engine.square(2), affinity=key)
    assert [*pool._homes] == ["c", "a", "d"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "error", [farcall.TimeoutError("too slow"), OSError("no data"), asyncio.CancelledError()]
)
async def test_a_team_is_smaller_without_a_worker_that_does_not_start(
    fake_page: FakePage, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    begun: list[Any] = []

    class Member:
        def connect(self, *args: Any) -> None: ...

        def begin(self, *args: Any) -> None:
            begun.append(args)

    async def setup(engine: Any) -> None:
        if len(fake_page.threads) == 2:
            raise error

    async def port(engine: Any) -> Any:
        near, far = farcall.endpoints.memory_pair()
        farcall.Session(far, {"member": Member()})
        return near

    monkeypatch.setattr(team, "member_port", port)
    made = farcall.Team("w", size=3, setup=setup)
    if isinstance(error, Exception):
        await made
        assert (made.size, made.why) == (1, f"1 of 3 workers: {error}")
        assert len(fake_page.alive()) == 1
        assert len(begun) == 1
    else:
        with pytest.raises(asyncio.CancelledError):
            await made
        assert (made.size, fake_page.alive()) == (0, [])


@pytest.mark.asyncio
@pytest.mark.parametrize("make", [lambda: farcall.Worker("w"), lambda: farcall.Pool(2, "w")])
@pytest.mark.parametrize("ending", ["end", "error", "cancelled", "no start"])
async def test_async_with_starts_workers_and_leaves_none(
    fake_page: FakePage, make: Callable[[], Any], ending: str
) -> None:
    fake_page.serves = ending != "no start"
    inside = asyncio.Event()
    made = make()

    async def program() -> None:
        async with made as found:
            assert found is made
            assert fake_page.alive()
            inside.set()
            if ending == "error":
                raise KeyError(1)
            if ending == "cancelled":
                await asyncio.Event().wait()

    task = asyncio.create_task(program())
    await until(inside.is_set if fake_page.serves else lambda: fake_page.threads)
    if ending != "error":
        await turns(1)
    if ending in ("cancelled", "no start"):
        task.cancel()
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    assert type(outcome).__name__ == {"end": "NoneType", "error": "KeyError"}.get(
        ending, "CancelledError"
    )
    await until(lambda: not fake_page.alive())
