import asyncio

import farcall
from js import document
from pyscript import when

button = document.getElementById("stop")


def show(ticks):
    document.getElementById("ticks").textContent = str(ticks)


async def main():
    worker = await farcall.connect("clock")

    async def count():
        await worker.count(show)

    counting = asyncio.create_task(count())

    @when("click", "#stop")
    def stop(event):
        counting.cancel()

    button.disabled = False
    try:
        await counting
    except asyncio.CancelledError:
        button.disabled = True
    ticks = await worker.ending()
    document.getElementById("end").textContent = f"cancelled in the worker at {ticks}"
    document.documentElement.dataset.phase = "ready"


task = asyncio.create_task(main())
