"""The engine's rate in each browser engine, as the page itself measures it there.

`Measure this device` of the page trains the seed network first; that row counts. The browsers stay
open and take turns, so that what else the machine does falls on all alike.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable
from contextlib import ExitStack

from tests.support.chromium import Page
from tests.support.firefox import Firefox
from tests.support.view import View
from tests.support.webkit import WebKit

ENGINES: dict[str, Callable[[], View]] = {
    "chromium": Page,
    "firefox": Firefox,
    "webkit": WebKit,
}
ROW = "document.querySelector('#speed-rows td')?.innerText ?? ''"
START_LIMIT, ROW_LIMIT = 90, 60


def opened(name: str, url: str, stack: ExitStack) -> View:
    """Start a browser and wait for the page to be ready."""
    view = ENGINES[name]()
    stack.callback(view.quit)
    view.get(url)
    view.wait_for_phase("ready", timeout=START_LIMIT)
    view.execute_script("document.getElementById('speed').open = true")
    return view


def rate(view: View) -> float:
    """Images a second of the first row that the page measures now."""
    view.click("Measure this device")
    text = view.until(ROW, ROW_LIMIT, "the first row")
    view.click("Stop measuring")
    view.until("!document.getElementById('train').disabled", ROW_LIMIT, "the end of measuring")
    view.execute_script("document.getElementById('speed-rows').replaceChildren()")
    return float(re.sub(r"[^\d.]", "", str(text).split(" ")[0]))


def kernels(view: View) -> str:
    """The kernels in use, as the page's start-up says."""
    script = "return document.querySelector('#phases [data-name=kernels] span').innerText"
    return str(view.execute_script(script)).split(" ")[0]


def measure(url: str, rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    """Give train128.nn.<engine>, the medians of interleaved rounds."""
    with ExitStack() as stack:
        views = {name: opened(name, url, stack) for name in ENGINES}
        say("  " + ", ".join(f"{name}: {kernels(view)}" for name, view in views.items()))
        taken: dict[str, list[float]] = {name: [] for name in views}
        for _ in range(rounds):
            for name, view in views.items():
                taken[name].append(rate(view))
    return {f"train128.nn.{name}": statistics.median(rates) for name, rates in taken.items()}
