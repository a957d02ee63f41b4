"""The worker with nothing but a port: a JSON string each way, arrays copied out and transferred."""

import json

import js
import numpy as np
import served
from polyscript import xworker  # noqa: F401 - polyscript looks this name up at each message
from pyodide.ffi import create_proxy, to_js


def on_call(event):
    number, name, given = json.loads(event.data)
    result = getattr(served, name)(*given)
    if isinstance(result, np.ndarray):
        send_array(number, result)
    else:
        port.postMessage(json.dumps([number, result]))


def send_array(number, array):
    copy = js.Uint8Array.new(array.nbytes)
    copy.assign(array.view(np.uint8))
    port.postMessage(to_js([json.dumps([number, array.size]), copy]), to_js([copy.buffer]))


def on_port(event):
    global port
    if event.data == "port":
        port = event.ports[0]
        port.onmessage = create_proxy(on_call)


port = None
js.addEventListener("message", create_proxy(on_port))
