"""A mistake in an argument is refused where it is made, by a text that says what was expected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import farcall
import pytest
from farcall import comlink
from farcall.connection.session import LIMITS
from farcall.endpoints import memory_pair

from tests.support.fake_page import FakePage, fake_page

__all__ = ["fake_page"]

NAN = float("nan")


class Plain:
    """A class of a program."""


def session(**options: Any) -> None:
    farcall.Session(memory_pair()[0], **options).close()


def exposed(**options: Any) -> None:
    comlink.expose(Plain(), comlink.memory_pair()[0], **options).close()


def wrapped(**options: Any) -> None:
    comlink.close(comlink.wrap(comlink.memory_pair()[0], **options))


def call(seconds: Any) -> None:
    made = farcall.Session(memory_pair()[0])
    try:
        farcall.options(made.root, timeout=seconds)
    finally:
        made.close()


async def connected(**options: Any) -> None:
    near, far = memory_pair()
    other = farcall.Session(far, {"f": len})
    try:
        farcall.session(await farcall.connect(near, **options)).close()
    finally:
        other.close()


async def started(made: Any) -> None:
    (await made.start()).terminate()


async def ported(page: FakePage, seconds: Any) -> None:
    page.served = {"f": len}
    thread = page.add("engine")
    port = await farcall.port(await farcall.connect("engine"), seconds)
    farcall.Session(port).close()
    thread.die()


# What takes a number of seconds.
SECONDS: dict[str, Callable[[FakePage, Any], Any]] = {
    "connect": lambda page, t: connected(timeout=t),
    "connect's calls": lambda page, t: connected(call_timeout=t),
    "a session": lambda page, t: session(timeout=t),
    "a call": lambda page, t: call(t),
    "a worker": lambda page, t: started(farcall.Worker("w", timeout=t)),
    "a pool": lambda page, t: started(farcall.Pool(1, "w", timeout=t)),
    "a port": ported,
    "comlink's calls": lambda page, t: wrapped(timeout=t),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("taker", SECONDS)
@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("5", TypeError),
        ([5], TypeError),
        (5j, TypeError),
        (NAN, ValueError),
        (None, None),
        (5, None),
    ],
)
async def test_a_time_limit_is_a_number_or_none_for_no_limit(
    fake_page: FakePage, taker: str, given: Any, kind: Any
) -> None:
    async def take() -> None:
        taken = SECONDS[taker](fake_page, given)
        if asyncio.iscoroutine(taken):
            await taken

    if kind is None:
        await take()
        return
    with pytest.raises(kind, match="expected seconds, or None for no limit, received"):
        await take()


# What takes names.
NAMES: dict[str, Callable[[Any], Any]] = {
    "writable": lambda names: farcall.exposed(writable=names),
    "origins": lambda names: exposed(origins=names),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("taker", NAMES)
async def test_a_text_is_not_taken_for_names_of_one_letter(taker: str) -> None:
    with pytest.raises(TypeError, match=r"expected a tuple of .* received .?'xy'"):
        NAMES[taker]("xy")
    for right in (("xy",), ["x", "y"], {"x"}, ()):
        NAMES[taker](right)


# What takes limits, and those that there are.
LIMITED: dict[str, tuple[Callable[..., Any], dict[str, int]]] = {
    "a session": (session, LIMITS),
    "expose": (exposed, comlink.LIMITS),
    "wrap": (wrapped, comlink.LIMITS),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("taker", LIMITED)
async def test_a_limit_that_there_is_not_is_refused(taker: str) -> None:
    take, known = LIMITED[taker]
    for name in known:
        with pytest.raises(TypeError, match=f"limits: expected .*{name}.*'{name}s'"):
            take(limits={name + "s": 5})
    take(limits=dict.fromkeys(known, 5))
    take(limits=None)


@pytest.mark.parametrize("name", ["concurrency", "queue"])
@pytest.mark.parametrize("wrong", [-1, "1", None])
def test_exposed_refuses_what_is_no_number_of_calls(name: str, wrong: Any) -> None:
    with pytest.raises(TypeError):
        farcall.exposed(**{name: wrong})


def test_exposed_without_parentheses_marks_the_class_as_with_them() -> None:
    class Other(Plain):
        pass

    class Another(Plain):
        pass

    assert farcall.exposed(Other) is Other
    assert Other.__dict__["__farcall__"] == farcall.exposed()(Another).__farcall__
