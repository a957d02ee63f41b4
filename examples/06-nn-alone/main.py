import asyncio

from js import document
from pyscript import workers


async def main():
    trainer = await workers["trainer"]  # PyScript's own calls: this page has no farcall
    *answers, loss = await trainer.learn()
    for answer in answers:
        item = document.createElement("li")
        item.textContent = str(bool(answer))
        document.getElementById("answers").append(item)
    document.getElementById("loss").textContent = f"{loss:.4f}"
    document.documentElement.dataset.phase = "ready"


task = asyncio.create_task(main())
