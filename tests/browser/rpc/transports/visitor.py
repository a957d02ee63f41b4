"""Waits for the shared worker until this page is gone."""

import asyncio

import farcall
import js
from js import location


async def stay():
    url = js.URL.new("./transports/shared.mjs", location.href).href
    options = js.JSON.parse('{"type": "module", "name": "farcall"}')
    engine = await farcall.connect(js.SharedWorker.new(url, options).port, timeout=20)
    await engine.stay("frame")


task = asyncio.create_task(stay())
