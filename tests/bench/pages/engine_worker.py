"""The worker's main script: JSON strings in, JSON strings out, one operation at a time."""

import asyncio
import json
import traceback

import js
from pyodide.ffi import create_proxy

from tests.bench.peers import engine

PREFIX = "bench:"
pending = set()


async def answer(text):
    request = json.loads(text)
    try:
        result = engine.operation(request["operation"])(**request["arguments"])
        result = await result if asyncio.iscoroutine(result) else result
        reply = {"result": result}
    except Exception:
        reply = {"error": traceback.format_exc()}
    js.postMessage(PREFIX + json.dumps(reply))


def on_message(event):
    if isinstance(event.data, str) and event.data.startswith(PREFIX):
        task = asyncio.ensure_future(answer(event.data[len(PREFIX) :]))
        pending.add(task)
        task.add_done_callback(pending.discard)


js.addEventListener("message", create_proxy(on_message))
js.postMessage(PREFIX + "ready")
