"""The worker of the soak: a bank that also streams, crashes and counts what it holds."""

import asyncio
import gc

import farcall  # first: its own failures at boot would reach the page as well
import js
from bank import Bank
from farcall import platform
from pyodide.ffi import create_once_callable


platform.evaluate("values.js")


class WorkerBank(Bank):
    """What only a worker has."""

    async def numbers(self, count):
        for n in range(count):
            if n % 7 == 0:
                await asyncio.sleep(0)
            yield n

    async def holds(self, value):
        """What a value of JavaScript holds, as a text."""
        return str(await js.drawnValues.held(value))

    def crash_later(self):
        """An uncaught JavaScript error in the worker; the worker lives on."""
        js.setTimeout(create_once_callable(js.Function.new("throw new Error('soak crash')")), 0)

    def held(self):
        """Of the last session, without this call; and calls of any that still run."""
        gc.collect()
        found = farcall.workers.host.sessions[-1].statistics()
        names = ("pending", "serving", "exports", "imports", "streams")
        return dict([(k, found[k]) for k in names], running=self.running)


farcall.serve(WorkerBank())
