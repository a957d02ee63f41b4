"""Remote context managers are left, whatever becomes of who entered them."""

import asyncio
import contextlib
import contextvars
from typing import Any

import farcall
import pytest
from farcall.endpoints import memory_pair

from tests.unit.farcall.connection.test_session import connected, quiet, settle


class Plain:
    """A context manager that counts."""

    def __init__(self) -> None:
        self.entered = 0
        self.left: list[str] = []

    def __enter__(self) -> int:
        self.entered += 1
        return 7

    def __exit__(self, kind: Any, exc: Any, traceback: Any) -> None:
        assert kind is (None if exc is None else type(exc))
        self.left.append(repr(exc))


class Later:
    """The same, by coroutines that take some turns."""

    def __init__(self) -> None:
        self.entered = 0
        self.left: list[str] = []

    async def __aenter__(self) -> int:
        for _ in range(3):
            await asyncio.sleep(0)
        self.entered += 1
        return 7

    async def __aexit__(self, kind: Any, exc: Any, traceback: Any) -> None:
        self.left.append(repr(exc))  # before it waits: who is cancelled while it leaves has begun
        await asyncio.sleep(0)


class Stubborn(Later):
    """One that is entered though the task that enters it was cancelled."""

    async def __aenter__(self) -> int:
        for _ in range(3):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        self.entered += 1
        return 7


KINDS = [Plain, Later, Stubborn]


def giving(kind: Any, value: Any) -> Any:
    """Return a context manager of a kind that gives a value when it is entered."""

    class Giving(kind):  # type: ignore[misc]
        def __enter__(self) -> Any:
            super().__enter__()
            return value

        async def __aenter__(self) -> Any:
            await super().__aenter__()
            return value

        if kind is Plain:
            del __aenter__
        else:
            del __enter__

    return Giving()


@pytest.mark.promise(
    "farcall: every await ends",
    "A task that enters a remote context manager is cancelled, or its session ends inside: "
    "the context manager is left, on the side where it is",
)
@pytest.mark.asyncio
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("turns", range(14))
async def test_a_context_is_left_whenever_who_enters_it_is_cancelled(kind: Any, turns: int) -> None:
    context = kind()
    async with connected({"context": context}) as (engine, session):

        async def use() -> None:
            async with engine.context as value:
                assert value == 7

        task = asyncio.ensure_future(use())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await quiet(engine, session)
        await settle()
        assert len(context.left) == context.entered
        async with engine.context:
            pass
    assert len(context.left) == context.entered


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", KINDS)
async def test_contexts_are_left_when_the_session_ends_the_last_one_first(kind: Any) -> None:
    order: list[str] = []

    class Named(kind):  # type: ignore[misc]
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name
            self.left = self  # type: ignore[assignment]

        def append(self, text: str) -> None:
            order.append(f"{self.name} {text}")

    contexts = {name: Named(name) for name in "abc"}
    async with connected(contexts) as (engine, _):
        for name in "abc":
            await getattr(engine, name).__aenter__()
        await engine.b.__aexit__(None, None, None)
        assert order == ["b None"]
    assert [text.partition("(")[0] for text in order[1:]] == [
        "c SessionClosedError",
        "a SessionClosedError",
    ]


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("turns", range(8))
async def test_a_context_is_left_whenever_the_session_of_who_enters_it_ends(
    kind: Any, turns: int
) -> None:
    context = kind()
    async with connected({"context": context}) as (engine, _):
        task = asyncio.ensure_future(engine.context.__aenter__())
        for _ in range(turns):
            await asyncio.sleep(0)
    await asyncio.gather(task, return_exceptions=True)
    await settle()
    assert len(context.left) == context.entered


@pytest.mark.asyncio
async def test_a_lock_that_another_task_has_left_is_left_at_the_session_s_end() -> None:
    lock = asyncio.Lock()
    async with connected({"lock": lock}) as (engine, _):
        await engine.lock.__aenter__()
        second = asyncio.ensure_future(engine.lock.__aenter__())
        await settle()
        assert not second.done()
        await engine.lock.__aexit__(None, None, None)
        await second
        assert lock.locked()
    await settle()
    assert not lock.locked()


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", KINDS)
async def test_a_context_whose_value_cannot_cross_is_left(kind: Any) -> None:
    context = giving(kind, asyncio)
    async with connected({"context": context}) as (engine, session):
        with pytest.raises(farcall.PolicyError, match="module"):
            await engine.context.__aenter__()
        await quiet(engine, session)
        await settle()
        assert (context.entered, len(context.left)) == (1, 1)
        assert "PolicyError" in context.left[0]
    assert len(context.left) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", KINDS)
async def test_a_context_whose_value_cannot_be_read_is_left(kind: Any) -> None:
    class Unread:
        pass

    def decode(fields: Any) -> Any:
        raise ValueError("cannot be read")

    farcall.register(Unread, "test.Unread", encode=lambda _: 1, decode=decode)

    context = giving(kind, Unread())
    async with connected({"context": context}) as (engine, session):
        with pytest.raises(ValueError, match="cannot be read"):
            await engine.context.__aenter__()
        await quiet(engine, session)
        await settle()
        assert (context.entered, len(context.left)) == (1, 1)
    assert len(context.left) == 1


@pytest.mark.asyncio
async def test_a_context_that_cannot_be_left_is_an_error_of_its_side() -> None:
    heard: list[Any] = []

    class Bad(Plain):
        def __exit__(self, kind: Any, exc: Any, traceback: Any) -> None:
            raise ValueError("no")

    near, far = farcall.endpoints.memory_pair()
    farcall.Session(far, {"bad": Bad()}, on_error=lambda *given: heard.append(given))
    engine = await farcall.connect(near, timeout=5)
    await engine.bad.__aenter__()
    farcall.session(engine).close()
    await settle()
    [(error, whence)] = heard
    assert (repr(error), whence) == ("ValueError('no')", "of a context that was left")


@farcall.exposed("add")
class Counter:
    def __init__(self) -> None:
        self.count = 0

    def add(self, n: int) -> int:
        self.count += n
        return self.count


@pytest.mark.asyncio
async def test_an_object_that_exposes_names_and_is_no_context_is_released_at_the_end() -> None:
    near, far = farcall.endpoints.memory_pair()
    session = farcall.Session(far, {"Counter": Counter})
    engine = await farcall.connect(near, timeout=5)
    for awaited in (False, True):
        made = engine.Counter()
        async with await made if awaited else made as counter:
            assert await counter.add(2) == 2
            assert session.statistics()["exports"] == 1
        with pytest.raises(farcall.ReleasedError):
            await counter.add(2)
        await settle()
        assert session.statistics()["exports"] == 0
    farcall.session(engine).close()


@farcall.exposed("add")
class Locked(Counter):
    def __enter__(self) -> None:
        raise AssertionError("it is not exposed")

    def __exit__(self, *args: object) -> None: ...


@pytest.mark.asyncio
async def test_a_context_that_exposes_other_names_cannot_be_entered() -> None:
    near, far = farcall.endpoints.memory_pair()
    farcall.Session(far, {"locked": Locked()})
    engine = await farcall.connect(near, timeout=5)
    with pytest.raises(farcall.PolicyError, match="serves no enter"):
        await engine.locked.__aenter__()
    farcall.session(engine).close()


LEVEL: contextvars.ContextVar[int] = contextvars.ContextVar("LEVEL", default=0)


class Leveled:
    """Sets a context variable in whatever runs in several steps, and gives its token back."""

    @contextlib.contextmanager
    def soon(self, level: int) -> Any:
        token = LEVEL.set(level)
        try:
            yield level
        finally:
            LEVEL.reset(token)

    @contextlib.asynccontextmanager
    async def later(self, level: int) -> Any:
        await asyncio.sleep(0)
        with self.soon(level):
            await asyncio.sleep(0)
            yield level
            await asyncio.sleep(0)

    def each(self, level: int) -> Any:
        with self.soon(level):
            for _ in range(600):
                yield LEVEL.get()

    async def each_later(self, level: int) -> Any:
        async with self.later(level):
            for _ in range(600):
                await asyncio.sleep(0)
                yield LEVEL.get()

    def now(self) -> int:
        return LEVEL.get()

    async def now_later(self) -> int:
        await asyncio.sleep(0)
        return LEVEL.get()


@pytest.mark.asyncio
@pytest.mark.parametrize("inner", ["soon", "later"])
@pytest.mark.parametrize("outer", ["soon", "later"])
async def test_a_context_variable_counts_for_the_calls_inside_a_with_block(
    outer: str, inner: str
) -> None:
    async with connected({"far": Leveled()}) as (engine, session):
        far = engine.far
        for _ in range(2):
            async with getattr(far, outer)(1):
                assert (await far.now(), await far.now_later()) == (1, 1)
                async with getattr(far, inner)(2):
                    assert (await far.now(), await far.now_later()) == (2, 2)
                assert (await far.now(), await far.now_later()) == (1, 1)
        await quiet(engine, session)


@pytest.mark.asyncio
@pytest.mark.parametrize("outer", ["soon", "later"])
async def test_who_is_gone_inside_a_with_block_leaves_it_with_its_context_variables(
    outer: str,
) -> None:
    complaints: list[Any] = []
    near, end = memory_pair()
    session = farcall.Session(end, {"far": Leveled()}, on_error=lambda *e: complaints.append(e))
    engine = await farcall.connect(near, timeout=5)
    await getattr(engine.far, outer)(1).__aenter__()
    farcall.session(engine).close()
    await settle()
    assert session.error is not None
    assert (complaints, LEVEL.get()) == ([], 0)


@pytest.mark.asyncio
@pytest.mark.parametrize("ending", ["end", "left", "stepped"])
@pytest.mark.parametrize("name", ["each", "each_later"])
async def test_a_generator_keeps_its_context_variables_from_item_to_item(
    name: str, ending: str
) -> None:
    complaints: list[Any] = []
    near, end = memory_pair()
    farcall.Session(end, {"far": Leveled()}, on_error=lambda *e: complaints.append(e))
    engine = await farcall.connect(near, timeout=5)
    stream = await getattr(engine.far, name)(3)
    if ending == "stepped":
        assert [await stream.asend(value) for value in (None, 1, 1)] == [3, 3, 3]
        await stream.aclose()
    else:
        async for level in stream:
            assert level == 3
            if ending == "left":
                break
    del stream
    await settle()
    farcall.session(engine).close()
    await settle()
    assert complaints == []


@pytest.mark.promise(
    "farcall: every await ends",
    "A task that enters a remote context manager is cancelled, or its session ends inside: "
    "the context manager is left, on the side where it is",
)
@pytest.mark.asyncio
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("ends", [False, True])
async def test_a_context_is_left_by_what_was_cancelled_before_that_began(
    kind: Any, turns: int, ends: bool
) -> None:
    context = kind()
    async with connected({"context": context}) as (engine, _):
        remote = engine.context
        await remote.__aenter__()
        task = asyncio.ensure_future(remote.__aexit__(None, None, None))
        for _ in range(turns):
            await asyncio.sleep(0)
        if ends:
            farcall.session(engine).close()
        else:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await settle()
        left = ["None"] if turns else []
        assert context.left[:1] == left or (ends and len(context.left) == 1)
