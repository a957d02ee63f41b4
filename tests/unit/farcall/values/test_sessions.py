"""Values of every kind cross a session there and back, and leave nothing behind."""

import asyncio
import collections
import gc
from collections.abc import AsyncIterator, Callable
from typing import Any

import farcall
import pytest
from farcall import comlink
from farcall.endpoints import memory_pair
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.farcall.connection.test_session import connected
from tests.unit.farcall.values.test_exceptions import CLASSES
from tests.unit.farcall.values.test_registered import Node
from tests.unit.farcall.values.test_standard import memory, same, scalars, values

HELD = ("pending", "serving", "exports", "imports", "streams")


class Far:
    """What is served."""

    def echo(self, value: Any) -> Any:
        return value

    def give(self, kind: Any, args: Any) -> Any:
        raise kind(*args)

    async def calls(self, functions: Any, value: Any) -> Any:
        return [await function(value) for function in functions]

    def several(self, value: Any) -> Any:
        yield value
        yield [value]


async def nothing_held(*sessions: farcall.Session) -> None:
    for _ in range(100):
        gc.collect()
        held = [[s.statistics()[name] for name in HELD] for s in sessions]
        if held == [[0] * 5] * len(sessions):
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"held: {held}")


def crossing(check: Callable[[Any], Any]) -> None:
    """Run a check over a session of its own, and require that nothing is left."""

    async def run() -> None:
        near, far = memory_pair()
        session = farcall.Session(far, {"far": Far()})
        engine = await farcall.connect(near, timeout=5)
        await check(engine.far)
        await nothing_held(session, farcall.session(engine))
        farcall.session(engine).close()

    asyncio.run(run())


@given(values)
@settings(max_examples=40, deadline=None)
def test_a_value_comes_back_as_it_went(value: Any) -> None:
    async def check(far: Any) -> None:
        assert same(await far.echo(value), value)
        assert same(await far.calls([lambda v: v], value), [value])
        assert same([v async for v in await far.several(value)], [value, [value]])

    crossing(check)


@given(st.sampled_from(CLASSES), st.lists(scalars | st.binary(max_size=3), max_size=5))
@settings(max_examples=40, deadline=None)
def test_an_exception_is_caught_by_its_class(cls: Any, args: list[Any]) -> None:
    try:
        text = str(cls(*args))
    except Exception:
        return

    async def check(far: Any) -> None:
        arrived = await far.echo(cls(*args))
        assert isinstance(arrived, cls)
        assert str(arrived) == text

        def failing(value: Any) -> None:
            raise cls(*args)

        with pytest.raises(cls) as caught:
            await far.calls([failing], 1)
        assert str(caught.value) == text

    crossing(check)


async def made(wire: Any) -> Node:
    await asyncio.sleep(0)
    return Node(wire)


class Awaited(Node):
    """Its decode must be awaited."""


@given(st.recursive(st.integers(), lambda v: st.lists(v, max_size=2), max_leaves=4), st.data())
@settings(max_examples=30, deadline=None)
def test_a_decode_is_awaited_wherever_its_value_is(value: Any, data: Any) -> None:
    farcall.register(Awaited, "test.Awaited", encode=lambda a: a.name, decode=made)
    places: list[Callable[[Any], Any]] = [
        lambda v: [v],
        lambda v: collections.deque([v]),
        lambda v: collections.OrderedDict(k=v),
        lambda v: {"k": (v,)},
        lambda v: Node("n", [v]),
    ]
    path = data.draw(st.lists(st.sampled_from(places), max_size=30))

    def placed(value: Any) -> Any:
        for place in path:
            value = place(value)
        return value

    async def check(far: Any) -> None:
        assert await far.echo(placed(Awaited(value))) == placed(Node(value))

    crossing(check)


@given(scalars | memory)
@settings(max_examples=30, deadline=None)
def test_a_value_over_comlink_is_what_javascript_has_of_it(value: Any) -> None:
    async def run() -> None:
        near, far = comlink.ports.memory_pair()
        comlink.expose(Far(), far)
        remote = comlink.wrap(near, timeout=5)
        once = await remote.echo(value)
        assert repr(await remote.echo([once])) == repr([once])
        with pytest.raises(TypeError, match="await it"):
            await remote.echo([remote.echo(1)])
        await comlink.release(remote)

    before = set(comlink.serve.alive), set(comlink.wrapped.alive)
    asyncio.run(run())
    assert (set(comlink.serve.alive), set(comlink.wrapped.alive)) == before


class Meta(type):
    """Says nothing of its classes without raising."""

    def __getattribute__(cls, name: str) -> Any:
        if name in ("__name__", "__mro__", "__module__"):
            raise OSError(f"no {name}")
        return type.__getattribute__(cls, name)


class Classless(Exception):
    @property
    def __class__(self) -> Any:
        raise OSError("no class")


class Silent(Exception):
    def __getattribute__(self, name: str) -> Any:
        raise OSError(f"no {name}")


class Nameless(Exception, metaclass=Meta):
    pass


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", [Classless, Silent, Nameless], ids=["class", "any", "metaclass"])
async def test_an_exception_that_says_nothing_of_itself_is_its_callers_error(kind: Any) -> None:
    def fail() -> None:
        raise kind

    async def fail_later() -> None:
        raise kind

    async def give() -> AsyncIterator[int]:
        yield 1
        raise kind

    class Service:
        def fail(self) -> None:
            raise kind

    async def take(stream: Any) -> None:
        async for _ in stream:
            pass

    async with connected({"fail": fail, "later": fail_later, "give": give}) as (engine, session):
        for call in (engine.fail(), engine.later(), take(engine.give())):
            with pytest.raises(farcall.FarcallError, match="which cannot cross"):
                await call
        assert session.error is None
    near, far = comlink.memory_pair()
    exposed = comlink.expose(Service(), far)
    api = comlink.wrap(near)
    with pytest.raises(farcall.FarcallError, match="which cannot cross"):
        await api.fail()
    comlink.close(api)
    exposed.close()
