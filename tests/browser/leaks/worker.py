"""One method for each kind of thing that crosses, and what this worker holds."""

import asyncio
import gc

import farcall
import js

HELD = ("pending", "serving", "answers", "exports", "imports", "streams")


class Far:
    def add(self, a, b):
        return a + b

    def echo(self, value):
        return value

    async def calls_back(self, callback, n):
        return await callback(n)

    def box(self):
        return Far()

    async def ticks(self, count):
        for n in range(count):
            yield n

    def fail(self):
        raise ValueError("as asked")

    async def forever(self):
        await asyncio.Event().wait()

    async def held(self):
        """Of the page's session without this call, of Python and of JavaScript."""
        import pyodide_js  # not at the top: MicroPython runs this module too

        gc.collect()
        js.gc()
        await asyncio.sleep(0.01)
        gc.collect()
        statistics = farcall.workers.host.sessions[-1].statistics()
        module = pyodide_js._module
        found = {name: statistics[name] for name in HELD}
        found["serving"] -= 1
        found["answers"] -= 1
        found["wasm"] = module.HEAPU8.length
        found["objects"] = len(gc.get_objects())
        found["stack"] = module._emscripten_stack_get_base() - module.stackSave()
        return found


farcall.serve(Far())
