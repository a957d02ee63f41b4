"""What the far side of every conformance run serves. Runs on CPython and Pyodide."""

import asyncio
import gc


class Counter:
    """An object with state."""

    step = 1

    def __init__(self, start=0):
        self.value = start

    def add(self, amount=1):
        self.value += amount
        return self.value

    def itself(self):
        return self

    async def slowly(self, amount):
        await asyncio.sleep(0.001)
        return self.add(amount)

    def _hidden(self):
        return "never"


class Custom(LookupError):
    """An exception the near side does not know."""


class Far:
    """The root's members: one method for each behaviour."""

    Counter = Counter
    nested = {"deep": {"list": [1, 2, {"x": "found"}]}}

    def __init__(self, session):
        self._session = session
        self.events = []

    def echo(self, *args, **kwargs):
        return [list(args), kwargs] if kwargs else args[0] if len(args) == 1 else list(args)

    def call(self, function, *args):
        return function(*args)

    async def call_all(self, functions, value):
        return {name: await f(value) for name, f in functions.items()}

    def notify(self, function, count):
        for i in range(count):
            function(i)
        return "done"

    def fail(self, text):
        raise ValueError(text, 7)

    async def fail_later(self, text):
        await asyncio.sleep(0)
        raise Custom(text)

    def returns_lock(self):
        return asyncio.Lock

    async def forever(self):
        self.events.append("started")
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            self.events.append("cancelled")
            raise

    def take_events(self):
        events, self.events = self.events, []
        return events

    def describe(self, value):
        kind = type(value).__name__
        return [kind, str(getattr(value, "dtype", "")), list(getattr(value, "shape", []))]

    def total(self, array):
        return float(array.sum())

    def array(self, n):
        import numpy

        return numpy.arange(n, dtype=numpy.float32).reshape(2, -1)

    def hold(self, value):
        self._held = value

    def give_back(self):
        held, self._held = self._held, None
        return held

    def same(self, a, b):
        return a is b

    def unsendable(self):
        import sys

        return sys

    def statistics(self):
        gc.collect()
        return self._session().statistics()


def far(session):
    """What to serve; `session` gives the far side's session."""
    return {"far": Far(session), "Counter": Counter, "text": "plain"}
