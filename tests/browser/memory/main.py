"""Messages of drawn sizes on a page that has little memory; results as JSON in `window.outcome`."""

import asyncio
import gc
import json
import random

import farcall
import js
from farcall import comlink

ROUNDS = 5
COUNTS = (100, 5_000, 20_000, 60_000, 90_000)  # nested lists: the last is several times what fits
random.seed(int(str(js.location.hash)[1:]))
notes = []
counts = {"arrived": 0, "refused": 0}


async def outcome(call, expected, what):
    """Require the value, or that there was no memory for it."""
    try:
        found = await call
    except (MemoryError, farcall.LimitError):
        counts["refused"] += 1
    except Exception as exc:
        notes.append(f"{what}: {farcall.platform.traceback_text(exc)}"[-400:])
    else:
        if found == expected:
            counts["arrived"] += 1
        else:
            notes.append(f"{what}: expected {expected!r}, received {found!r}"[:300])


async def length(call):
    return len(await call)


async def lengths(stream):
    """Of the items, as far as they come; of two the second may be too large."""
    found = []
    try:
        async for item in stream:
            found.append(len(item))
    except MemoryError:
        counts["refused"] += 1
        found.append("refused")
    return found


async def incoming(engine, count):
    """A result, an argument of a callback and an item of a stream, between small calls."""

    def heard(value, far):
        return len(value)

    first, last = engine.echo(count), engine.echo("last")
    waiting = [
        outcome(length(engine.nested(count)), count, "result"),
        outcome(engine.hand(heard, count), count, "argument of a callback"),
    ]
    stream = asyncio.create_task(lengths(engine.stream(count)))
    for each in waiting:
        await each
    await outcome(first, count, "the call before")
    await outcome(last, "last", "the call behind")
    found = await stream
    if found not in ([2, count], [2, "refused"]):
        notes.append(f"stream: received {found!r}")


async def outgoing(engine, count):
    try:
        value = [[n, [n]] for n in range(count)]
        call = engine.size(value)
    except MemoryError:
        counts["refused"] += 1
        return
    value = None
    await outcome(call, count, "argument")
    await outcome(engine.echo(1), 1, "the call behind an argument")


async def over_comlink(api, count):
    """The same from JavaScript: results, and an argument of a callback, between small calls."""
    first, last = api.echo(count), api.echo("last")
    waiting = [
        outcome(length(api.nested(count)), count, "comlink result"),
        outcome(length(api.text(100 * count)), 100 * count, "comlink text"),
        outcome(api.hand(len, count), count, "argument of a comlink callback"),
    ]
    for each in waiting:
        await each
    await outcome(first, count, "the comlink call before")
    await outcome(last, "last", "the comlink call behind")


async def run():
    engine = await farcall.connect("far", timeout=100)
    api = comlink.wrap(js.Worker.new("./far.mjs", js.JSON.parse('{"type": "module"}')))
    for _ in range(ROUNDS):
        gc.collect()
        await incoming(engine, random.choice(COUNTS))
        await over_comlink(api, random.choice(COUNTS))
        await outgoing(engine, random.choice((100, 5_000, 20_000)))
    for _ in range(200):
        gc.collect()
        if hasattr(js, "gc"):
            js.gc()
        await asyncio.sleep(0.01)
        held = farcall.statistics(engine)
        if not any(held[k] for k in ("pending", "serving", "exports", "imports", "streams")):
            return
    notes.append(f"held: {held!r}")


async def main():
    try:
        await run()
    except Exception as exc:
        notes.append(farcall.platform.traceback_text(exc))
    js.window.outcome = json.dumps(dict(counts, notes=notes))


task = asyncio.create_task(main())
