import asyncio

import farcall
from js import document
from pyscript import when

said = document.getElementById("said")
reading = None


def show(share):
    document.getElementById("progress").value = share


async def read(file):
    try:
        means = await worker.means(file, show)
    except asyncio.CancelledError:
        said.textContent = "stopped"
    except ValueError as error:
        said.textContent = f"not a table of numbers: {error}"
    else:
        said.textContent = ", ".join([f"{name} {mean:.2f}" for name, mean in means])


@when("change", "#picked")
def picked(event):
    global reading
    reading = asyncio.create_task(read(event.target.files.item(0)))


@when("click", "#stop")
def stop(event):
    if reading is not None:
        reading.cancel()


async def main():
    global worker
    worker = await farcall.connect("tables")
    document.getElementById("picked").disabled = False
    document.documentElement.dataset.phase = "ready"


starting = asyncio.create_task(main())
