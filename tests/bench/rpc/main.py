"""The main thread's side, the same source on MicroPython and Pyodide."""

import asyncio

import answers
import farcall
import js
from pyscript import workers
from rawport import RawPort

now = js.performance.now
peers = {}


async def info():
    return {"isolated": bool(js.window.crossOriginIsolated)}


async def latency(peer, calls):
    """Sequential round trips in ms, each one measured and its result checked."""
    call = peers[peer]
    samples = []
    for i in range(calls):
        start = now()
        value = await call(i, 1)
        samples.append(now() - start)
        assert value == i + 1, value
    samples.sort()
    at = lambda share: samples[int(len(samples) * share)]  # noqa: E731
    return {"p50": at(0.5), "p95": at(0.95), "p99": at(0.99)}


async def rate(in_flight, seconds):
    """Calls a second over farcall, always sent `in_flight` at a time."""
    bench, calls, start = engine.bench, 0, now()
    while now() - start < seconds * 1000:
        sent = [bench.add(calls, i) for i in range(in_flight)]
        for i in range(in_flight):
            assert await sent[i] == calls + i
        calls += in_flight
    return {"rate": calls / (now() - start) * 1000}


async def callbacks(count, wave):
    """Calls a second from the worker to a function of this page."""
    seen = []
    start = now()
    await engine.bench.call_back(seen.append, count, wave)
    elapsed = now() - start
    assert sorted(seen) == list(range(count)), len(seen)
    return {"rate": count / elapsed * 1000}


async def stream(count):
    """Items a second of a generator in the worker."""
    total, start = 0, now()
    async for item in engine.bench.numbers(count):
        total += item
    elapsed = now() - start
    assert total == count * (count - 1) // 2, total
    return {"rate": count / elapsed * 1000}


async def prepare(peer, megabytes):
    await preparing[peer](megabytes)
    return {}


async def array(peer, megabytes):
    """Milliseconds until a float32 array of the worker is an array of this side."""
    start = now()
    value = await giving[peer](megabytes)
    elapsed = now() - start
    assert len(value) == megabytes * 250_000, len(value)
    return {"ms": elapsed}


async def prepare_text(peer, characters):
    await bringing[peer].prepare_text(characters)
    return {}


async def bring(peer, kind, size):
    """Milliseconds until a value of the worker has come and been read, and this page's pause."""
    give, read = getattr(bringing[peer], kind), reading[kind, peer]
    await asyncio.sleep(0.05)
    stop, start = js.beats(), now()
    count = read(await give(size))
    elapsed, blocked = now() - start, stop()
    assert count == size, (kind, peer, count)
    return {"ms": elapsed, "block_ms": blocked}


def read_rows(rows):
    """How many there are, having read each one's fields."""
    total = 0
    for row in rows:
        total += row["id"] + len(row["name"]) + row["value"] + row["ok"]
    assert total > 0
    return len(rows)


def read_named_rows(rows):
    """The same of JavaScript's objects, on Pyodide of what becomes of them."""
    if hasattr(rows, "to_py"):
        return read_rows(rows.to_py())
    total = 0
    for row in rows:
        total += row.id + len(row.name) + row.value + row.ok
    assert total > 0
    return rows.length


async def named_array(megabytes):
    import numpy as np

    return np.asarray((await named.give(megabytes)).to_py())


async def main():
    global engine, named
    engine = await farcall.connect("far", timeout=60)
    named = await workers["named"]
    await workers["raw"]
    raw = RawPort(js.document.querySelector("script[name=raw]").xworker)
    bench = engine.bench
    peers["farcall"] = bench.add
    peers["raw"] = lambda a, b: raw.call("add", a, b)
    peers["pyscript_workers"] = named.add
    preparing["farcall"], giving["farcall"] = bench.prepare, bench.give
    preparing["limit"] = lambda megabytes: raw.call("prepare", megabytes)
    giving["limit"] = lambda megabytes: raw.call("give", megabytes)
    preparing["pyscript_workers"], giving["pyscript_workers"] = named.prepare, named_array
    bringing["farcall"], bringing["pyscript_workers"] = bench, named
    answers.serve(
        {
            "info": info,
            "latency": latency,
            "rate": rate,
            "callbacks": callbacks,
            "stream": stream,
            "prepare": prepare,
            "array": array,
            "prepare_text": prepare_text,
            "bring": bring,
        }
    )


preparing, giving, bringing = {}, {}, {}
reading = {
    ("text", "farcall"): len,
    ("text", "pyscript_workers"): len,
    ("raw", "farcall"): len,
    ("rows", "farcall"): read_rows,
    ("rows", "pyscript_workers"): read_named_rows,
}
engine = named = None
tasks = [asyncio.create_task(main())]
