"""What the soak counts, and how it tells a hang from a slow machine. MicroPython and Pyodide."""

import asyncio
import gc
import json

import farcall
import js
from farcall import platform

# Seconds after which an await counts as a hang. They are of the page's own life: however late a
# tick of the event loop comes on a busy machine, it counts as LONGEST_TICK at most.
PATIENCE = 60.0
TICK = 0.1
LONGEST_TICK = 0.3

ZERO = ("hangs", "leaks", "wrong")
counters = {"calls": 0, "comlink_calls": 0, "rounds": 0, "restarts": 0}
counters.update(dict([(name, 0) for name in ZERO]))
faults = {}
notes = []
watches = []
lived = [0.0]
heap = {"every": 1, "samples": []}  # at most twice SAMPLES, evenly spread over the rounds
SAMPLES = 12


class Hung(Exception):
    """An await that did not end in time."""


class Watch:
    """A task that waits, and until when it may."""

    def __init__(self, what):
        self.task = asyncio.current_task()
        self.what = what
        self.until = lived[0] + PATIENCE
        self.overdue = False


def count(name, by=1):
    counters[name] += by


def fault(name):
    faults[name] = faults.get(name, 0) + 1


def note(kind, text):
    """Count a finding and keep its text, of the first ones."""
    count(kind)
    if len(notes) < 8 or (kind != "wrong" and len(notes) < 20):
        notes.append(kind + ": " + text)


def memory():
    """What this page holds: kB of JavaScript, kB of Python, and what shows its leaks best."""
    found = {"javascript_kB": js.performance.memory.usedJSHeapSize // 1024}
    if platform.MICROPYTHON:
        import jsffi

        total, used, _, _, in_javascript, _, of_javascript = jsffi.mem_info()
        found.update({"python_kB": total // 1024, "used_kB": used // 1024})
        found.update({"held_by_javascript": in_javascript, "held_of_javascript": of_javascript})
        return found
    import pyodide_js

    module = pyodide_js._module
    found["python_kB"] = module.HEAPU8.length // 1024
    found["objects"] = len(gc.get_objects())
    found["stack_bytes"] = module._emscripten_stack_get_base() - module.stackSave()
    return found


def sample():
    """Keep what is held after this round, if it is one of the kept."""
    if counters["rounds"] % heap["every"]:
        return
    kept = heap["samples"]
    kept.append(dict(memory(), rounds=counters["rounds"]))
    if len(kept) == 2 * SAMPLES:
        heap["every"] *= 2
        heap["samples"] = [s for s in kept if s["rounds"] % heap["every"] == 0]


def publish(state, more=None):
    """Leave everything for the driver of the browser."""
    found = dict(counters)
    found["faults"] = faults
    found["notes"] = notes
    found["heap"] = heap["samples"]
    found["state"] = state
    found.update(more or {})
    js.window.soak = json.dumps(found)


def expect(actual, expected, what):
    if actual != expected:
        note("wrong", f"{what}: expected {expected!r}, received {actual!r}"[:400])


async def answered(awaitable, what, counter="calls"):
    """The result; an await that does not end is a hang."""
    watch = Watch(what)
    watches.append(watch)
    try:
        result = await awaitable
    except asyncio.CancelledError:
        if not watch.overdue:
            raise
        raise Hung(what)  # noqa: B904 - MicroPython has no `from`
    finally:
        watches.remove(watch)
    count(counter)
    return result


async def live():
    """Let time pass for the watches, and end those that are overdue."""
    last = platform.clock()
    while True:
        await asyncio.sleep(TICK)
        now = platform.clock()
        lived[0] += min(now - last, LONGEST_TICK)
        last = now
        for watch in [w for w in watches if w.until < lived[0] and not w.overdue]:
            watch.overdue = True
            note("hangs", watch.what)
            watch.task.cancel()


async def ended(condition):
    """Whether something comes about before it would count as a hang."""
    until = lived[0] + PATIENCE
    while not condition():
        if lived[0] > until:
            return False
        await asyncio.sleep(0.01)
    return True


async def raised(awaitable, kinds, what, counter="calls"):
    """Require one of these exceptions."""
    try:
        found = await answered(awaitable, what, counter)
    except farcall.WorkerDiedError:
        raise
    except kinds:
        count(counter)
        return
    note("wrong", f"{what}: expected an error, received {found!r}"[:400])
