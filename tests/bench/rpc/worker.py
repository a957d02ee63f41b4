"""The far side of every measurement: farcall, PyScript's own workers, raw messages."""

import json

import farcall
import js
import numpy
from pyodide.ffi import create_proxy, to_js


def echo(value):
    return value


class Bench:
    """What the page measures against."""

    def __init__(self):
        self._array = None

    def echo(self, value):
        return value

    def make(self, megabytes):
        self._array = numpy.ones(megabytes * 250_000, numpy.float32)

    def give(self):
        return self._array

    def take(self, array):
        return int(array.nbytes)

    def ticks(self, count):
        yield from range(count)

    def calls(self, function, count):
        for i in range(count):
            function(i)

    def open_raw(self):
        channel = js.MessageChannel.new()
        self._port = channel.port1
        self._keep = create_proxy(self._on_raw)
        self._port.onmessage = self._keep
        js.postMessage("raw", to_js([channel.port2]))

    def _on_raw(self, event):
        data = event.data
        if isinstance(data, str):
            number, value = json.loads(data)
            self._port.postMessage(json.dumps([number, value]))
        elif data.length:
            self._bare(data)
        else:
            self._bare_give()

    def _bare(self, data):
        """The least that brings an array in: one copy out of the transferred buffer."""
        array = numpy.empty(data.length, numpy.float32)
        data.assign_to(array)
        self._array = array
        self._port.postMessage("[0, 0]")

    def _bare_give(self):
        """The least that sends an array: one copy into a fresh buffer, transferred."""
        buffer = js.Float32Array.new(self._array.size)
        buffer.assign(self._array)
        self._port.postMessage(buffer, to_js([buffer.buffer]))


def give_array():
    return bench._array


bench = Bench()
__export__ = ["echo", "give_array"]
farcall.serve({"bench": bench})
