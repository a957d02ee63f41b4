"""A worker with a memory: of a pool, of a broadcast, of another worker."""

import asyncio

import farcall
from farcall import comlink
from js import globalThis

notes = []


def note(value):
    notes.append(value)
    return len(notes)


def recall():
    return notes


def square(x):
    return x * x


async def slowly(x):
    await asyncio.sleep(0.02)
    return x


def die():
    globalThis.close()


def spin():
    """Python that never gives way."""
    while True:
        pass


async def call_other(port, value):
    """Call another worker over a port to it; the page is not involved."""
    other = await farcall.connect(port)
    result = await other.note(value)
    farcall.session(other).close()
    return result


async def wait():
    """Wait until the caller is gone."""
    try:
        await asyncio.sleep(1000)
    finally:
        notes.append("the caller is gone")


async def wait_for_other(port, waits):
    """How a call that waits in another worker ends; `waits` is called once it does."""
    other = await farcall.connect(port)
    call = other.wait()
    await other.square(1)
    await waits()
    try:
        return await call
    except farcall.FarcallError as exc:
        return type(exc).__name__


async def meet(name):
    """Serve on a BroadcastChannel."""
    channel = farcall.endpoints.Broadcast(name)
    met.append(farcall.Session(channel, served, name="page"))


def fail():
    raise ValueError("asked")


def share():
    return farcall.ref([1, 2, 3])


async def look_at(proxy):
    """What a proxy of a third side says here."""
    found = [await farcall.len(proxy), await farcall.str(proxy), await farcall.bool(proxy)]
    found += [await farcall.contains(proxy, 2), await (proxy + [4]), await (proxy * 2)]
    await farcall.set(proxy[0], 7)
    return found + [await proxy[0], await farcall.copy(proxy)]


def speak_comlink():
    """Serve a function as Comlink does, on the worker's own channel."""
    comlink.expose(square, globalThis)


def take(array):
    return [array.dtype, list(array.shape), list(array)]


async def count_lines(file):
    return str(await file.text()).count("\n")


def name_of(file):
    return str(file.name)


met = []
served = {
    "note": note,
    "recall": recall,
    "square": square,
    "slowly": slowly,
    "die": die,
    "spin": spin,
    "call_other": call_other,
    "meet": meet,
    "take": take,
    "fail": fail,
    "wait": wait,
    "wait_for_other": wait_for_other,
    "share": share,
    "look_at": look_at,
    "speak_comlink": speak_comlink,
    "count_lines": count_lines,
    "name_of": name_of,
}
farcall.serve(served)
