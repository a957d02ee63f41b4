"""The page of one participant. Address: ?n=3 is its share of the images, #join=TOKEN its token."""

import asyncio

import farcall
import js
from js import URL, document, location


def shown(state, problem, rounds):
    """Show how the node stands: called by the worker."""
    document.getElementById("state").textContent = state + (": " + problem if problem else "")
    items = document.getElementById("rounds")
    items.replaceChildren()
    for text in rounds:
        item = document.createElement("li")
        item.textContent = text
        items.append(item)
    document.documentElement.dataset.state = state


async def goodbye(device):
    """Keep at hand what says goodbye when the page is closed; it holds for five minutes."""
    while True:
        js.window.farewell = js.JSON.parse(await device.farewell())
        await asyncio.sleep(100)


async def main():
    worker = farcall.Worker("./worker.py", config="./worker.toml", type="py")
    await worker.start()
    device = await worker.engine.Participant(shown)
    query = URL.new(location.href).searchParams
    data = URL.new("../../static/vendor/mnist/", document.baseURI).href
    number = int(query.get("n") or 0)
    await device.prepare(number, data)
    join, leave = document.getElementById("join"), document.getElementById("leave")
    left = asyncio.Event()
    pressed = asyncio.Event()
    join.onclick = lambda event: pressed.set()
    leave.onclick = lambda event: left.set()
    join.disabled = False
    shown("ready", "", [])
    await pressed.wait()
    join.disabled, leave.disabled = True, False
    token = location.hash[6:] if location.hash.startswith("#join=") else ""
    await device.join(query.get("at") or location.origin, token)
    ready = asyncio.create_task(goodbye(device))
    await left.wait()
    ready.cancel()
    leave.disabled = True
    js.window.farewell = None
    await device.leave()


task = asyncio.create_task(main())
