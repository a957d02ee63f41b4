"""A worker where there are no Web Locks, as on plain http; can be told to die."""

import asyncio

from js import Function, globalThis

Function.new("Object.defineProperty(WorkerNavigator.prototype, 'locks', {value: undefined})")()

import farcall  # noqa: E402 (it looks for locks)


async def never():
    await asyncio.sleep(3600)


def die():
    globalThis.close()


def ping():
    return "pong"


farcall.serve({"never": never, "die": die, "ping": ping})
