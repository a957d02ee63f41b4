"""What one report of the network's picture costs the page's main thread, in processor time.

"A test image" is pressed again and again. All scripts that a press runs count: the press itself,
MicroPython's decoding of the answers, and putting pixels, wires and bars.
"""

from __future__ import annotations

from tests.support.chromium import Page

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
PRESS = """
const done = arguments[0], before = globalThis.reports;
document.getElementById("try-test").click();
const look = () => globalThis.reports > before ? setTimeout(done, 20) : setTimeout(look, 20);
look();
"""
READY = "!document.getElementById('train').disabled && globalThis.reports > 0"
LIMIT = 60
PRESSES, WARM = 30, 5


def measure(site: str) -> dict[str, float]:
    """Return `page.picture_ms`: the mean over presses, after some that warm up."""
    page = Page()
    try:
        page.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        page.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
        page.get(site)
        page.until(READY, LIMIT)
        page.set_script_timeout(LIMIT)
        _press(page, WARM)
        seconds, reports = _spent(page)
        _press(page, PRESSES)
        after, painted = _spent(page)
    finally:
        page.quit()
    return {"page.picture_ms": 1e3 * (after - seconds) / (painted - reports)}


def _press(page: Page, times: int) -> None:
    for _ in range(times):
        page.execute_async_script(PRESS)


def _spent(page: Page) -> tuple[float, float]:
    """Return the seconds that scripts have run, and the reports that were painted."""
    metrics = page.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    found = {entry["name"]: entry["value"] for entry in metrics}
    return float(found["ScriptDuration"]), float(page.execute_script("return globalThis.reports"))
