"""Meets every way in which a worker can fail; leaves what each gave as JSON in the page."""

import asyncio
import json

import farcall
from js import document, performance, window


async def caught(awaitable):
    """[class, text, remote traceback, seconds] of the exception; the value if there is none."""
    start = performance.now()
    try:
        return repr(await awaitable)
    except Exception as exc:
        seconds = (performance.now() - start) / 1000
        return [type(exc).__name__, str(exc), getattr(exc, "remote_traceback", ""), seconds]


async def connected(name):
    return await farcall.connect(name, timeout=60)


async def pending_when(name, kill):
    """What a pending call, a later call and a later connect give after kill(engine)."""
    engine = await farcall.connect(name)
    pending = engine.never()
    await engine.ping()
    start = performance.now()
    kill(engine)
    result = [await caught(pending), (performance.now() - start) / 1000]
    try:
        engine.ping()
    except farcall.WorkerDiedError:
        result.append("refused")
    result.append(farcall.session(engine).statistics()["pending"])
    return result


async def twice(name):
    """Two connections to one worker, then one closed: the worker forgets that one."""
    first = await farcall.connect(name)
    second = await farcall.connect(name)
    both = await first.sessions()
    farcall.session(second).close()
    while await first.sessions() > 1:
        await asyncio.sleep(0.01)
    return [both, await first.sessions()]


async def main():
    results = {}
    results["unknown"] = await caught(connected("unknown"))
    for name in ("silent", "missing", "broken"):
        results[name] = await caught(connected(name))
    results["unconfigured"] = await caught(connected("unconfigured"))
    results["inside"] = await caught((await farcall.connect("raw")).connects())
    worker = document.querySelector("script[name=raw]").xworker
    targets = {"nothing": None, "document": document, "window": window, "worker": worker}
    for name, target in targets.items():
        results[name] = await caught(farcall.connect(target, timeout=1))
    results["late"] = await caught(farcall.connect("late", timeout=0.5))
    results["twice"] = await twice("killed")
    results["killed"] = await pending_when("killed", farcall.terminate)
    results["raw"] = await pending_when(
        "raw", lambda e: document.querySelector("script[name=raw]").xworker.terminate()
    )
    results["suicidal"] = await pending_when("suicidal", lambda e: e.die())
    for name in ("killed", "suicidal"):
        results["again " + name] = await caught(connected(name))
    document.getElementById("results").textContent = json.dumps(results)
    document.documentElement.dataset.phase = "done"


task = asyncio.create_task(main())
