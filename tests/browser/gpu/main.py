import asyncio
import json

import farcall
from js import document, window
from pyscript.ffi import create_proxy


async def main():
    trainer = await farcall.connect("trainer")
    data = document.documentElement.dataset
    if "#driven" not in str(window.location.href):
        data.found = json.dumps(await trainer.compare())
        data.phase = "ready"
        return

    going = asyncio.Event()

    async def reached(number):
        """Wait until the test has done what it does at this place of a run."""
        going.clear()
        data.phase = f"death {number}"
        await going.wait()

    async def ask(question, deaths):
        call = trainer.train(deaths, reached) if deaths else trainer.open_gpu()
        data.found = json.dumps(await call)
        data.phase = f"answer {question}"

    window.ask = create_proxy(lambda *given: asyncio.create_task(ask(*given)))
    window.go = create_proxy(going.set)
    data.phase = "ready"


task = asyncio.create_task(main())
