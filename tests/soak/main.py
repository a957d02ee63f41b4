"""The soak's page: rounds of random programs, with and without faults, until the time is over.

Runs on MicroPython and on Pyodide. Each round has programs over farcall's own protocol with a
Pyodide worker and, beside them, over Comlink's with a JavaScript worker. `window.soak` holds the
counters as JSON after each round.
"""

import asyncio
import gc
import random

import bank as local
import comlink_programs
import counters
import drawn
import farcall
import js
import programs
from counters import PATIENCE, answered, count, ended, note, publish
from farcall import comlink, platform

ACTORS = 4
COMLINK_ACTORS = 2
SABOTAGE = 0.4  # of the rounds, in each dialect
# Sabotage comes after a time, so that on a slow machine a sabotaged round has few calls: rounds
# follow until so many calls and faults were tried.
LEAST = {"calls": 101, "comlink_calls": 101, "faults": 21}
START = 300  # seconds for a worker on a busy machine
HELD = ("pending", "serving", "exports", "imports", "streams")

query = js.URLSearchParams.new(js.location.search)
SECONDS = float(str(query.get("seconds")))
ROUNDS = int(str(query.get("rounds")))
random.seed(int(str(query.get("seed"))))


def started(coroutines):
    return [asyncio.create_task(c) for c in coroutines]


async def native_round(worker):
    """Programs with the Pyodide worker; True if it is to be replaced."""
    bank = worker.engine
    session = farcall.session(bank)
    state = {"faulty": False}
    tasks = started([programs.actor(bank, state) for _ in range(ACTORS)])
    if random.random() < SABOTAGE:
        tasks += started([programs.saboteur(session, state)])
    while tasks:
        await tasks.pop()
    bank = None
    forget_failed_task()
    if not state["faulty"]:
        await nothing_held(session)
        return False
    if not await ended(lambda: session.error is not None and not session.statistics()["pending"]):
        note("hangs", f"session: {session.error!r}, {session.statistics()!r}")
    return True


async def comlink_round(api):
    """Programs with the JavaScript worker; True if it is to be replaced."""
    state = {"faulty": False}
    tasks = started([comlink_programs.actor(api, state) for _ in range(COMLINK_ACTORS)])
    tasks += started([comlink_programs.driven(api, state, local.Bank())])
    if random.random() < SABOTAGE:
        tasks += started([comlink_programs.saboteur(api, state)])
    while tasks:
        await tasks.pop()
    forget_failed_task()
    if state["faulty"]:
        comlink.terminate(api)
    else:
        await answered(api.collect(), "collection in the JavaScript worker")
    await nothing_wrapped(0 if state["faulty"] else 1)
    return state["faulty"]


def forget_failed_task():
    """MicroPython's asyncio keeps the last task that failed unawaited, with all it refers to."""
    context = getattr(getattr(asyncio, "core", None), "_exc_context", None)
    if context is not None:
        context["future"] = context["exception"] = None


async def collected():
    """Give both collectors, and the messages that follow from them, a turn."""
    forget_failed_task()
    gc.collect()
    if hasattr(js, "gc"):
        js.gc()
    await asyncio.sleep(0.02)


async def nothing_held(session):
    until = counters.lived[0] + PATIENCE
    while counters.lived[0] < until:
        await collected()
        far = await answered(session.root.held(), "statistics of the worker")
        near = session.statistics()
        found = [near[k] for k in HELD] + [far[k] for k in HELD if k != "serving"]
        found.append(far["running"])
        if not any(found):
            return
    held = sorted(session.tables.imports.held)
    note("leaks", f"page {[near[k] for k in HELD]}, worker {far!r}, objects {held}")


async def greeted(worker):
    """Answer the connection's first call, which `reply_twice` then answers again."""
    counters.expect(await worker.engine.echo(1), 1, "first call")


async def one_lives():
    """Every worker that was replaced is gone: the living ones hold a lock each."""
    until = counters.lived[0] + PATIENCE
    while counters.lived[0] < until:
        locks = (await js.navigator.locks.query()).held
        if len([n for n in range(locks.length) if "farcall-" in str(locks[n].name)]) == 1:
            return
        await asyncio.sleep(0.02)
    note("leaks", f"{locks.length} workers live")


async def nothing_wrapped(roots):
    expected = {"exposed": 0, "wrapped": roots, "pending": 0, "serving": 0}
    until = counters.lived[0] + PATIENCE
    while comlink.statistics() != expected:
        if counters.lived[0] > until:
            note("leaks", f"comlink {comlink.statistics()!r}, expected {expected!r}")
            return
        await collected()


async def main():
    worker = farcall.Worker("./worker.py", config="./worker.toml", timeout=START)
    worker._options.update({"on_error": lambda exc, whence: None, "limits": drawn.LIMITS})
    await worker.start()
    await greeted(worker)
    api = comlink_programs.start()
    watching = asyncio.create_task(counters.live())
    began = platform.clock()
    while left(began):
        native, beside = started([native_round(worker), comlink_round(api)])
        if await beside:
            count("restarts")
            api = comlink_programs.start()
        if await native:
            count("restarts")
            await worker.restart()
            await one_lives()
            await greeted(worker)
        count("rounds")
        counters.sample()
        publish("running")
    watching.cancel()
    publish("done", {"seconds": int(platform.clock() - began)})


def left(began):
    found = counters.counters
    tried = dict(found, faults=sum(counters.faults.values()))
    few = any(tried[name] < least for name, least in LEAST.items())
    more = platform.clock() - began < SECONDS or found["rounds"] < ROUNDS
    return (more or few) and not found["hangs"]


async def guarded():
    publish("starting")
    try:
        await main()
    except Exception as exc:
        note("wrong", platform.traceback_text(exc)[-1500:])
        publish("failed")


task = asyncio.create_task(guarded())
