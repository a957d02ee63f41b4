"""What befalls a worker of JavaScript's Comlink, seen from farcall.comlink in Chromium."""

import asyncio
import json

import farcall
import js
from farcall import comlink, platform

MODULE = '{"type": "module"}'
PATIENCE = 20 * (
    js.slowness if hasattr(js, "slowness") else 1
)  # as tests/support/limit.py measures


def start(source="fault_worker.mjs"):
    return js.Worker.new(source, js.JSON.parse(MODULE))


async def ending(awaitable, fault=None):
    """Name of the error that ends an await, and how many ms after the fault."""

    async def caught():
        try:
            await awaitable
        except Exception as exc:
            return type(exc).__name__ + ": " + str(exc)
        return "no error"

    task = asyncio.create_task(caught())
    await asyncio.sleep(0.05)
    begun = platform.clock()
    if fault is not None:
        fault()
    text = await asyncio.wait_for(task, PATIENCE)
    return [text, (platform.clock() - begun) * 1000]


async def ready():
    api = comlink.wrap(start())
    if await api.add(1, 2) != 3:
        raise AssertionError("the worker does not add")
    return api


async def terminated():
    api = await ready()
    return await ending(api.forever(), lambda: comlink.terminate(api))


async def terminated_under_a_proxy_of_its():
    """A port of its own, which says nothing when the worker dies."""
    api = await ready()
    box = await api.box()
    return await ending(box.forever(), lambda: comlink.terminate(api))


async def terminated_under_a_second_endpoint():
    api = await ready()
    twin = comlink.wrap(await comlink.create_endpoint(api))
    return await ending(twin.forever(), lambda: comlink.terminate(api))


async def terminated_while_it_calls_back():
    api = await ready()
    call = api.callsBack(forever)
    await asyncio.sleep(0.05)
    return await ending(call, lambda: comlink.terminate(api))


async def forever():
    await asyncio.sleep(3600)


async def uncaught_error_under_a_proxy():
    api = await ready()
    box = await api.box()
    return await ending(box.forever(), lambda: api.crash())


async def used_after_termination():
    api = await ready()
    comlink.terminate(api)
    try:
        api.add(1, 2)
    except farcall.WorkerDiedError as exc:
        return ["WorkerDiedError: " + str(exc), 0]
    return ["no error", 0]


async def uncaught_error():
    api = await ready()
    call = api.forever()
    return await ending(call, lambda: api.crash())


async def source_missing():
    return await ending(comlink.wrap(start("missing.mjs")).add(1, 2))


async def import_missing():
    return await ending(comlink.wrap(start("fault_worker.mjs?fault=import")).add(1, 2))


async def closed_here():
    api = await ready()
    return await ending(api.forever(), lambda: comlink.close(api))


async def released_here():
    api = await ready()
    return await ending(api.forever(), lambda: comlink.release(api))


async def never_answered():
    """A closed port has no sign in this browser: only time tells."""
    channel = js.MessageChannel.new()
    channel.port2.close()
    api = comlink.wrap(channel.port1, timeout=0.1)
    return await ending(api.add(1, 2))


class Odd:
    pass


async def handler_unknown_there():
    """JavaScript's Comlink throws in its listener and never replies."""
    comlink.transfer_handlers["odd"] = comlink.TransferHandler(
        lambda value: isinstance(value, Odd), lambda value: (1, []), lambda value: Odd()
    )
    api = await ready()
    return await ending(api.add(Odd(), 1))


async def argument_that_cannot_cross():
    api = await ready()
    try:
        api.add([lambda: 1], 1)
    except TypeError as exc:
        return ["TypeError: " + str(exc), 0]
    return ["no error", 0]


async def argument_that_cannot_be_cloned():
    api = await ready()
    try:
        api.add(js.document, 1)
    except TypeError as exc:
        return ["TypeError: " + str(exc), 0]
    return ["no error", 0]


async def prototype_of_what_is_exposed():
    channel = js.MessageChannel.new()
    exposed = comlink.expose({"value": 1}, channel.port2)
    api = comlink.wrap(channel.port1)
    found = await ending(comlink.set(api["__proto__"]["polluted"], 1))
    exposed.close()
    return found


async def code_of_what_is_exposed():
    channel = js.MessageChannel.new()
    exposed = comlink.expose({"add": max}, channel.port2)
    api = comlink.wrap(channel.port1)
    found = await ending(comlink.new(api.add.constructor, "return 1"))
    exposed.close()
    return found


async def sent(source):
    """How a call ends whose argument is what this JavaScript makes."""
    channel = js.MessageChannel.new()
    exposed = comlink.expose({"take": lambda value: "taken"}, channel.port2)
    api = comlink.wrap(channel.port1)
    found = await ending(api.take(js.Function.new("return " + source)()))
    exposed.close()
    return found


async def too_many_values():
    return await sent("new Array(1_000_000).fill(0)")


async def too_many_bytes():
    return await sent("[new ArrayBuffer(2 ** 28 + 1)]")


VALUES = [
    None,
    True,
    0,
    -1,
    2**31 - 1,
    2**31,
    -(2**31) - 1,
    2**40 + 1,
    2**53 - 1,
    2**53,
    -(2**70),
    0.5,
    -1e300,
    float("inf"),
    float("-inf"),
    "",
    "text \u00e4\u4e2d\U0001f600 \0",
    [],
    [1, [2, [3, None]]],
    {},
    {"a": {"b": [1, "2", 3.5]}, "__proto__": 1, "constructor": 2},
    {1: "one", 2: ["two"]},
    {1, 2, 3},
]
KINDS = [
    [None, "undefined"],
    [7, "Number"],
    [2**53, "BigInt"],
    ["text", "String"],
    [[None], "Array"],
    [(1, 2), "Array"],
    [{"a": 1}, "Object"],
    [{1: 2}, "Map"],
    [{1}, "Set"],
    [b"bytes", "Uint8Array"],
    [ValueError("no"), "Error"],
]


async def values():
    """Everything that JavaScript can say arrives there as its own type, and comes back equal."""
    api = await ready()
    for value in VALUES:
        back = await api.echo(value)
        if back != value or type(back) is not type(value):
            return [f"sent {value!r}, received {back!r}", 0]
    nan = await api.echo(float("nan"))
    if nan == nan:
        return [f"sent nan, received {nan!r}", 0]
    for value, kind in KINDS:
        found = await api.kind(value)
        if found != kind:
            return [f"expected {value!r} to be a {kind}, it is a {found}", 0]
    if bytes(await api.echo(b"\0\1\xff")) != b"\0\1\xff":
        return ["bytes differ", 0]
    deep = 1
    for _ in range(60):
        deep = [deep]
    if await api.echo(deep) != deep:
        return ["deep lists differ", 0]
    cycle = []
    cycle.append(cycle)
    if not await api.holdsItself(cycle):
        return ["a list that holds itself does not", 0]
    back = await api.echo(cycle)
    if back[0] is not back:
        return ["a list that holds itself came back without itself", 0]
    if (await api.date()).toISOString() != "1970-01-01T00:00:00.000Z":
        return ["a date differs", 0]
    return ["equal", 0]


FAULTS = {
    "values": values,
    "terminated": terminated,
    "terminated under a proxy of its": terminated_under_a_proxy_of_its,
    "terminated under a second endpoint": terminated_under_a_second_endpoint,
    "terminated while it calls back": terminated_while_it_calls_back,
    "uncaught error under a proxy": uncaught_error_under_a_proxy,
    "used after termination": used_after_termination,
    "uncaught error": uncaught_error,
    "source missing": source_missing,
    "import missing": import_missing,
    "closed here": closed_here,
    "released here": released_here,
    "never answered": never_answered,
    "handler unknown there": handler_unknown_there,
    "argument that cannot cross": argument_that_cannot_cross,
    "argument that cannot be cloned": argument_that_cannot_be_cloned,
    "prototype": prototype_of_what_is_exposed,
    "code through a constructor": code_of_what_is_exposed,
    "too many values": too_many_values,
    "too many bytes": too_many_bytes,
}


async def run_all(done):
    found = {}
    for name, fault in FAULTS.items():
        try:
            found[name] = await fault()
        except Exception as exc:
            found[name] = [platform.traceback_text(exc), -1]
    held = comlink.statistics()
    found["pending"] = [str(held["pending"]), 0]
    found["serving"] = [str(held["serving"]), 0]
    done(None, json.dumps(found))


tasks = []


def call(name, values, done):
    tasks.append(asyncio.create_task(run_all(done)))
