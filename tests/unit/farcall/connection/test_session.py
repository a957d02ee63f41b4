"""Sessions over the in-memory pair: order, release, limits, ends."""

import asyncio
import gc
import json
import random
import types
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import farcall
import numpy
import pytest
from farcall.connection import concurrency
from farcall.connection.namespace import namespace
from farcall.endpoints import memory_pair

HELD = ("pending", "serving", "exports", "imports", "streams", "answers")


@asynccontextmanager
async def connected(served: Any, **options: Any) -> AsyncIterator[tuple[Any, farcall.Session]]:
    """The near side's engine, and the far session."""
    near, far = memory_pair()
    session = farcall.Session(far, served, name="near")
    engine = await farcall.connect(near, timeout=5, name="far", **options)
    yield engine, session
    farcall.session(engine).close()
    await settle()


async def settle() -> None:
    """Let everything that is on its way arrive."""
    gc.collect()
    for _ in range(20):
        await asyncio.sleep(0)


async def quiet(engine: Any, session: farcall.Session) -> None:
    """Wait until nothing is held on either side.

    Raises:
        TimeoutError: something is.
    """
    async with asyncio.timeout(5):
        while any(s[k] for s in (farcall.statistics(engine), session.statistics()) for k in HELD):
            gc.collect()
            await asyncio.sleep(0.01)


class Box:
    """Remembers what was put in."""

    def __init__(self) -> None:
        self.items: list[Any] = []

    def put(self, item: Any) -> int:
        self.items.append(item)
        return len(self.items)

    async def put_later(self, item: Any, turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return self.put(item)

    def box(self) -> "Box":
        return Box()

    def each(self, function: Any, count: int) -> list[Any]:
        return [function(i) for i in range(count)] and []

    def numbers(self, count: int) -> Any:
        yield from range(count)

    def get(self) -> list[Any]:
        return self.items


@pytest.mark.promise("farcall: features", "Release by garbage collection; nothing leaks")
@pytest.mark.asyncio
async def test_ten_thousand_calls_with_callbacks_proxies_and_streams_leave_nothing() -> None:
    async with connected({"box": Box()}) as (engine, session):
        for _ in range(100):
            calls = [engine.box.box().put(i) for i in range(97)]
            calls.append(engine.box.each(lambda i: i, 2))
            assert [await call for call in calls][:97] == [1] * 97
            assert [i async for i in engine.box.numbers(3)] == [0, 1, 2]
            del calls
        await quiet(engine, session)


@pytest.mark.asyncio
@pytest.mark.parametrize("ending", ["released", "closed"])
async def test_a_weak_reference_whose_object_is_gone_is_given_up_as_any_object(ending: str) -> None:
    boxes = [Box()]
    async with connected({"box": lambda: weakref.proxy(boxes[0])}) as (engine, session):
        box, other = await engine.box(), await engine.box()
        assert await box.put(1) == 1
        boxes.clear()
        with pytest.raises(ReferenceError):
            await box.put(2)
        if ending == "released":
            farcall.release(box)
            farcall.release(other)
            await quiet(engine, session)
        else:
            session.close()
            await settle()
            assert not any(session.statistics()[kind] for kind in HELD)
        assert session.error is None or isinstance(session.error, farcall.SessionClosedError)


@pytest.mark.promise(
    "farcall: order and delivery",
    "Calls start in the order they were made; their results may come in any order",
)
@pytest.mark.promise("farcall: features", "Order: calls, and callbacks before the result")
@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(8))
async def test_random_programs_give_what_the_model_gives(seed: int) -> None:
    """The same steps on local boxes and on remote ones: equal results, equal order, no leaks."""
    dice = random.Random(seed)
    async with connected({"box": Box()}) as (engine, session):
        far, model, calls, expected = [engine.box], [Box()], [], []
        heard: list[int] = []
        told: list[int] = []
        for step in range(200):
            k = dice.randrange(len(far))
            match dice.randrange(6):
                case 0:
                    far.append(far[k].box())
                    model.append(model[k].box())
                case 1 if k:
                    del far[k], model[k]
                case 2:
                    calls.append(far[k].each(heard.append, 3))
                    expected.append(model[k].each(told.append, 3))
                case 3:
                    calls.append(far[k].get())
                    expected.append(list(model[k].get()))
                case 4:
                    calls.append(far[k].put_later(step, 0))
                    expected.append(await model[k].put_later(step, 0))
                    await calls[-1]
                case _:
                    calls.append(far[k].put([step, (step,)]))
                    expected.append(model[k].put([step, (step,)]))
        assert [await call for call in calls] == expected
        assert heard == told
        calls.clear()
        far.clear()
        await quiet(engine, session)


@pytest.mark.promise(
    "farcall: every await ends",
    "A call that fails is not awaited: `on_error`, once",
)
@pytest.mark.asyncio
async def test_the_error_of_a_dropped_call_is_reported_once() -> None:
    told: list[Any] = []
    async with connected({"box": Box()}, on_error=lambda e, whence: told.append((e, whence))) as (
        engine,
        _,
    ):
        engine.box.nothing()
        await settle()
        [(error, whence)] = told
        assert isinstance(error, AttributeError)
        assert "box.nothing" in whence


@pytest.mark.promise(
    "farcall: limits",
    "calls of ours without a reply: `pending`; beyond it: LimitError at the call",
)
@pytest.mark.asyncio
async def test_the_calls_that_may_be_pending_are_limited() -> None:
    async with connected({"box": Box()}, limits={"pending": 3}) as (engine, _):
        calls = [engine.box.put(i) for i in range(3)]
        with pytest.raises(farcall.LimitError, match="3 calls are pending"):
            engine.box.put(4)
        assert [await call for call in calls] == [1, 2, 3]
        assert await engine.box.put(4) == 4


@pytest.mark.asyncio
async def test_a_message_that_is_too_long_ends_the_session_with_its_size() -> None:
    async with connected({"box": Box()}, limits={"header": 1000}) as (engine, session):
        call = engine.box.put_later(1, 10**6)
        await settle()
        session._endpoint.post(json.dumps([0, ["ret", 1, "x" * 3000]]), [])
        with pytest.raises(farcall.ProtocolError, match="header of 3"):
            await call


@pytest.mark.promise(
    "farcall: every await ends",
    "The session is closed here or there: SessionClosedError",
)
@pytest.mark.asyncio
async def test_closing_one_side_ends_the_calls_of_the_other() -> None:
    async with connected({"box": Box()}) as (engine, session):
        call = engine.box.put_later(1, 10**6)
        await settle()
        session.close()
        with pytest.raises(farcall.SessionClosedError, match="the other side closed"):
            await call
        with pytest.raises(farcall.SessionClosedError):
            engine.box.put(1)


@pytest.mark.asyncio
async def test_a_connection_without_a_peer_is_a_time_out() -> None:
    near, _ = memory_pair()
    with pytest.raises(TimeoutError, match=r"did not answer in 0\.05 s"):
        await farcall.connect(near, timeout=0.05)


@pytest.mark.promise("farcall: features", "asyncio's own wait_for, gather, timeout")
@pytest.mark.asyncio
async def test_wait_for_and_gather_and_task_groups_take_calls() -> None:
    async with connected({"box": Box()}) as (engine, _):
        assert await asyncio.wait_for(engine.box.put(0), 5) == 1
        assert await asyncio.gather(engine.box.put(1), engine.box.put(2)) == [2, 3]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await engine.box.put_later(1, 10**6)


@pytest.mark.promise("farcall: features", "Tracing, Chrome trace, slow calls")
@pytest.mark.asyncio
async def test_a_trace_has_a_span_for_every_call() -> None:
    async with connected({"box": Box()}) as (engine, _):
        with farcall.trace(engine) as log:
            await engine.box.put(b"12345")
            with pytest.raises(AttributeError):
                await engine.box.nothing
        assert [c["label"] for c in log.calls] == ["call #0.box.put", "get #0.box.nothing"]
        assert [c["failed"] for c in log.calls] == [False, True]
        spans = [e for e in json.loads(log.chrome())["traceEvents"] if e["ph"] == "X"]
        assert [s["name"] for s in spans] == ["call #0.box.put", "get #0.box.nothing"]


@pytest.mark.promise("farcall: features", "Tracing, Chrome trace, slow calls")
@pytest.mark.asyncio
async def test_a_slow_call_is_reported_when_a_trace_asks(capsys: Any) -> None:
    async with connected({"box": Box()}) as (engine, _):
        with farcall.trace(engine, slow=0.0):
            await engine.box.put(1)
    assert "call #0.box.put took" in capsys.readouterr().err


@pytest.mark.promise("farcall: what is refused", "Names that a class or module does not list")
def test_a_module_without_all_is_not_served() -> None:
    with pytest.raises(TypeError, match=r"module 'gc' has no __all__.*serve its functions"):
        namespace({"collector": gc})


@pytest.mark.promise("farcall: what is refused", "Names that a class or module does not list")
@pytest.mark.asyncio
async def test_a_module_in_a_served_one_that_has_no_all_is_refused_alone() -> None:
    """So it is in NumPy: `lib`, which is served, names `npyio`, which lists nothing."""
    async with connected({"np": numpy}) as (engine, _):
        assert await engine.np.linalg.norm([3, 4]) == 5
        assert await engine.np.zeros(2_000_000).shape == (2_000_000,)
        assert await engine.np.lib.NumpyVersion("2.0.0").major == 2
        for inner in (engine.np.lib.npyio, engine.np.lib.npyio.DataSource):
            with pytest.raises(TypeError, match=r"'numpy\.lib\.npyio' has no __all__"):
                await inner


def lazy_package(name: str, modules: dict[str, Any]) -> types.ModuleType:
    """A module that makes what its `__all__` names when it is asked for (PEP 562)."""
    package = types.ModuleType(name)

    def find(wanted: str) -> Any:
        if wanted not in modules:
            raise AttributeError(wanted)
        if isinstance(modules[wanted], Exception):
            raise modules[wanted]
        setattr(package, wanted, modules[wanted])
        return modules[wanted]

    package.__dict__.update(__all__=list(modules), __getattr__=find)
    return package


@pytest.mark.asyncio
async def test_a_module_that_is_imported_when_asked_for_is_served_then() -> None:
    tools = types.ModuleType("tools")
    tools.__dict__.update(__all__=["double"], double=lambda x: 2 * x, hidden=1)
    box = lazy_package("box", {"tools": tools, "gone": ImportError("not on this machine")})
    async with connected({"box": box}) as (engine, _):
        assert "tools" not in vars(box)
        assert await engine.box.tools.double(4) == 8
        with pytest.raises(farcall.PolicyError, match="hidden"):
            await engine.box.tools.hidden
        with pytest.raises(ImportError, match="not on this machine"):
            await engine.box.gone.double(4)
        with pytest.raises(AttributeError):
            await engine.box.nothing


def test_names_that_are_not_public_are_not_served() -> None:
    with pytest.raises(TypeError, match="'_hidden'"):
        namespace({"_hidden": 1})


@farcall.exposed(concurrency=1)
class Shared:
    """Remembers when calls came in and went out."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.gate = asyncio.Event()

    async def work(self, name: str) -> None:
        self.seen.append(f"{name} in")
        await self.gate.wait()
        self.seen.append(f"{name} out")


@pytest.mark.asyncio
async def test_calls_of_one_object_take_turns_across_sessions() -> None:
    shared = Shared()
    async with connected({"shared": shared}) as (a, _), connected({"shared": shared}) as (b, _):
        calls = [a.shared.work("a"), b.shared.work("b"), a.shared.work("c")]
        gone = asyncio.ensure_future(b.shared.work("d"))
        await settle()
        assert len(shared.seen) == 1  # of either session: nothing orders their messages
        gone.cancel()
        shared.gate.set()
        await asyncio.gather(*calls)
        assert sorted(shared.seen[::2]) == ["a in", "b in", "c in"]
        assert [seen.replace("out", "in") for seen in shared.seen[1::2]] == shared.seen[::2]
        await settle()
        assert concurrency._used == {}


@pytest.mark.asyncio
async def test_an_object_is_free_again_after_the_session_that_used_it_has_ended() -> None:
    shared = Shared()
    async with connected({"shared": shared}) as (a, _):
        call = asyncio.ensure_future(a.shared.work("a"))
        await settle()
    with pytest.raises(farcall.SessionClosedError):
        await call
    shared.gate.set()
    async with connected({"shared": shared}) as (b, _):
        await b.shared.work("b")
    assert shared.seen == ["a in", "b in", "b out"]
    assert concurrency._used == {}


class Counted:
    """Counts the calls that are in, some turns each."""

    def __init__(self) -> None:
        self.inside = self.most = 0

    async def work(self, turns: int) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            for _ in range(turns):
                await asyncio.sleep(0)
        finally:
            self.inside -= 1


@pytest.mark.asyncio
@pytest.mark.parametrize("allowed", [1, 2])
async def test_no_more_calls_are_in_than_may_be_however_others_are_cancelled(allowed: int) -> None:
    for seed in range(60):
        dice, counted = random.Random(seed), Counted()
        marks = {"concurrency": allowed, "queue": 99}
        calls: list[asyncio.Future[Any]] = []
        for _ in range(30):
            match dice.randrange(3):
                case 0:
                    turns = [dice.randrange(4)]
                    job = concurrency.in_turn(counted, marks, counted.work, turns, {})
                    calls.append(asyncio.ensure_future(job))
                case 1 if calls:
                    dice.choice(calls).cancel()
                case _:
                    await asyncio.sleep(0)
        await asyncio.gather(*calls, return_exceptions=True)
        assert counted.most <= allowed
        assert concurrency._used == {}


@pytest.mark.asyncio
@pytest.mark.parametrize("turns", range(8))
async def test_nothing_is_kept_of_a_call_that_is_cancelled_as_its_turn_comes(turns: int) -> None:
    shared, marks = Shared(), {"concurrency": 1, "queue": 9}
    first, second = (
        asyncio.ensure_future(concurrency.in_turn(shared, marks, shared.work, ["x"], {}))
        for _ in range(2)
    )
    await settle()
    shared.gate.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    assert concurrency._used == {}


class Keeper:
    """Keeps what it is given; served alone, or by a name."""

    def __init__(self) -> None:
        self.kept: Any = None

    def keep(self, *args: Any, **kwargs: Any) -> None:
        self.kept = [*args, *kwargs.values()][0]

    async def call(self, function: Any) -> None:
        self.kept = await function()

    async def drain(self, items: Any) -> None:
        async for item in items:
            self.kept = item


# How a program passes what `connect` gave it.
PASSED: dict[str, Any] = {
    "an argument": lambda engine, it: it.keep(engine),
    "by name": lambda engine, it: it.keep(value=engine),
    "in a list": lambda engine, it: it.keep([{"engine": engine}]),
    "by a callback": lambda engine, it: it.call(lambda: engine),
    "by a stream": lambda engine, it: it.drain(item for item in [engine]),
    "after a call": lambda engine, it: it.keep(engine, it.keep(1)),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("passed", PASSED)
@pytest.mark.parametrize("alone", [True, False])
async def test_what_connect_gives_is_what_was_served_where_it_comes_home(
    passed: str, alone: bool
) -> None:
    keeper = Keeper()
    served: Any = keeper if alone else {"it": keeper}
    async with connected(served) as (engine, session):
        await PASSED[passed](engine, engine if alone else engine.it)
        kept = keeper.kept[0]["engine"] if passed == "in a list" else keeper.kept
        assert kept is keeper if alone else kept == served
        await quiet(engine, session)
