import asyncio

import farcall
from js import document


async def main():
    worker = await farcall.connect("primes")
    async for prime in worker.primes():
        item = document.createElement("li")
        item.textContent = str(prime)
        document.getElementById("primes").append(item)
        if prime > 30:
            break  # the generator in the worker ends too
    document.documentElement.dataset.phase = "ready"


task = asyncio.create_task(main())
