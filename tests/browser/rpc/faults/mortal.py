"""Serves, and ends when asked to."""

import asyncio

import farcall
from js import globalThis


async def never():
    await asyncio.sleep(3600)


def die():
    globalThis.close()


def ping():
    return "pong"


def is_serving():
    return len(farcall.workers.host.sessions)


async def connects():
    return await farcall.connect("raw")


served = {"never": never, "die": die, "ping": ping, "sessions": is_serving, "connects": connects}
farcall.serve(served)
