"""The far side of the matrix: everything waits for ever, and every fault can be asked for."""

import asyncio

import farcall  # first: its own failures at boot would reach the page as well
import js
from pyodide.ffi import create_once_callable


class Unprintable(Exception):
    """Its text cannot be had."""

    def __str__(self):
        raise RuntimeError("no text")


class Far:
    """What the states use."""

    def __init__(self):
        self.inside = 0

    def echo(self, value=None):
        return value

    async def forever(self):
        await self._endless()

    async def calls_back(self, callback):
        self.inside += 1
        try:
            return await callback()
        finally:
            self.inside -= 1

    async def ticks(self):
        yield 1
        await self._endless()

    def box(self):
        return Far()

    def unencodable(self):
        return {"module": asyncio}

    def unprintable(self):
        raise Unprintable

    def die(self):
        js.globalThis.close()

    async def _endless(self):
        self.inside += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.inside -= 1


class Control:
    """What breaks the session that was opened last; used over a session of its own."""

    def __init__(self, far):
        self._far = far

    def inside(self):
        return self._far.inside

    def sessions(self):
        return len(farcall.workers.host.sessions)

    def held(self):
        found = farcall.workers.host.sessions[-1].statistics()
        return [found[k] for k in ("pending", "serving", "exports", "imports", "streams")]

    def say(self, text):
        """Any text as a message of the session."""
        self._session()._endpoint.post(text, [])

    def say_no_message(self):
        """A number, where an array with a text belongs."""
        self._session()._endpoint._port.postMessage(7)

    def close(self):
        self._session().close()

    def close_port(self):
        """Without a word to anybody."""
        self._session()._endpoint._port.close()

    def crash(self):
        js.setTimeout(create_once_callable(js.Function.new("throw new Error('as asked')")), 0)

    def _session(self):
        sessions = farcall.workers.host.sessions
        if len(sessions) < 2:
            raise LookupError("the session has gone")
        return sessions[-1]


far = Far()
farcall.serve({"far": far, "control": Control(far)})
