"""How many of farcall's functions one remote call runs: a measure that no busy machine changes."""

import asyncio
import sys
from types import FrameType
from typing import Any

import farcall
import pytest
from farcall.endpoints import memory_pair

MOST = 120  # of `await engine.lab.search("x", show)` whose callback is called once; 149 in v0


class Lab:
    def search(self, text: str, show: Any) -> int:
        show(text)
        return 1


class Counter:
    """Counts the calls of functions in py/farcall, of both ends, between two lines of a test."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __enter__(self) -> "Counter":
        sys.setprofile(self._note)
        return self

    def __exit__(self, *args: object) -> None:
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and "/farcall/" in frame.f_code.co_filename.replace(__file__, ""):
            self.names.append(frame.f_code.co_qualname)


@pytest.mark.asyncio
async def test_a_call_with_a_callback_takes_at_most_120_functions() -> None:
    near, far = memory_pair()
    farcall.Session(far, {"lab": Lab()})
    engine = await farcall.Session(near).ready
    heard: list[str] = []
    for _ in range(3):
        await engine.lab.search("warm", heard.append)
    await asyncio.sleep(0.1)  # acknowledgements of those calls are not this one's

    def show(text: str) -> None:
        heard.append(text)

    with Counter() as counted:
        await engine.lab.search("x", show)
    assert heard[-1] == "x"
    assert 50 < len(counted.names) <= MOST, counted.names
    farcall.session(engine).close()
