"""The server of three devices: it sees parameters and counts, never an example."""

import asyncio
import json

import farcall
from js import URL, document

ROUNDS, CLIENTS = 4, 3


async def device(number):
    """Start a worker; returns (its client, its Device)."""
    worker = farcall.Worker("./worker.py", config="./worker.toml", type="py")
    await worker.start()
    base = URL.new("./", document.baseURI).href
    data = URL.new("../../../static/vendor/mnist/", base).href
    there = await worker.engine.Device()
    return await there.client(number, base, data), there


async def run():
    pairs = await asyncio.gather(*[device(number) for number in range(CLIENTS)])
    clients = [client for client, _ in pairs]
    server = pairs[0][1]
    examples, losses, parameters = [], [], None
    for client in clients:
        examples.append(await client.examples)
    for _ in range(ROUNDS):
        calls = [client.train(parameters) for client in clients]  # sent: all three train now
        results = []  # MicroPython has no `await` in comprehensions
        for call, count in zip(calls, examples):
            results.append([await call, count])
        parameters = await server.combine(results)
        losses.append(await clients[0].evaluate(parameters))
    return {"losses": losses, "parameters": len(parameters), "examples": examples}


async def main():
    try:
        found = await run()
    except Exception as error:
        found = {"error": str(error), "traceback": getattr(error, "remote_traceback", "")}
    document.documentElement.dataset.found = json.dumps(found)


task = asyncio.create_task(main())
