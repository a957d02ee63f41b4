"""How long the page takes to start, cold and warm, beside a bare JavaScript worker with NumPy.

`paint` is the first contentful paint; `controls` the moment the main thread's Python has filled
the controls; `first_step` the first batch trained when Train is pressed as soon as it can be;
`bare_worker` a worker that loads the same Pyodide, imports NumPy and runs one product.
All count from the navigation's start.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.support.chromium import Page

# Runs before anything of the page: notes the moments, presses Train when it can be pressed.
WATCH = """
globalThis.moments = {};
const note = (name) => { moments[name] ??= performance.now() / 1000 };
let pressed = false;
const look = () => {
    const train = document.getElementById("train");
    if (document.querySelector("#preset option")) note("controls");
    if (train && !train.disabled && !pressed) { pressed = true; train.click(); }
    const batch = parseInt(document.querySelector("output[name=batch]")?.textContent ?? "");
    if (batch >= 1) return note("first_step");
    setTimeout(look, 5);
};
new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
        if (entry.name === "first-contentful-paint") moments.paint = entry.startTime / 1000;
}).observe({ type: "paint", buffered: true });
look();
"""
BARE = "tests/bench/pages/bare.html"
LIMIT = 60


class Visitor:
    """A browser with a fresh profile: its first visit is cold, its second warm."""

    def __init__(self, watched: bool) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="bench-profile-")
        self.watched = watched

    def visit(self, url: str) -> dict[str, float]:
        """Open the page in a new browser on the same profile; return the moments in seconds."""
        page = Page(profile=Path(self.folder.name))
        try:
            if self.watched:
                script = {"source": WATCH}
                page.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", script)
            page.get(url)
            page.until("globalThis.moments?.first_step", LIMIT)
            moments: dict[str, float] = page.execute_script("return globalThis.moments")
            return moments
        finally:
            page.quit()

    def leave(self) -> None:
        """Forget the profile."""
        self.folder.cleanup()


def measure(site: str) -> dict[str, float]:
    """Visit page and bare worker, each cold and warm; return `start.*` figures in seconds."""
    figures: dict[str, float] = {}
    bare, page = Visitor(watched=False), Visitor(watched=True)
    for when in ("cold", "warm"):
        figures[f"start.{when}_s.bare_worker"] = bare.visit(f"{site}{BARE}")["first_step"]
        for name, moment in page.visit(site).items():
            figures[f"start.{when}_s.{name}"] = moment
    bare.leave()
    page.leave()
    return figures
