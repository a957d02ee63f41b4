"""What the soak's programs use: everything is either checked against a model or fails on demand."""

import asyncio
import gc

import farcall  # first: its own failures at boot would reach the page as well
import js
from pyodide.ffi import create_once_callable


class Account:
    """A total that shows the order of calls."""

    def __init__(self, total=0):
        self.total = total

    def add(self, amount):
        self.total += amount
        return self.total

    def child(self, total):
        return Account(total)


class Refused(ValueError):
    """Raised on demand."""


class Bank:
    """The root of what the programs use."""

    def __init__(self):
        self.accounts = Account
        self.running = 0

    def echo(self, value):
        return value

    async def later(self, value, seconds):
        self.running += 1
        try:
            await asyncio.sleep(seconds)
            return value
        finally:
            self.running -= 1

    async def tell(self, callback, count, awaited):
        for n in range(count):
            answer = callback(n)
            if awaited:
                await answer
        return count

    async def numbers(self, count):
        for n in range(count):
            if n % 7 == 0:
                await asyncio.sleep(0)
            yield n

    def refuse(self, text):
        raise Refused(text)

    def unencodable(self):
        return {"module": asyncio}

    def crash_later(self):
        """An uncaught JavaScript error in the worker; the worker lives on."""
        js.setTimeout(create_once_callable(js.Function.new("throw new Error('soak crash')")), 0)

    def held(self):
        """Of the last session, without this call; and calls of any that still run."""
        gc.collect()
        found = farcall.workers.host.sessions[-1].statistics()
        names = ("pending", "serving", "exports", "imports", "streams")
        return dict([(k, found[k]) for k in names], running=self.running)


farcall.serve(Bank())
