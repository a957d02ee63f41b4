"""Connects to the SharedWorker and stays until its page is taken away."""

import asyncio

import farcall
import js


async def main():
    url = js.URL.new("./transports/shared.mjs", js.location.href).href
    options = js.JSON.parse('{"type": "module", "name": "farcall"}')
    engine = await farcall.connect(js.SharedWorker.new(url, options).port, timeout=20)
    await engine.visit("in a frame")


task = asyncio.create_task(main())
