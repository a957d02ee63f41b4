"""Runs every behaviour and leaves the outcomes as JSON in the page."""

import asyncio
import gc
import json

import farcall
import heap
import js
import suite
from js import document, location

# Seconds for one behaviour; tests/support/limit.py measures how slow the machine is.
PATIENCE = 20 * (js.slowness if hasattr(js, "slowness") else 1)


async def outcome(name, engine):
    """Return "passed" or what went wrong."""
    try:
        await asyncio.wait_for(suite.run(name, engine), PATIENCE)
        return "passed"
    except Exception as exc:
        return farcall.platform.traceback_text(exc) + getattr(exc, "remote_traceback", "")


def interrupted(engine):
    """What an interrupt raises on a page that is not isolated."""
    try:
        farcall.interrupt(engine)
    except Exception as exc:
        return f"{type(exc).__name__}: {exc}"


async def main():
    results = {}
    gc.collect()
    if hasattr(gc, "freeze"):  # MicroPython has none: each collection looks at all objects
        gc.freeze()
    try:
        engine = await farcall.connect("far", timeout=60)
        results["interrupt"] = interrupted(engine)
        if farcall.platform.MICROPYTHON:
            await heap.occupy()
        only = location.hash[1:]
        for name in only.split(",") if only else sorted(suite.CASES):
            results[name] = await outcome(name, engine)
            document.title = name
    except Exception as exc:
        results["connect"] = farcall.platform.traceback_text(exc)
    document.getElementById("results").textContent = json.dumps(results)
    document.documentElement.dataset.phase = "done"


task = asyncio.create_task(main())
