"""The engine's rate in each browser engine, in the page's own worker and in the bench's.

The browsers stay open and take turns, and each step of the seed network is timed by itself, on an
isolated page because clocks are coarse elsewhere. The step that a fifth of all are faster than
counts: what else the machine does makes some steps longer, by more where other threads of a
browser help out, and it is not the engine's (three interleaved rounds of 0.1 s on a busy machine
gave Firefox anything from 0.5 to 1.2 of Chromium's rate, this 0.97 to 0.99). Predictions for
photographs, which take longer, are timed one by one too: the median of each round counts.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.bench import photographs
from tests.bench.drive import PeerError
from tests.bench.rpc import ISOLATED
from tests.support.chromium import Page
from tests.support.firefox import Firefox
from tests.support.site import Site
from tests.support.view import View
from tests.support.webkit import WebKit

ENGINES: dict[str, Callable[[], View]] = {
    "chromium": Page,
    "firefox": Firefox,
    "webkit": WebKit,
}
START_LIMIT = 90
ANSWERS = 15  # predictions of a photograph in a round
STEPS = 300  # 0.8 s of them, after as many for the compilers' higher tiers
# Goes before the last line of the page's worker.
TIMED = """
import json, time
from pyodide.ffi import create_proxy
from app.lab import speed

channel = js.BroadcastChannel.new("steps")

def timed(event):
    _, size, layers = speed.TRAINED[0]
    trainer = speed.Workload(layers, mnist.train, size)
    clock = []
    for _ in range(2 * event.data):
        trainer.step()
        clock.append(time.perf_counter())
    channel.postMessage(json.dumps([size, clock[event.data :]]))

channel.onmessage = keep = create_proxy(timed)
"""
ASK = """
const channel = new BroadcastChannel("steps");
return new Promise((done) => {
  channel.onmessage = ({ data }) => { channel.close(); done(data) };
  channel.postMessage(arguments[0]);
});
"""
# Waits for the page's script, then asks the engine's worker.
CALL = """
const [operation, given] = arguments;
const ready = async () => {
  while (!window.call) await new Promise((next) => setTimeout(next, 20));
};
return ready().then(() => window.call(operation, given));
"""


def isolated() -> Site:
    """The page, whose worker also times steps."""
    site = Site(headers=ISOLATED)
    last = "farcall.serve("
    site.replace("py/app/worker.py", lambda text: text.replace(last, f"{TIMED}\n{last}"))
    return site


def opened(url: str, stack: ExitStack) -> dict[str, View]:
    """Start all browsers with a page."""
    views = {}
    for name, start in ENGINES.items():
        views[name] = view = start()
        stack.callback(view.quit)
        view.get(url)
    return views


def asked(view: View, operation: str, **given: Any) -> Any:
    """Run an operation in the worker of the bench's page.

    Raises:
        PeerError: it failed there.
    """
    answer = view.execute_script(CALL, f"photographs.{operation}", given)
    if "error" in answer:
        raise PeerError(f"{type(view).__name__}: {answer['error']}")
    return answer["result"]


def rate(view: View) -> float:
    """Images a second of the steps that little else held up."""
    size, clock = json.loads(view.execute_script(ASK, STEPS))
    steps = [after - before for before, after in pairwise(clock)]
    return float(size / statistics.quantiles(steps, n=5)[0])


def kernels(view: View) -> str:
    """The kernels in use, as the page's start-up says."""
    script = "return document.querySelector('#phases [data-name=kernels] span').textContent"
    return str(view.execute_script(script)).split(" ")[0]


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    """Return train128.nn.<engine>, the medians of interleaved rounds."""
    with closing(isolated()) as site, ExitStack() as stack:
        views = opened(site.url, stack)
        for view in views.values():
            view.wait_for_phase("ready", timeout=START_LIMIT)
        say("  " + ", ".join(f"{name}: {kernels(view)}" for name, view in views.items()))
        taken: dict[str, list[float]] = {name: [] for name in views}
        for _ in range(rounds):
            for name, view in views.items():
                taken[name].append(rate(view))
    return {f"train128.nn.{name}": statistics.median(rates) for name, rates in taken.items()}


def predicting(rounds: int, data: Path) -> dict[str, list[float]]:
    """Return the ms of one photograph, <network>.predict1_ms.nn.<engine>, in each round.

    Args:
        rounds: how many; the browsers take turns in each.
        data: the folder of the bench's data, on this site.
    """
    taken: dict[str, list[float]] = {}
    with closing(Site(headers=ISOLATED)) as site, ExitStack() as stack:
        views = opened(f"{site.url}tests/bench/pages/engine.html", stack)
        for network in photographs.NETWORKS:
            photographs.write(data, network)
            for view in views.values():
                asked(view, "load", network=network, folder=f"{site.url}build/bench/data/")
                asked(view, "predict", network=network, batch=1, count=3)
            for _ in range(rounds):
                for name, view in views.items():
                    made = asked(view, "predict", network=network, batch=1, count=ANSWERS)
                    taken.setdefault(f"{network}.predict1_ms.nn.{name}", []).append(made["ms"])
    return taken
