"""The playground's worker: Pyodide, NumPy and the engine, without the page's data."""

import js

started = js.performance.now()

import farcall  # noqa: E402 (first: it must listen before the page connects)
import nn  # noqa: E402, F401

from app.lab.browser.begun import Begun  # noqa: E402
from app.lab.playground.session import Playground  # noqa: E402

farcall.serve({"lab": Begun(started, js.performance.now()), "play": Playground()})
