"""Interrupts a worker's Python; leaves what its call gave as JSON in the page."""

import asyncio
import json

import farcall
from js import document


async def main():
    results = []
    engine = await farcall.connect("spinner")
    for _ in range(3):
        spinning = engine.spin()
        await asyncio.sleep(0.5)  # spin() has begun, also where many tests run: it cannot say so
        try:
            farcall.interrupt(engine)
            await asyncio.wait_for(waited(spinning), 10)
        except Exception as exc:
            results.append([type(exc).__name__, isinstance(exc, farcall.RemoteError)])
        if results[-1][0] == "RuntimeError":
            farcall.terminate(engine)
            break
        results.append(await engine.square(4))
    document.getElementById("results").textContent = json.dumps(results)
    document.documentElement.dataset.phase = "done"


async def waited(call):
    return await call


task = asyncio.create_task(main())
