"""Every state of a session against every fault: each await ends with a typed error, in time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import farcall
import pytest
from farcall.endpoints import memory_pair

from tests.support.limit import Limit

AT_MOST = 0.1  # seconds from the fault to the end of the last await
TYPED = (farcall.FarcallError, TimeoutError)


class Far:
    """What is served: everything waits for ever, until it is cancelled."""

    def __init__(self) -> None:
        self.inside = 0
        self.ended: list[BaseException] = []

    async def forever(self) -> None:
        await self._endless()

    @property
    def slow(self) -> Awaitable[None]:
        return self._endless()

    async def calls_back(self, callback: Any) -> None:
        self.inside += 1
        try:
            await callback()
        except BaseException as exc:
            self.ended.append(exc)
            raise
        finally:
            self.inside -= 1

    async def ticks(self) -> Any:
        yield 1
        await self._endless()

    def box(self) -> "Far":
        return self

    async def slow_box(self) -> "Far":
        await self._endless()
        return self

    async def _endless(self) -> None:
        self.inside += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.inside -= 1


class Pair:
    """Two sessions, and the endpoints to break them with."""

    def __init__(self, **options: Any) -> None:
        self.complaints: list[BaseException] = []
        options["on_error"] = lambda exc, whence: self.complaints.append(exc)
        self.near_end, self.far_end = memory_pair()
        self.served = Far()
        self.far = farcall.Session(self.far_end, self.served, on_error=options["on_error"])
        self.near = farcall.Session(self.near_end, **options)


async def calling(pair: Pair) -> list[Awaitable[Any]]:
    return [pair.near.root.forever()]


async def calling_many_times(pair: Pair) -> list[Awaitable[Any]]:
    return [pair.near.root.forever() for _ in range(100)]


async def reading(pair: Pair) -> list[Awaitable[Any]]:
    return [pair.near.root.slow]


async def building_on_a_call(pair: Pair) -> list[Awaitable[Any]]:
    return [pair.near.root.slow_box().forever(), pair.near.root.box().forever()]


async def waiting_in_a_callback(pair: Pair) -> list[Awaitable[Any]]:
    return [pair.near.root.calls_back(asyncio.Event().wait)]


async def streaming(pair: Pair) -> list[Awaitable[Any]]:
    async def consume() -> None:
        async for _ in pair.near.root.ticks():
            pass

    return [consume()]


async def asking_for_an_operation(pair: Pair) -> list[Awaitable[Any]]:
    async def enter() -> None:
        async with pair.near.root.slow_box():
            pass

    return [enter()]


STATES = (
    calling,
    calling_many_times,
    reading,
    building_on_a_call,
    waiting_in_a_callback,
    streaming,
    asking_for_an_operation,
)


def closed_here(pair: Pair) -> None:
    pair.near.close()


def closed_there(pair: Pair) -> None:
    pair.far.close()


def undecodable_frame(pair: Pair) -> None:
    pair.far_end.post("{]", [])


def unknown_message(pair: Pair) -> None:
    pair.far_end.post('[0,["nonsense",1]]', [])


def undecodable_frame_sent(pair: Pair) -> None:
    pair.near_end.post("{]", [])


def forged_reply(pair: Pair) -> None:
    pair.far_end.post('[0,["ret",999999,1]]', [])


def repeated_cancel_of_nothing(pair: Pair) -> None:
    pair.far_end.post('[0,["free",999999,1]]', [])


def undeserialisable_message(pair: Pair) -> None:
    pair.near._broken("a message that could not be deserialised")


def worker_died(pair: Pair) -> None:
    pair.near.close(farcall.WorkerDiedError("the worker was terminated"), tell=False)


def sending_fails(pair: Pair) -> None:
    pair.near_end.post = lambda header, buffers: "DataCloneError"  # type: ignore[method-assign]
    pair.near.send(["cancel", 999_999])


FAULTS = (
    closed_here,
    closed_there,
    undecodable_frame,
    unknown_message,
    undecodable_frame_sent,
    forged_reply,
    repeated_cancel_of_nothing,
    undeserialisable_message,
    worker_died,
    sending_fails,
)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def outcomes(tasks: list[asyncio.Future[Any]]) -> list[BaseException]:
    """How the tasks ended, all within AT_MOST."""
    limit = Limit(AT_MOST)
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert not limit.over(), f"the awaits ended {limit.waited * 1000:.0f} ms after the fault"
    return results


@pytest.mark.promise(
    "farcall: order and delivery",
    "A call is delivered at most once: it is never repeated, not even when a worker is "
    "started again",
)
@pytest.mark.promise(
    "farcall: every await ends",
    "The session is closed here or there: SessionClosedError",
)
@pytest.mark.promise(
    "farcall: every await ends",
    "A message is undecodable, unknown, or cannot be deserialised: ProtocolError for "
    "everything under way, on both sides",
)
@pytest.mark.promise(
    "farcall: every await ends",
    "Seven states of a session, each met by ten faults: every await ends within 100 ms "
    "of the fault, and the tables are empty",
)
@pytest.mark.asyncio
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("state", STATES, ids=lambda s: s.__name__)
async def test_every_await_ends_with_a_typed_error(
    state: Callable[[Pair], Awaitable[list[Awaitable[Any]]]], fault: Callable[[Pair], None]
) -> None:
    pair = Pair()
    tasks = [asyncio.ensure_future(one(a)) for a in await state(pair)]
    await settle()
    assert not any(task.done() for task in tasks)
    fault(pair)
    ends = await outcomes(tasks)
    assert all(isinstance(end, TYPED) for end in ends), ends
    assert pair.near.error is not None
    held = pair.near.statistics()
    assert [held[k] for k in ("pending", "serving", "answers", "exports", "imports")] == [0] * 5
    pair.far.close()
    await settle()
    assert pair.served.inside == 0
    held = pair.far.statistics()
    assert [held[k] for k in ("pending", "serving", "answers", "exports", "streams")] == [0] * 5


async def one(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


@pytest.mark.promise(
    "farcall: every await ends",
    "The other side was not ready yet: the same errors",
)
@pytest.mark.asyncio
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
async def test_waiting_for_the_other_side_to_be_ready_ends_too(
    fault: Callable[[Pair], None],
) -> None:
    near_end, far_end = memory_pair()
    pair = Pair()
    pair.near = farcall.Session(near_end)
    pair.near_end, pair.far_end = near_end, far_end
    far_end.start(lambda header, buffers: None, print)
    ready = asyncio.ensure_future(one(pair.near.ready))
    await settle()
    if fault in (closed_there, undecodable_frame_sent):
        far_end.post('[0,["bye","no"]]', [])
    else:
        fault(pair)
    (end,) = await outcomes([ready])
    assert isinstance(end, TYPED)
    pair.far.close()


@pytest.mark.promise(
    "farcall: every await ends",
    "The far side waits for a callback of ours: its await ends too",
)
@pytest.mark.asyncio
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
async def test_the_far_side_s_wait_for_a_callback_ends_too(fault: Callable[[Pair], None]) -> None:
    pair = Pair()
    call = asyncio.ensure_future(one(pair.near.root.calls_back(asyncio.Event().wait)))
    await settle()
    assert pair.served.inside == 1
    fault(pair)
    await outcomes([call])
    if fault in (worker_died, sending_fails):  # by then the far side cannot be notified
        pair.far.close()
    await settle()
    assert pair.served.inside == 0
    assert isinstance(pair.served.ended[0], (farcall.FarcallError, asyncio.CancelledError))
    pair.far.close()


@pytest.mark.promise(
    "farcall: every await ends",
    "The peer never answers: TimeoutError if a time-out was set, and the work there is cancelled",
)
@pytest.mark.asyncio
async def test_a_peer_that_never_answers_is_a_time_out() -> None:
    pair = Pair(timeout=0.02)
    tasks = [asyncio.ensure_future(one(a)) for a in await calling_many_times(pair)]
    await settle()
    ends = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert all(isinstance(end, TimeoutError) for end in ends)
    await settle()
    assert pair.served.inside == 0  # the work there was cancelled
    assert pair.near.statistics()["pending"] == 0
    pair.near.close()
    await settle()


@pytest.mark.promise(
    "farcall: every await ends",
    "A stream's next item never comes: TimeoutError if the session has a time-out",
)
@pytest.mark.asyncio
async def test_a_stream_whose_peer_falls_silent_is_a_time_out() -> None:
    pair = Pair(timeout=0.02)
    stream = await pair.near.root.ticks()
    assert await anext(stream) == 1
    with pytest.raises(TimeoutError, match="next item of a stream"):
        await anext(stream)
    del stream
    pair.near.close()
    await settle()
    assert pair.served.inside == 0
    assert pair.far.statistics()["streams"] == 0
    pair.far.close()


@pytest.mark.promise(
    "farcall: every await ends",
    "A result or exception cannot cross: an error of that call only; the others go on",
)
@pytest.mark.asyncio
async def test_faults_of_one_call_leave_the_others_alone() -> None:
    pair = Pair()
    served = pair.served
    served.unencodable = lambda: {1: memory_pair, 2: asyncio}  # type: ignore[attr-defined]
    served.unprintable = unprintable  # type: ignore[attr-defined]
    other = asyncio.ensure_future(one(pair.near.root.forever()))
    await settle()
    with pytest.raises((TypeError, AttributeError), match="module"):
        await pair.near.root.box(asyncio)  # a module is never served
    with pytest.raises((TypeError, AttributeError)):
        await pair.near.root.unencodable()
    with pytest.raises(Exception, match="str"):
        await pair.near.root.unprintable()
    with pytest.raises(ZeroDivisionError):
        await pair.near.root.calls_back(lambda: 1 / 0)
    assert not other.done()
    assert pair.near.error is None
    assert pair.near.statistics()["pending"] == 1
    pair.near.close()
    assert isinstance((await outcomes([other]))[0], farcall.SessionClosedError)
    await settle()


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def unprintable() -> None:
    raise Unprintable


@pytest.mark.promise(
    "farcall: order and delivery",
    "A release does not overtake the calls made before it",
)
@pytest.mark.asyncio
async def test_release_does_not_overtake_the_calls_before_it() -> None:
    pair = Pair()
    box = await pair.near.root.box()
    later = box.box()
    farcall.release(box)
    with pytest.raises(farcall.ReleasedError):
        box.forever()
    assert await later is not None
    pair.near.close()
    await settle()
