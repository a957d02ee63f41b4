import asyncio

import farcall
from js import document


def show(share):
    document.getElementById("progress").textContent = f"{share:.0%}"


async def main():
    engine = await farcall.connect("library")
    library = engine.Library(["Persuasion", "Emma", "Sense and Sensibility", "Sanditon"])
    async for book in library.search("S", show):
        item = document.createElement("li")
        item.textContent = book
        document.getElementById("found").append(item)
    document.documentElement.dataset.phase = "ready"


task = asyncio.create_task(main())
