"""Interrupts a worker's Python; leaves what its call gave as JSON in the page."""

import asyncio
import json

import farcall
import js
from js import document

# Seconds until a loop is interrupted; tests/support/limit.py measures how slow the machine is.
PATIENCE = 10 * (js.slowness if hasattr(js, "slowness") else 1)


async def main():
    results = []
    begun = []
    # Before the worker is there: a browser that serves many learns of a channel a moment late.
    channel = js.BroadcastChannel.new("begun")
    channel.onmessage = begun.append
    engine = await farcall.connect("spinner")
    for _ in range(3):
        begun.clear()
        spinning = engine.spin()
        while not begun:
            await asyncio.sleep(0.01)
        try:
            farcall.interrupt(engine)
            await asyncio.wait_for(waited(spinning), PATIENCE)
        except Exception as exc:
            results.append([type(exc).__name__, isinstance(exc, farcall.RemoteError)])
        results.append(await engine.square(4))
    document.getElementById("results").textContent = json.dumps(results)
    document.documentElement.dataset.phase = "done"


async def waited(call):
    return await call


task = asyncio.create_task(main())
