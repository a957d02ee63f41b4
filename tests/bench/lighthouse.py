"""Lighthouse's scores of the page, 0 to 100, on a desktop and on a phone.

Performance depends on the machine, and on what else it does; the others do not.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.bench.drive import ROOT, PeerError
from tests.bench.requirements import LIGHTHOUSE_SCREENS, Figures
from tests.support.chromium import found

COMMAND = ROOT / "tests/bench/node_modules/lighthouse/cli/index.js"
CATEGORIES = ("accessibility", "best-practices", "seo", "performance")
LIMIT = 300  # seconds


def measure(site: str, say: Callable[[str], None]) -> Figures:
    """Return `lighthouse.*` figures; say what lost points outside performance.

    Raises:
        PeerError: Lighthouse failed; the text is what it said.
    """
    figures: Figures = {}
    for screen in LIGHTHOUSE_SCREENS:
        report = _report(site, screen)
        for name in CATEGORIES:
            figures[f"lighthouse.{screen}.{name}"] = 100 * report["categories"][name]["score"]
        for line in _lost(report):
            say(f"  {screen}: {line}")
    return figures


def _report(site: str, screen: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="lighthouse-") as folder:
        path = Path(folder) / "report.json"
        command = [
            "node", str(COMMAND), site, "--output=json", f"--output-path={path}", "--quiet",
            f"--only-categories={','.join(CATEGORIES)}", "--no-enable-error-reporting",
            "--chrome-flags=--headless=new --no-sandbox --disable-dev-shm-usage",
            *(["--preset=desktop"] if screen == "desktop" else []),
        ]  # fmt: skip
        chromium = {"CHROME_PATH": found("chromium", "chromium-browser", "google-chrome")}
        run = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT, env=os.environ | chromium
        )
        if run.returncode or not path.exists():
            raise PeerError(f"lighthouse: {run.stderr[-2000:] or run.stdout[-2000:]}")
        report: dict[str, Any] = json.loads(path.read_text())
        return report


def _lost(report: dict[str, Any]) -> Iterator[str]:
    """Yield the audits that cost points, outside performance, with what they name."""
    for name in CATEGORIES[:-1]:
        for reference in report["categories"][name]["auditRefs"]:
            audit = report["audits"][reference["id"]]
            if reference["weight"] and audit["score"] not in (1, None):
                items = audit.get("details", {}).get("items", [])
                yield f"{name}: {audit['title']}: {json.dumps(items)[:600]}"
