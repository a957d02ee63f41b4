"""`make soak`: what takes long, in parts that are each below two hours.

rpc is random programs with random faults in Chromium: mpy, driven from MicroPython, and then py,
from Pyodide, each for half of MINUTES. They speak farcall's own protocol with a Pyodide worker and
Comlink's with a JavaScript one, side by side on one page. io is damaged model files, 20,000 of each
format, drawn networks in whole ones, and drawn graphs of ONNX. gpu is training on a GPU: its tests,
drawn networks against the CPU, memory over 20 runs. applications is large networks of Keras and
torchvision, on CPython and in Chromium.
federation is a round for each fault of nodes and servers, accuracy beside Flower's own nodes, and
1,000 nodes through the gateway to its SuperLink.
team is networks trained by several workers of which some die, fail or are silent, half of the time
in one process and half in Chromium.
page is what each lesson says happens, and the Keras script's accuracy, for three seeds each.
tests is every check and every test beside six busy processes, and then the tests that make test
leaves out. Without ONLY it is rpc.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

from tests.soak import applications, files, gpus, load, teams
from tests.support.chromium import Page
from tests.support.interpreters import PAIRINGS, farcall_files
from tests.support.limit import Limit
from tests.support.site import Site

ROOT = Path(__file__).resolve().parents[2]
HTML = """<!doctype html><meta charset="utf-8"><title>soak</title><link rel="icon" href="data:,">
<script type="module" src="../../static/vendor/pyscript/core.js"></script>
<script type="{kind}" src="./main.py" config="./{kind}.toml"></script>
"""
INTERPRETERS = {"mpy": "micropython/micropython.js", "py": "pyodide/pyodide.mjs"}
MODULES = ("bank", "comlink_programs", "counters", "drawn", "programs", "standard", "values")
ZERO = ("hangs", "leaks", "wrong")
PARTS = ("rpc", *PAIRINGS, "io", "gpu", "applications", "federation", "team", "page", "tests")
MOST = 120  # minutes of a part
TESTS = 80  # minutes within which all tests pass beside six busy processes
APPLICATIONS = 60  # minutes within which all large networks are tried
FILES = 60  # minutes within which all damaged files are tried
SILENCE = 300  # seconds without a finished round after which the page itself hangs


def configuration(kind: str) -> str:
    """A TOML with every module of farcall and of the soak."""
    lines = [f'interpreter = "../../static/vendor/{INTERPRETERS[kind]}"', "[files]"]
    lines += [f'"../../py/farcall/{name}" = "farcall/{name}"' for name in farcall_files()]
    lines += [f'"./{name}.py" = "{name}.py"' for name in MODULES]
    lines.append('"./values.js" = "values.js"')
    return "\n".join(lines)


def prepare(site: Site) -> None:
    """Pages and configurations, served as if they were files."""
    site.replace("tests/soak/worker.toml", configuration("py"))
    for kind in PAIRINGS:
        site.replace(f"tests/soak/{kind}.html", HTML.format(kind=kind))
        # PyScript would add a box to the page for each error of a worker.
        site.replace(f"tests/soak/{kind}.toml", 'plugins = ["!error"]\n' + configuration(kind))


def soak(site: Site, kind: str, seconds: float, seed: int, rounds: int = 1) -> dict[str, Any]:
    """Run one pairing for that long and so many rounds; its counters, as the page leaves them."""
    page = Page("--js-flags=--expose-gc", "--enable-precise-memory-info")
    try:
        query = f"seconds={seconds}&seed={seed}&rounds={rounds}"
        page.get(f"{site.url}tests/soak/{kind}.html?{query}")
        return watched(page)
    finally:
        page.quit()


def watched(page: Page) -> dict[str, Any]:
    """The counters when the page is done, or has said nothing new for too long."""
    text, found = "", {"state": "never began", "notes": []}
    silence = Limit(SILENCE)
    while found["state"] not in ("done", "failed"):
        time.sleep(0.5)
        new = said(page)
        if new != text:
            text, found = new, json.loads(new)
            silence = Limit(SILENCE)
        elif silence.over():
            console = page.console_text()
            found["notes"].append(f"the page is silent\n{console[:3000]}\n...\n{console[-1000:]}")
            break
    return found


def said(page: Page) -> str:
    """What the page says of itself, by value: of a script's results DevTools keeps every one."""
    asked = {"expression": "window.soak ?? ''", "returnByValue": True}
    return str(page.execute_cdp_cmd("Runtime.evaluate", asked)["result"]["value"])


def report(kind: str, seed: int, seconds: float, found: dict[str, Any]) -> bool:
    """Print a pairing's counters; whether it is sound."""
    faults = found.get("faults", {})
    print(f"{PAIRINGS[kind]}, {seconds:.0f} s, seed {seed}: {found['state']}")
    for name in ("rounds", "calls", "comlink_calls", "restarts", "seconds", *ZERO):
        print(f"  {name.replace('_', ' '):<46}{found.get(name, '-'):>10}")
    print(f"  {'faults':<46}{sum(faults.values()):>10}")
    for name, number in sorted(faults.items()):
        print(f"    {name.replace('_', ' '):<44}{number:>8}")
    for sample in found.get("heap", ()):
        print("  memory:", ", ".join(f"{k} {v}" for k, v in sorted(sample.items(), reverse=True)))
    for text in found["notes"]:
        print(f"  note: {text}")
    return found["state"] == "done" and not any(found[name] for name in ZERO)


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="make soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS, help="one part (ONLY=...); default rpc")
    parser.add_argument("--minutes", type=minutes, help=f"below {MOST} (MINUTES=...); default 10, "
                        f"for tests {TESTS}")  # fmt: skip
    parser.add_argument("--seed", type=int, default=random.randrange(2**30))
    options = parser.parse_args(words)
    if options.minutes is None:
        options.minutes = {"tests": TESTS, "io": FILES, "applications": APPLICATIONS}.get(
            options.only, 10
        )
    return options


def minutes(text: str) -> float:
    number = float(text)
    if not 0 < number < MOST:
        raise argparse.ArgumentTypeError(f"expected more than 0 and less than {MOST}, got {text}")
    return number


def main() -> int:
    """Exit status 0 if each part ends with no hang, no leak, no wrong result and no failure."""
    options = arguments()
    if options.only == "io":
        return 0 if files.check(options.minutes, options.seed) else 1
    if options.only == "gpu":
        return 0 if gpus.check(options.minutes, options.seed) else 1
    if options.only == "applications":
        return 0 if applications.check(options.minutes, options.seed) else 1
    if options.only == "federation":
        from tests.soak import federation  # it imports Flower, which takes seconds

        return 0 if federation.check() else 1
    if options.only == "page":
        from tests.soak import page

        return 0 if page.check() else 1
    if options.only == "team":
        return 0 if teams.check(options.minutes, options.seed) else 1
    if options.only == "tests":
        return 0 if load.check(options.minutes) and load.left_out() else 1
    kinds = [options.only] if options.only in PAIRINGS else list(PAIRINGS)
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
