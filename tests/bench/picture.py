"""What the network's picture costs: the page's main thread for a report, the worker for training.

`page.picture_ms` is the processor time that scripts take for one report: the message, and the
pixels, wires, bars and words that MicroPython puts. The worker trains and sends the reports by
itself, twelve a second at most, so that neither the pen nor the curves are in it. Each report has
other weights and another image: more moves than in training, where the image stays, or under the
pen, where the weights stay.

`page.picture_training` is the rate of a run with the picture over its rate without, in turn.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

from tests.support.chromium import Page
from tests.support.site import Site

# Runs before anything of the page: counts the reports that are painted.
WATCH = """
globalThis.reports = 0;
let painting = false;
const put = CanvasRenderingContext2D.prototype.putImageData;
CanvasRenderingContext2D.prototype.putImageData = function (...given) {
    if (this.canvas.closest("#picture") && !painting) {
        painting = true;
        queueMicrotask(() => { painting = false; globalThis.reports++; });
    }
    return put.apply(this, given);
};
"""
# Runs before the worker's own code: "A test image" begins a run that nothing but reports tells of.
RUN = """
import asyncio
from app.lab import picture as _picture
from app.lab.images.mnist import scaled as _scaled
_next_image = _picture.Picture.next_image
def _changes(self, model):
    self._index = (self._index + 1) % len(self._mnist.test)
    self._take(None, 0)
    self._truth = _picture.UNKNOWN
    self.activations.read(_scaled(self.image[None]))
    return self._report(self.activations)
async def _run(self):
    data = self._mnist.train
    model = self.reporter._followed
    model.compile("adam", "sparse_categorical_crossentropy")
    await model.fit(_scaled(data.x[..., 0]), data.y.reshape(-1), epochs=100, batch_size=128,
                    callbacks=[self.reporter], verbose=0)
def _begun(self):
    self._running = asyncio.ensure_future(_run(self))
    return _next_image(self)
_picture.Picture._changes = _changes
_picture.Picture.next_image = _begun
"""
READY = "!document.getElementById('train').disabled"
LIMIT = 60
REPORTS, WARM = 60, 12
# Shows or hides the picture, and has the page notice.
SHOW = """
document.getElementById("picture").hidden = !arguments[0];
document.dispatchEvent(new Event("visibilitychange"));
"""
# Batches of the run so far, the moment, and whether an epoch's test is on.
BATCHES = """
const [epoch, batch] = ["epoch", "batch"].map(
    (name) => document.querySelector(`output[name=${name}]`).textContent.split("/").map(
        (text) => parseInt(text.replaceAll(",", ""))));
return [(epoch[0] - 1) * batch[1] + batch[0], performance.now() / 1000];
"""
TURNS, WINDOW = 8, 2.0


def measure() -> dict[str, float]:
    """Return the figures."""
    site = Site()
    try:
        return _measured(site, _report) | _measured(site, _training)
    finally:
        site.close()


def _measured(site: Site, figures: Callable[[Site, Page], dict[str, float]]) -> dict[str, float]:
    """Return the figures of a visitor with a fresh profile."""
    page = Page()
    try:
        return figures(site, page)
    finally:
        page.quit()
        site.replaced.clear()


def _report(site: Site, page: Page) -> dict[str, float]:
    """Return the cost of a report, after some that warm up."""
    site.replace("py/app/worker.py", lambda text: RUN + text)
    page.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
    page.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    page.get(site.url)
    page.until(f"{READY} && globalThis.reports > 0", LIMIT)
    page.execute_script("document.getElementById('try-test').click()")
    _wait(page, WARM)
    before = spent(page)
    _wait(page, REPORTS)
    after = spent(page)
    reports = after["reports"] - before["reports"]
    return {"page.picture_ms": 1e3 * (after["ScriptDuration"] - before["ScriptDuration"]) / reports}


def _wait(page: Page, more: int) -> None:
    known = page.execute_script("return globalThis.reports")
    page.until(f"globalThis.reports >= {known + more}", LIMIT)


def spent(page: Page) -> dict[str, float]:
    """Return the seconds of the main thread by kind, and the reports that were painted."""
    metrics = page.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    found = {entry["name"]: float(entry["value"]) for entry in metrics}
    return found | {"reports": float(page.execute_script("return globalThis.reports"))}


def _training(site: Site, page: Page) -> dict[str, float]:
    """Return images a second with the picture over those without."""
    page.get(f"{site.url}#epochs=100")
    page.until(READY, LIMIT)
    page.click("Train")
    page.until(f"(() => {{ {BATCHES} }})()[0] > 0", LIMIT)
    rates: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(2 * TURNS):
        shown = turn % 2 == 0
        page.execute_script(SHOW, shown)
        rates[shown].append(_rate(page))
    page.click("Stop")
    page.wait_for_phase("ready")
    return {
        "page.picture_training": statistics.median(rates[True]) / statistics.median(rates[False])
    }


def _rate(page: Page) -> float:
    """Return the batches a second of a window of the run."""
    first, began = page.execute_script(BATCHES)
    page.until(f"performance.now() / 1000 > {began + WINDOW}", LIMIT)
    last, ended = page.execute_script(BATCHES)
    return (last - first) / (ended - began)
