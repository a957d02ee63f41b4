"""The exposing half in Python: farcall.comlink serving what fixtures.mjs serves in JavaScript."""

import asyncio
import json

import farcall
import js
from farcall import comlink

flags = {"finalized": 0}


class Temperature:
    def __init__(self, tenths):
        self.tenths = tenths


comlink.transfer_handlers["temperature"] = comlink.TransferHandler(
    lambda value: isinstance(value, Temperature),
    lambda value: (value.tenths, []),
    Temperature,
)


async def later(work):
    await asyncio.sleep(0.001)
    return work()


class Sample:
    size = 4

    @staticmethod
    def make():
        return 77

    def __init__(self, count=1):
        self.count = count
        self.promised = js.Promise.resolve(8)

    def increment(self, by=1):
        self.count += by
        return self.count

    def fail(self):
        raise ValueError("out of samples")

    async def later(self):
        return 5

    @property
    def soon(self):
        return later(lambda: 6)

    def _half(self):
        return self.count / 2

    def _set_half(self, value):
        self.count = value * 2

    half = property(_half, _set_half)

    def child(self):
        return Sample(40)


farcall.exposed(writable=("count", "half"))(Sample)


class Record:
    value = 4
    missing = None
    callback = None

    def double(self, n):
        return 2 * n

    async def ring(self, n):
        return await self.callback(n)


farcall.exposed(writable=("callback",))(Record)


class Tracked:
    value = 1

    def __finalizer__(self):
        flags["finalized"] += 1


def fail():
    raise RuntimeError("kaput")


async def reject(message):
    raise RuntimeError(message)


def toss(kind):
    values = {"object": {"test": True}, "number": 42, "text": "oops", "nothing": None}
    raise comlink.Thrown(values[kind])


def add(a, b):
    return a + b


def ring(port):
    port.postMessage("ring")
    port.close()
    return "sent"


async def pokes(thing):
    await thing.increment(2)
    return await thing.count


async def calls(f):
    return await f(3) + 1


async def sums(f, g, h):
    return await f(1) + await g(2) + await h(3)


def deep_size(value):
    return len(value["v"]["b"])


def relay(endpoint):
    page = comlink.wrap(endpoint)

    async def relayed(a, b):
        return "relayed " + await page.join(a, b)

    return relayed


FIXTURES = {
    "record": lambda endpoint: Record(),
    "nested": lambda endpoint: {"a": {"b": Sample(9)}},
    "tracked": lambda endpoint: Tracked(),
    "Sample": lambda endpoint: Sample,
    "members": lambda endpoint: {"Sample": Sample},
    "instance": lambda endpoint: Sample(),
    "add": lambda endpoint: add,
    "later": lambda endpoint: lambda a, b: later(lambda: a + b),
    "fail": lambda endpoint: fail,
    "reject": lambda endpoint: reject,
    "toss": lambda endpoint: toss,
    "size": lambda endpoint: len,
    "deepSize": lambda endpoint: deep_size,
    "echo": lambda endpoint: lambda value: value,
    "ring": lambda endpoint: ring,
    "make": lambda endpoint: lambda: comlink.proxy(Sample(20)),
    "pokes": lambda endpoint: pokes,
    "calls": lambda endpoint: calls,
    "sums": lambda endpoint: sums,
    "nothings": lambda endpoint: lambda a, b, c: [a, b is None, c],
    "options": lambda endpoint: lambda options: options["a"] + options["b"],
    "warmer": lambda endpoint: lambda value: Temperature(value.tenths + 5),
    "stuck": lambda endpoint: lambda: [lambda: 1],
    "relay": relay,
}


def open_fixture(name, endpoint):
    comlink.expose(FIXTURES[name](endpoint), endpoint)


def open_window(name, peer, origin, allowed):
    endpoint = comlink.window_endpoint(peer, origin)
    comlink.expose(FIXTURES[name](endpoint), endpoint, origins=[str(o) for o in allowed])


def open_emitter(name, emitter):
    open_fixture(name, comlink.node_endpoint(emitter))


def flag(name):
    return flags[name]


def leaks():
    return json.dumps([f"{k}: {v}" for k, v in held().items() if v])


def held():
    """Running calls; what is exposed stays so until its peer's collector has run."""
    found = comlink.statistics()
    return {name: found[name] for name in ("pending", "serving")}


SIDE = {
    "open_fixture": open_fixture,
    "open_window": open_window,
    "open_emitter": open_emitter,
    "flag": flag,
    "leaks": leaks,
}


def call(name, values, done):
    try:
        done(None, SIDE[name](*values))
    except Exception as exc:
        done(repr(exc), None)
