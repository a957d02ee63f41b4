"""The worker: Pyodide, NumPy, the engine and the data, served to the page by one call."""

import js

started = js.performance.now()

import farcall  # noqa: E402 (first: it must listen before the page connects)
import nn  # noqa: E402

from app.lab.images.mnist import Mnist  # noqa: E402
from app.lab.start import Lab  # noqa: E402

mnist = Mnist()
farcall.serve({"nn": nn, "mnist": mnist, "lab": Lab(mnist, started, js.performance.now())})
