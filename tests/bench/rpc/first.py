"""Notes how long the worker took from its creation to its first answer."""

import asyncio

import answers
import farcall
import js


async def first_call():
    return {"ms": moment}


async def main():
    global moment
    engine = await farcall.connect("far", timeout=60)
    assert await engine.bench.add(1, 2) == 3
    moment = js.performance.now() - js.window.workerStart
    answers.serve({"first_call": first_call})


moment = 0
tasks = [asyncio.create_task(main())]
