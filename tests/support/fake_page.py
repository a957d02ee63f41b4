"""A page for workers without a browser: their threads are sessions of this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import farcall
import pytest
from farcall import platform
from farcall.endpoints import memory_pair
from farcall.workers import page


class Thread:
    """A worker's thread; `serve` and `die` are what it does by itself."""

    farcallEnd = ""  # noqa: N815 - the page's JavaScript reads it

    def __init__(self, served: Any, number: int) -> None:
        self.served = served
        self.lock = f"farcall-{number}"
        self.alive = True
        self.asked: list[str] | None = None  # a list: what ports were asked with, to be opened
        self.ready = asyncio.get_running_loop().create_future()  # PyScript's: the script is over
        self.sessions: list[farcall.Session] = []
        self._hear: list[Callable[..., object]] = []
        self._gone: list[Callable[[], object]] = []

    def say(self, kind: str, detail: str, port: Any = None) -> None:
        """Have the page hear it in a turn of its own."""
        loop = asyncio.get_running_loop()
        for hear in self._hear:
            loop.call_soon(hear, kind, detail, port)

    def serve(self) -> None:
        self.say("serving", f"{self.lock} locked")

    def open(self, asked: str) -> None:
        if self.asked is not None:
            self.asked.append(asked)
        elif self.alive and asked.split(" ")[0] == self.lock:
            near, far = memory_pair()
            self.sessions.append(farcall.Session(far, self.served))
            self.say("port", asked, near)

    def terminate(self) -> None:
        self.alive = False
        for session in self.sessions:
            session.close(tell=False)

    def die(self) -> None:
        self.terminate()
        for gone in self._gone:
            gone()


class Script:
    """A worker's tag; PyScript sets its `xworker`."""

    src = ""


class FakePage:
    """What farcall's JavaScript does on a page.

    Attributes:
        served: what threads serve from now on.
        threads: all that were started.
        serves: whether a new thread serves at once.
        makes: whether PyScript makes the thread of a new tag at once.
        fails: what ends the next boots, the first first.
    """

    def __init__(self) -> None:
        self.served: Any = {}
        self.threads: list[Thread] = []
        self.serves = True
        self.makes = True
        self.fails: list[str] = []
        self.scripts: dict[str, Any] = {}

    def alive(self) -> list[Thread]:
        return [thread for thread in self.threads if thread.alive]

    def add(self, name: str) -> Thread:
        """A tag of the page, whose thread PyScript has made."""
        self.scripts[name] = Script()
        return self.make(self.scripts[name])

    def make(self, script: Any) -> Thread:
        thread = script.xworker = Thread(self.served, len(self.threads))
        self.threads.append(thread)
        return thread

    # -- farcall's JavaScript

    def addWorker(self, kind: str, name: str, source: str, config: str) -> None:  # noqa: N802
        self.scripts[name] = Script()
        if self.makes:
            self.make(self.scripts[name])

    def removeWorker(self, name: str) -> None:  # noqa: N802
        del self.scripts[name]

    def named(self, name: str) -> Any:
        return self.scripts.get(name)

    def names(self) -> str:
        return ", ".join(self.scripts)

    def config(self, script: Any) -> str:
        return ""

    def listenControl(self, thread: Thread, hear: Any) -> Callable[[], object]:  # noqa: N802
        thread._hear.append(hear)
        if self.fails and thread is self.threads[-1]:
            thread.ready.set_exception(RuntimeError(self.fails.pop(0)))
        elif self.serves:
            thread.serve()
        return lambda: thread._hear.remove(hear)

    def watchLock(self, lock: str, gone: Any) -> Callable[[], object]:  # noqa: N802
        (thread,) = [t for t in self.threads if t.lock == lock]
        thread._gone.append(gone)
        # As AbortController's `abort`: once more is no error.
        return lambda: thread._gone.remove(gone) if gone in thread._gone else None

    def broadcast(self, kind: str, detail: str) -> None:
        for thread in self.threads:
            if kind in ("open", "member"):
                thread.open(detail)


@pytest.fixture
def fake_page(monkeypatch: pytest.MonkeyPatch) -> FakePage:
    made = FakePage()
    monkeypatch.setattr(platform, "javascript", made)
    monkeypatch.setattr(platform, "on_page", lambda: True)
    monkeypatch.setattr(platform, "callback", lambda function: function)
    monkeypatch.setattr(platform, "is_null", lambda value: value is None)
    monkeypatch.setattr(page, "Port", lambda end: end)
    monkeypatch.setattr(page, "_engines", {})
    return made


async def until(true: Callable[[], object]) -> None:
    """Wait for a state, for at most ten seconds."""
    end = platform.clock() + 10
    while not true():
        assert platform.clock() < end, "the state was not reached"
        await asyncio.sleep(0.001)
