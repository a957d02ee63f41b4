"""So many calls of every kind as the address says, and what both sides hold before and after.

The page has it as JSON. Runs on MicroPython and on Pyodide.
"""

import asyncio
import gc
import json

import farcall
import js
from farcall import platform
from heap import collected, occupy

HELD = ("pending", "serving", "answers", "exports", "imports", "streams")
BESIDE = 8  # programs at once
# How many times slower this machine is than a quiet one, as tests/support/limit.py measures.
SLOWNESS = js.slowness if hasattr(js, "slowness") else 1
PATIENCE = 20.0 * SLOWNESS  # seconds for collectors to find what is held no longer


async def call(root, n):
    return await root.add(n, 1) == n + 1


async def octets(root, n):
    return len(await root.echo(bytes([n % 256] * (n % 300)))) == n % 300


async def callback(root, n):
    return await root.calls_back(lambda k: k * 2, n) == 2 * n


async def proxy(root, n):
    box = await root.box()
    return await box.add(n, 2) == n + 2


async def released_proxy(root, n):
    farcall.release(await root.box())
    return True


async def pipeline(root, n):
    return await root.box().box().add(n, 3) == n + 3


async def stream(root, n):
    heard = []
    async for k in root.ticks(3):
        heard.append(k)
    return heard == [0, 1, 2]


async def abandoned_stream(root, n):
    async for k in root.ticks(10_000):
        if k == 3:
            break
    return k == 3


async def failure(root, n):
    try:
        await root.fail()
    except ValueError:
        return True
    return False


async def time_out(root, n):
    try:
        await farcall.options(root.forever, timeout=0.001)()
    except farcall.TimeoutError:
        return True
    return False


# Time-outs and abandoned streams cost the most time, and one of each in twenty leaks as well.
KINDS = (call, octets, callback, proxy, released_proxy, pipeline, stream, failure) * 2
KINDS += (call, call, abandoned_stream, time_out)


async def program(root, first, count):
    """Every BESIDE-th of the calls."""
    for n in range(first, count, BESIDE):
        kind = KINDS[n // BESIDE % len(KINDS)]
        if not await kind(root, n):
            raise AssertionError(kind.__name__)


async def run(root, count):
    tasks = [asyncio.create_task(program(root, first, count)) for first in range(BESIDE)]
    while tasks:
        await tasks.pop()


def memory():
    """What this page holds; of each kind, how much shows a leak."""
    found = {"javascript": js.performance.memory.usedJSHeapSize}
    if platform.MICROPYTHON:
        import jsffi

        _, used, _, _, in_javascript, _, of_javascript = jsffi.mem_info()
        found.update({"used": used, "in_javascript": in_javascript})
        found["of_javascript"] = of_javascript
        return found
    import pyodide_js

    module = pyodide_js._module
    found["wasm"] = module.HEAPU8.length
    found["objects"] = len(gc.get_objects())
    found["stack"] = module._emscripten_stack_get_base() - module.stackSave()
    return found


async def held(root):
    """Both sides, once their tables are empty or it has taken too long."""
    session = farcall.session(root)
    until = platform.clock() + PATIENCE
    while True:
        for _ in range(3):
            await collected()
        far = await root.held()
        statistics = session.statistics()
        near = {name: statistics[name] for name in HELD}
        if platform.clock() > until or not any(list(near.values()) + [far[k] for k in HELD]):
            near.update(memory())
            return {"near": near, "far": far}


RESTARTS = 6
LIVING = 2  # workers: the page's own, and the one that is restarted


async def restarts():
    """What a worker that is restarted leaves on this page: of JavaScript, and of farcall."""
    worker = farcall.Worker("./worker.py", config="./mpy.toml", type="mpy")
    await worker.start()
    found = []
    for count in (2, RESTARTS):
        for _ in range(count):
            await worker.restart()
            await worker.engine.add(1, 2)
        await asyncio.sleep(1.5 * SLOWNESS)  # what closed sessions free, they free after a second
        until = platform.clock() + PATIENCE
        for _ in range(5):
            await collected()
        while js.livingWorkers() > LIVING and platform.clock() < until:
            await collected()
        found.append(memory())
        found[-1]["living"] = living()
        found[-1]["workers"] = js.livingWorkers()
    worker.terminate()
    return found


def living():
    """Engines and sessions in memory, where Python can tell."""
    if platform.MICROPYTHON:
        return []
    names = [type(o).__name__ for o in gc.get_objects()]
    return [names.count("Engine"), names.count("Session")]


def spares():
    """How many buffers are kept of those that came back: by number, by size, and small ones."""
    javascript = platform.javascript

    def kept(lengths):
        for length in lengths:
            javascript.spare(js.Uint8Array.new(length))
        return javascript.spares()

    small = kept([1000, 65535])
    return [small, kept([65536] * 12), kept([100 * 2**20] * 4)]


async def main():
    root = await farcall.connect("far")
    if platform.MICROPYTHON:
        await occupy()
    await run(root, 1000)
    before = await held(root)
    began = platform.clock()
    await run(root, int(str(js.location.hash)[1:]))
    seconds = platform.clock() - began
    found = {"before": before, "after": await held(root), "seconds": seconds}
    found["spares"] = spares()
    found["restarts"] = await restarts()
    js.window.leaks = json.dumps(found)


async def guarded():
    try:
        await main()
    except Exception as exc:
        js.window.leaks = json.dumps({"failed": platform.traceback_text(exc)})


task = asyncio.create_task(guarded())
