"""What the network's picture costs: the page's main thread for a report, the worker for training.

`page.picture_ms` is the processor time that scripts take for one report: the message, and the
pixels, wires, bars and words that MicroPython puts. `page.picture_whole_ms` has all that the main
thread does for it: style, layout and paint as well. The worker trains and sends the reports by
itself, twelve a second at most, so that neither the pen nor the curves are in it. Each report has
other weights and another image: more moves than in training, where the image stays, or under the
pen, where the weights stay.

`page.picture_training` is the rate of epochs with the picture over that of epochs without, in turn.
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
    self.activations.read(_scaled(self.image[None]))
    return self._report(self.activations)
async def _run(self):
    # The page draws, and follows what it has drawn: its last network, which was trained before.
    while self._drawing is None or self.reporter._followed is not self._drawing.model():
        await asyncio.sleep(0.05)
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
# "Why?" is enabled last: a press of "A test image" before that is lost, or met a network that goes.
DRAWN = """!document.getElementById("why").disabled && globalThis.reports > 0
&& document.getElementById("picture").ariaBusy === "false" """
LIMIT = 60
REPORTS, WARM = 60, 12
# Shows and hides the picture in turn, an epoch each, and notes when each epoch ends.
ALTERNATE = """
globalThis.ends = [];
const picture = document.getElementById("picture");
new MutationObserver(() => {
    ends.push(performance.now());
    picture.hidden = !picture.hidden;
    document.dispatchEvent(new Event("visibilitychange"));  // the page notices
}).observe(document.querySelector("#epochs tbody"), { childList: true });
"""
PAIRS = 7
# Waits in the page: a question of the driver's would be counted.
REPORTED = """
const [more, done] = arguments;
const last = reports + more;
const wait = () => (reports < last ? setTimeout(wait, 100) : done());
wait();
"""


def reports() -> dict[str, float]:
    """Return what a report costs the main thread."""
    return _measured(_report)


def training() -> dict[str, float]:
    """Return what the picture costs a run."""
    return _measured(_training)


def _measured(figures: Callable[[Site, Page], dict[str, float]]) -> dict[str, float]:
    """Return the figures of a visitor with a fresh profile."""
    site = Site()
    page = Page()
    try:
        return figures(site, page)
    finally:
        page.quit()
        site.close()


def _report(site: Site, page: Page) -> dict[str, float]:
    """Return the cost of a report, after some that warm up."""
    site.replace("py/app/worker.py", lambda text: RUN + text)
    page.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
    page.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    page.get(site.url)
    page.until(DRAWN, LIMIT)
    page.execute_script("document.getElementById('try-test').click()")
    page.execute_async_script(REPORTED, WARM)
    before = spent(page)
    page.execute_async_script(REPORTED, REPORTS)
    after = spent(page)
    reported = after["reports"] - before["reports"]
    kinds = {"page.picture_ms": "ScriptDuration", "page.picture_whole_ms": "TaskDuration"}
    return {name: 1e3 * (after[kind] - before[kind]) / reported for name, kind in kinds.items()}


def spent(page: Page) -> dict[str, float]:
    """Return the seconds of the main thread by kind, and the reports that were painted."""
    metrics = page.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    found = {entry["name"]: float(entry["value"]) for entry in metrics}
    return found | {"reports": float(page.execute_script("return globalThis.reports"))}


def _training(site: Site, page: Page) -> dict[str, float]:
    """Return images a second with the picture over those without; the first epoch warms up."""
    page.get(f"{site.url}#epochs={1 + 2 * PAIRS}")
    page.until(f"{READY} && document.querySelector('#picture canvas')", LIMIT)
    page.execute_script(ALTERNATE)
    page.click("Train")
    page.until(f"ends.length === {1 + 2 * PAIRS}", 2 * LIMIT)
    ends = page.execute_script("return ends")
    without = [end - begin for begin, end in zip(ends[::2], ends[1::2], strict=False)]
    seen = [end - begin for begin, end in zip(ends[1::2], ends[2::2], strict=True)]
    ratios = [hidden / shown for hidden, shown in zip(without, seen, strict=True)]
    return {"page.picture_training": statistics.median(ratios)}
