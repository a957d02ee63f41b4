import js
from farcall import comlink
from polyscript import xworker
from pyodide.ffi import to_js


class Statistics:
    def mean(self, numbers, on_progress):
        total = 0
        for i, number in enumerate(numbers):
            total += number
            on_progress((i + 1) / len(numbers))
        return total / len(numbers)


def open_port():
    """Send the page a port to a Statistics."""
    channel = js.MessageChannel.new()
    comlink.expose(Statistics(), channel.port1)
    js.postMessage("statistics", to_js([channel.port2]))


xworker.sync.open = open_port
