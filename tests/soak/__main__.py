"""`make soak`: random programs with random faults in Chromium, both pairings, then the counters."""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

from tests.support.chromium import Page
from tests.support.site import Site

ROOT = Path(__file__).resolve().parents[2]
PAIRINGS = {"mpy": "MicroPython page, Pyodide worker", "py": "Pyodide page, Pyodide worker"}
HTML = """<!doctype html><meta charset="utf-8"><title>soak</title><link rel="icon" href="data:,">
<script type="module" src="../../static/vendor/pyscript/core.js"></script>
<script type="{kind}" src="./main.py" config="./{kind}.toml"></script>
"""
INTERPRETERS = {"mpy": "micropython/micropython.mjs", "py": "pyodide/pyodide.mjs"}
ZERO = ("hangs", "leaks", "wrong")


def configuration(kind: str) -> str:
    """A TOML with every module of farcall, so that no list of them can fall behind."""
    files = sorted(path.name for path in (ROOT / "py" / "farcall").glob("*.py"))
    lines = [f'interpreter = "../../static/vendor/{INTERPRETERS[kind]}"', "[files]"]
    lines += [f'"../../py/farcall/{name}" = "farcall/{name}"' for name in files]
    return "\n".join(lines)


def prepare(site: Site) -> None:
    """Pages and configurations, served as if they were files."""
    site.replace("tests/soak/worker.toml", configuration("py"))
    for kind in PAIRINGS:
        site.replace(f"tests/soak/{kind}.html", HTML.format(kind=kind))
        site.replace(f"tests/soak/{kind}.toml", configuration(kind))


def soak(site: Site, kind: str, seconds: float, seed: int) -> dict[str, Any]:
    """Run one pairing for that long; its counters, as tests/soak/main.py leaves them."""
    page = Page("--js-flags=--expose-gc")
    try:
        page.get(f"{site.url}tests/soak/{kind}.html?seconds={seconds}&seed={seed}")
        found: dict[str, Any] = {"state": "never began"}
        latest = time.monotonic() + seconds + 180
        while found["state"] not in ("done", "failed") and time.monotonic() < latest:
            time.sleep(0.5)
            text = page.execute_script("return window.soak ?? null")
            found = json.loads(text) if text else found
        found.setdefault("notes", [])
        if found["state"] not in ("done", "failed"):
            found["notes"].append(f"the page is silent\n{page.console_text()[-3000:]}")
        return found
    finally:
        page.quit()


def report(kind: str, seed: int, seconds: float, found: dict[str, Any]) -> bool:
    """Print a pairing's counters; whether it is sound."""
    faults = found.get("faults", {})
    print(f"{PAIRINGS[kind]}, {seconds:.0f} s, seed {seed}: {found['state']}")
    for name in ("rounds", "calls", "restarts", *ZERO):
        print(f"  {name:<26}{found.get(name, '-'):>10}")
    print(f"  {'faults':<26}{sum(faults.values()):>10}")
    for name, number in sorted(faults.items()):
        print(f"    {name.replace('_', ' '):<26}{number:>8}")
    for text in found["notes"]:
        print(f"  note: {text}")
    return found["state"] == "done" and not any(found[name] for name in ZERO)


def main() -> int:
    """Exit status 0 if both pairings end with no hang, no leak and no wrong result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="for both pairings together")
    parser.add_argument("--seed", type=int, default=random.randrange(2**30))
    parser.add_argument("--pairing", choices=sorted(PAIRINGS), action="append")
    options = parser.parse_args()
    kinds = options.pairing or list(PAIRINGS)
    seconds = options.minutes * 60 / len(kinds)
    site = Site()
    prepare(site)
    sound = [
        report(kind, options.seed, seconds, soak(site, kind, seconds, options.seed))
        for kind in kinds
    ]
    site.close()
    return 0 if all(sound) else 1


if __name__ == "__main__":
    sys.exit(main())
