"""The least that a call from Python costs: a JSON string each way and one future a call."""

import json
import sys

import js
from pyscript import ffi

MICROPYTHON = sys.implementation.name == "micropython"

if MICROPYTHON:

    class Future:
        """A JavaScript promise: MicroPython has no asyncio.Future."""

        def __init__(self):
            deferred = js.Promise.withResolvers()
            self.promise, self.settle = deferred.promise, deferred.resolve
else:
    import asyncio

    class Future:
        """asyncio's."""

        def __init__(self):
            self.promise = asyncio.get_running_loop().create_future()
            self.settle = self.promise.set_result


class RawPort:
    """Calls functions of raw.py's worker."""

    def __init__(self, worker):
        channel = js.MessageChannel.new()
        self.port = channel.port1
        self.waiting = {}
        self.number = 0
        self.keep = ffi.create_proxy(self.on_answer)
        self.port.onmessage = self.keep
        worker.postMessage("port", ffi.to_js([channel.port2]))

    def call(self, name, *given):
        self.number += 1
        future = Future()
        self.waiting[self.number] = future
        self.port.postMessage(json.dumps([self.number, name, given]))
        return future.promise

    def on_answer(self, event):
        data = event.data
        if isinstance(data, str):
            number, result = json.loads(data)
            self.waiting.pop(number).settle(result)
        else:
            number, size = json.loads(data[0])
            self.waiting.pop(number).settle(received(data[1], size))


def received(copy, size):
    """Copy transferred bytes into an array of this side (Pyodide)."""
    import numpy as np

    array = np.empty(size, np.float32)
    copy.assign_to(array.view(np.uint8))
    return array
