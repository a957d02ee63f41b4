"""The worker: Pyodide, NumPy, the engine, the data. One line hands it all to the page."""

import js

started = js.performance.now()

import farcall  # noqa: E402 (first: its listener must be there before the page knocks)
import nn  # noqa: E402

from app.lab.bench import Bench  # noqa: E402
from app.lab.mnist import Mnist  # noqa: E402
from app.lab.network import Insight  # noqa: E402
from app.lab.speed import Speed  # noqa: E402

mnist = Mnist()
lab = Bench(mnist, started, js.performance.now())
served = {"nn": nn, "mnist": mnist, "lab": lab}
farcall.serve({**served, "insight": Insight(mnist), "speed": Speed(mnist)})
