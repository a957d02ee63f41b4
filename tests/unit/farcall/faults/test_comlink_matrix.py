"""Every state of a Comlink connection against every fault, and where Comlink itself misbehaves."""

import asyncio
import contextlib
import gc
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import farcall
import pytest
import pytest_asyncio
from farcall import comlink

from tests.support.limit import Limit

AT_MOST = 0.1  # seconds from the fault to the end of the last await
TYPED = (farcall.FarcallError, TimeoutError)


@farcall.exposed(writable=("slot",))
class Far:
    """What is exposed: everything waits for ever, until it is cancelled."""

    def __init__(self) -> None:
        self.inside = 0
        self.finalized = 0
        self.kept: list[Any] = []

    async def forever(self) -> None:
        self.inside += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.inside -= 1

    @property
    def slow(self) -> Awaitable[None]:
        return self.forever()

    @property
    def slot(self) -> int:
        return 1

    @slot.setter
    def slot(self, value: Any) -> None:
        raise ValueError("the slot is taken")

    async def calls_back(self, callback: Any) -> Any:
        return await callback()

    def add(self, a: int, b: int = 1) -> int:
        return a + b

    def keep(self, callback: Any) -> None:
        self.kept.append(callback)

    def box(self) -> "Far":
        return Far()

    def __finalizer__(self) -> None:
        self.finalized += 1


class Pair:
    """A served object, its proxy and the ports between them."""

    def __init__(self, **options: Any) -> None:
        self.complaints: list[BaseException] = []
        options.setdefault("on_error", self.complaints.append)
        self.near_port, self.far_port = comlink.memory_pair()
        self.served = Far()
        self.exposed = comlink.expose(self.served, self.far_port, on_error=self.complaints.append)
        self.api = comlink.wrap(self.near_port, **options)

    @property
    def connection(self) -> Any:
        return self.api._farcall.connection


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest_asyncio.fixture
async def pair() -> AsyncIterator[Pair]:
    """Afterwards nothing may be held by either side."""
    made = Pair()
    yield made
    made.exposed.close()
    comlink.close(made.api)
    made.served.kept.clear()
    await settle()
    gc.collect()
    await settle()
    assert comlink.statistics() == {"exposed": 0, "wrapped": 0, "pending": 0, "serving": 0}


def calling(pair: Pair) -> list[Awaitable[Any]]:
    return [pair.api.forever()]


def calling_many_times(pair: Pair) -> list[Awaitable[Any]]:
    return [pair.api.forever() for _ in range(100)]


def reading(pair: Pair) -> list[Awaitable[Any]]:
    return [pair.api.slow]


def waiting_in_a_callback(pair: Pair) -> list[Awaitable[Any]]:
    return [pair.api.calls_back(asyncio.Event().wait)]


STATES = (calling, calling_many_times, reading, waiting_in_a_callback)


def closed_here(pair: Pair) -> None:
    comlink.close(pair.api)


def released_here(pair: Pair) -> None:
    comlink.release(pair.api)


def port_closed_there(pair: Pair) -> None:
    pair.far_port.close()


def undecodable_frame(pair: Pair) -> None:
    pair.far_port.post("{]", [], [], [])


def event(function: Callable[..., None], *values: str) -> None:
    """What a port's event does: outside any task."""
    asyncio.get_running_loop().call_soon(function, *values)


def undeserialisable_message(pair: Pair) -> None:
    event(pair.connection._on_broken, "", "", "a message that could not be deserialised")


def worker_reports_an_error(pair: Pair) -> None:
    event(pair.connection._on_gone, "Uncaught TypeError")


FAULTS = (
    closed_here,
    released_here,
    port_closed_there,
    undecodable_frame,
    undeserialisable_message,
    worker_reports_an_error,
)


async def one(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


@pytest.mark.promise(
    "farcall: every await ends",
    "Comlink: Every state against every fault in memory",
)
@pytest.mark.asyncio
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("state", STATES, ids=lambda s: s.__name__)
async def test_every_await_ends_with_a_typed_error(
    pair: Pair,
    state: Callable[[Pair], list[Awaitable[Any]]],
    fault: Callable[[Pair], None],
) -> None:
    tasks = [asyncio.ensure_future(one(a)) for a in state(pair)]
    await settle()
    assert not any(task.done() for task in tasks)
    fault(pair)
    limit = Limit(AT_MOST)
    ends = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert not limit.over(), limit.waited
    assert all(isinstance(end, TYPED) for end in ends), ends
    assert pair.connection.statistics()["pending"] == 0


@pytest.mark.promise(
    "farcall: every await ends",
    "Comlink: A port whose far end vanished silently ends by `wrap(endpoint, "
    "timeout=...)`, and the ports of a worker's proxies, callbacks and second endpoints"
    " end with their worker",
)
@pytest.mark.asyncio
async def test_a_peer_that_never_answers_is_a_time_out_and_its_work_is_cancelled() -> None:
    pair = Pair(timeout=0.02)
    with pytest.raises(TimeoutError, match="forever"):
        await pair.api.forever()
    await settle()
    assert pair.served.inside == 0
    pair.exposed.close()
    comlink.close(pair.api)


@pytest.mark.asyncio
async def test_cancelling_a_task_cancels_the_work_there(pair: Pair) -> None:
    task = asyncio.ensure_future(one(pair.api.forever()))
    await settle()
    assert pair.served.inside == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settle()
    assert pair.served.inside == 0
    assert comlink.statistics()["pending"] == comlink.statistics()["serving"] == 0


# -- where Comlink 4.4.2 misbehaves


@pytest.mark.promise(
    "farcall: where Comlink 4.4.2 misbehaves",
    "A pending call never ends when its proxy is released",
)
@pytest.mark.asyncio
async def test_a_pending_call_ends_when_its_proxy_is_released(pair: Pair) -> None:
    task = asyncio.ensure_future(one(pair.api.forever()))
    await settle()
    comlink.release(pair.api)
    with pytest.raises(farcall.ReleasedError):
        await task


@pytest.mark.promise(
    "farcall: nothing leaks",
    "Comlink: A proxy is released when it is collected, never while a call of it is under way",
)
@pytest.mark.promise(
    "farcall: where Comlink 4.4.2 misbehaves",
    "A proxy collected in mid-call loses the reply",
)
@pytest.mark.asyncio
async def test_a_proxy_is_not_released_while_a_call_of_it_is_under_way(pair: Pair) -> None:
    gate = asyncio.Event()
    call = (await pair.api.box()).calls_back(gate.wait)  # nothing else holds the box
    gc.collect()
    await settle()
    gate.set()
    assert await call is True


@pytest.mark.promise(
    "farcall: order and delivery",
    "Comlink: A release does not overtake the calls made before it",
)
@pytest.mark.promise(
    "farcall: where Comlink 4.4.2 misbehaves",
    "A proxy collected in mid-call loses the reply",
)
@pytest.mark.asyncio
async def test_a_release_in_mid_call_does_not_lose_the_reply(pair: Pair) -> None:
    """JavaScript's Comlink sends RELEASE when its collector takes a proxy whose call is pending."""
    near, far = comlink.memory_pair()
    gate = asyncio.Event()
    exposed = comlink.expose({"later": gate.wait}, far)
    heard: list[Any] = []
    near.listen((), lambda text, *rest: heard.append(json.loads(text)), print, lambda why: None)
    near.post('{"id":"c","type":"APPLY","path":["l","later"],"argumentList":["l"]}', [], [], [])
    near.post('{"id":"r","type":"RELEASE"}', [], [], [])
    await settle()
    assert heard == []
    gate.set()
    await settle()
    assert [(reply["id"], reply["value"]) for reply in heard] == [("c", True), ("r", None)]
    assert not exposed.is_open()


@pytest.mark.promise("farcall: where Comlink 4.4.2 misbehaves", "Callbacks must be marked")
@pytest.mark.asyncio
async def test_a_callback_needs_no_mark(pair: Pair) -> None:
    assert await pair.api.calls_back(lambda: 5) == 5


@pytest.mark.promise(
    "farcall: where Comlink 4.4.2 misbehaves",
    "A function inside an object: DataCloneError",
)
@pytest.mark.asyncio
async def test_a_callback_inside_a_dict_is_refused_by_a_text_that_says_what_to_do(
    pair: Pair,
) -> None:
    with pytest.raises(
        TypeError, match=r"inside a container cannot cross.*argument or result itself"
    ):
        pair.api.keep({"callback": print})
    assert comlink.statistics()["pending"] == 0


@pytest.mark.promise(
    "farcall: where Comlink 4.4.2 misbehaves",
    'A missing method: "Cannot read properties of undefined"',
)
@pytest.mark.asyncio
async def test_a_missing_method_is_named(pair: Pair) -> None:
    with pytest.raises(AttributeError, match="serves no 'ad'; did you mean 'add'"):
        await pair.api.ad(1)


@farcall.register_exception
class Overdrawn(ValueError):
    """An error with more than a message."""

    def __init__(self, message: str, missing: int) -> None:
        super().__init__(message, missing)
        self.missing = missing


@pytest.mark.promise(
    "farcall: where Comlink 4.4.2 misbehaves",
    "An error's class and fields are lost",
)
@pytest.mark.asyncio
async def test_an_error_keeps_its_class_arguments_and_traceback(pair: Pair) -> None:
    def fail() -> None:
        raise Overdrawn("too little", 7)

    pair.served.fail = fail  # type: ignore[attr-defined]
    with pytest.raises(Overdrawn) as caught:
        await pair.api.fail()
    assert caught.value.missing == 7
    assert "in fail" in caught.value.remote_traceback  # type: ignore[attr-defined]


@pytest.mark.promise(
    "farcall: where Comlink 4.4.2 misbehaves",
    "The error of an assignment is lost",
)
@pytest.mark.asyncio
async def test_the_error_of_an_assignment_is_not_lost(pair: Pair) -> None:
    with pytest.raises(ValueError, match="taken"):
        await comlink.set(pair.api.slot, 2)
    pair.api.slot = 2  # never awaited
    await settle()
    gc.collect()
    assert [str(e) for e in pair.complaints] == ["the slot is taken"]


@pytest.mark.promise(
    "farcall: order and delivery",
    "Comlink: Calls start in the order they were made; their results may come in any order",
)
@pytest.mark.asyncio
async def test_calls_are_served_in_the_order_they_were_made(pair: Pair) -> None:
    heard: list[int] = []
    calls = [pair.api.calls_back(lambda n=n: heard.append(n)) for n in range(50)]
    for call in calls:
        await call
    assert heard == list(range(50))


@pytest.mark.asyncio
async def test_keyword_arguments_arrive_as_such(pair: Pair) -> None:
    assert await pair.api.add(1, b=5) == 6
    assert await pair.api.add(a=3) == 4


@pytest.mark.promise(
    "farcall: features",
    "Comlink: A trailing plain object from JavaScript is keyword arguments where it "
    "names open parameters",
)
@pytest.mark.asyncio
async def test_a_trailing_object_of_javascript_is_keywords_if_it_names_open_parameters() -> None:
    def fit(data: Any, target: Any = None, epochs: int = 1, **more: Any) -> list[Any]:
        return [data, target, epochs, sorted(more)]

    near, far = comlink.memory_pair()
    exposed = comlink.expose({"fit": fit}, far)
    heard: list[Any] = []
    near.listen((), lambda text, *rest: heard.append(json.loads(text)), print, lambda why: None)
    for last in ({"epochs": 3}, {"unknown": 3}, {}, {"data": 1}):
        wires = ["l", {"type": "RAW", "value": "x"}, {"type": "RAW", "value": last}]
        frame = {"id": "1", "type": "APPLY", "path": ["l", "fit"], "argumentList": wires}
        near.post(json.dumps(frame), [], [], [])
    await settle()
    found = [reply["value"][1:] for reply in heard]
    exposed.close()
    assert found == [
        ["x", None, 3, ["l"]],
        ["x", {"unknown": 3}, 1, ["l"]],
        ["x", {}, 1, ["l"]],
        ["x", {"data": 1}, 1, ["l"]],
    ]


@pytest.mark.asyncio
async def test_a_trailing_dict_of_python_is_an_argument_whatever_its_keys_are(pair: Pair) -> None:
    def fit(data: Any, target: Any = None, epochs: int = 1) -> list[Any]:
        return [data, target, epochs]

    pair.served.fit = fit  # type: ignore[attr-defined]
    assert await pair.api.fit("x", {"epochs": 3}) == ["x", {"epochs": 3}, 1]
    assert await pair.api.fit({"target": 3}) == [{"target": 3}, None, 1]
    assert await pair.api.fit("x", {"epochs": 3}, epochs=4) == ["x", {"epochs": 3}, 4]


@pytest.mark.promise(
    "farcall: nothing leaks",
    "Comlink: What a late or forged reply brings is given back",
)
@pytest.mark.asyncio
async def test_a_late_reply_is_given_back(pair: Pair) -> None:
    """What it brought by reference would be held for ever otherwise."""
    gate = asyncio.Event()
    box = Far()

    async def later() -> Far:
        with contextlib.suppress(asyncio.CancelledError):
            await gate.wait()
        return box

    pair.served.later = later  # type: ignore[attr-defined]
    task = asyncio.ensure_future(one(pair.api.later()))
    await settle()
    task.cancel()
    await settle()
    await settle()
    assert box.finalized == 1


# -- leaks


@pytest.mark.promise(
    "farcall: nothing leaks",
    "Comlink: 10,000 calls with callbacks, proxies, streams, failures and cancellations"
    " leave both sides' `statistics()` and the heap where they were",
)
@pytest.mark.asyncio
@pytest.mark.timeout(120)
async def test_ten_thousand_calls_with_callbacks_and_proxies_leave_nothing(pair: Pair) -> None:
    before = comlink.statistics()
    for n in range(10_000):
        if n % 3 == 0:
            assert await pair.api.calls_back(lambda n=n: n) == n
        elif n % 3 == 1:
            box = await pair.api.box()
            assert await box.add(n) == n + 1
        else:
            with pytest.raises(TypeError):
                await pair.api.add()
    del box
    await settle()
    gc.collect()
    await settle()
    assert comlink.statistics() == before
