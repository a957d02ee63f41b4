import asyncio

import farcall
from js import document


async def main():
    pool = await farcall.Pool(2, "./worker.py", config="./config.toml").start()
    squares = await pool.map(lambda worker, number: worker.square(number), range(10))
    for square in squares:
        item = document.createElement("li")
        item.textContent = str(square)
        document.getElementById("squares").append(item)
    document.getElementById("workers").textContent = f"{len(pool.workers)} workers"
    pool.terminate()
    document.documentElement.dataset.phase = "ready"


task = asyncio.create_task(main())
