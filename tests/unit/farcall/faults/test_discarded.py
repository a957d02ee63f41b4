"""Of what a served function gives and is not awaited, only coroutines are closed.

Whatever else can be awaited has a `close` of its own, or leads to one on the other side.
"""

import asyncio
import gc
import inspect
import warnings
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import farcall
from farcall.endpoints import memory_pair
from hypothesis import given, settings
from hypothesis import strategies as st


class Closable:
    """Counts how often it is closed; can be awaited, and has more that a call might touch."""

    def __init__(self) -> None:
        self.touched: list[str] = []

    def close(self) -> None:
        self.touched.append("close")

    def send(self, value: object) -> None:
        self.touched.append("send")

    def throw(self, error: object) -> None:
        self.touched.append("throw")

    def __await__(self) -> Generator[Any, None, int]:
        yield from asyncio.sleep(3600).__await__()
        return 1


class ClosableTask(asyncio.Task[None]):
    """A task of somebody else's, with a method of that name."""

    closed = False

    def close(self) -> None:
        self.closed = True


async def forever() -> None:
    await asyncio.sleep(3600)


def a_coroutine() -> tuple[Any, Callable[[], str]]:
    made = forever()

    def wrong() -> str:
        state = inspect.getcoroutinestate(made)
        return "" if state == inspect.CORO_CLOSED else f"a coroutine that is {state}"

    return made, wrong


def an_awaitable() -> tuple[Any, Callable[[], str]]:
    made = Closable()
    return made, lambda: f"touched: {made.touched}" if made.touched else ""


def a_task() -> tuple[Any, Callable[[], str]]:
    made = ClosableTask(forever())
    return made, lambda: "a task was closed" if made.closed else ""


# Each gives what a function returns, and what tells afterwards what is wrong with it.
KINDS: dict[str, Callable[[], tuple[Any, Callable[[], str]]]] = {
    "coroutine": a_coroutine,
    "awaitable": an_awaitable,
    "task": a_task,
}


class Scene:
    """Two sides: `far` serves functions that give what must be awaited."""

    def __init__(self, limits: dict[str, int]) -> None:
        self.wrong: list[Callable[[], str]] = []
        near, far = memory_pair()
        self.far = farcall.Session(far, {"give": self.give, "call": self.call}, limits=limits)
        self.near = farcall.Session(near)

    def give(self, kind: str) -> Any:
        value, wrong = KINDS[kind]()
        self.wrong.append(wrong)
        return value

    def call(self, callback: Callable[[], Any]) -> Any:
        """The call of a callback, whose result is an object of the caller's."""
        return callback()


async def cancelled(scene: Scene, calls: list[Awaitable[Any]]) -> None:
    """Their callers go before anything of them ran there."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()


async def refused(scene: Scene, calls: list[Awaitable[Any]]) -> None:
    """More run than may: those that are too many raise LimitError."""
    await asyncio.sleep(0)


async def closed(scene: Scene, calls: list[Awaitable[Any]]) -> None:
    await asyncio.sleep(0)
    scene.far.close()


WAYS = (cancelled, refused, closed)


async def play(kinds: list[str], way: Callable[..., Awaitable[None]], turns: int) -> list[str]:
    """What is wrong with anything that was given up."""
    held = Closable()
    scene = Scene({"serving": 2} if way is refused else {})
    root = await scene.near.ready
    calls: list[Awaitable[Any]] = [
        root.call(lambda: held) if kind == "call" else root.give(kind) for kind in kinds
    ]
    for _ in range(turns):
        await asyncio.sleep(0)
    await way(scene, calls)
    for _ in range(20):
        await asyncio.sleep(0)
    scene.near.close()
    scene.far.close()
    for _ in range(20):
        await asyncio.sleep(0)
    await asyncio.gather(*calls, return_exceptions=True)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    wrong = [found() for found in scene.wrong]
    return [*wrong, f"the caller's object: {held.touched}" if held.touched else ""]


@given(
    st.lists(st.sampled_from([*KINDS, "call"]), min_size=1, max_size=5),
    st.sampled_from(WAYS),
    st.integers(0, 6),
)
@settings(max_examples=120, deadline=None)
def test_of_what_is_given_up_only_coroutines_are_closed(
    kinds: list[str], way: Callable[..., Awaitable[None]], turns: int
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of a coroutine that was never awaited
        assert not any(asyncio.run(play(kinds, way, turns)))
        gc.collect()
