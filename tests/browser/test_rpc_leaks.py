"""Thousands of calls in Chromium: tables, heaps and stacks are what they were, on both sides."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.chromium import Page
from tests.support.interpreters import PAIRINGS, configuration, page
from tests.support.site import Site

FOLDER = "tests/browser/leaks"
UP = "../../../"
HELD = ("pending", "serving", "answers", "exports", "imports", "streams")
WORKER = '<script type="py" worker name="far" src="./worker.py" config="./worker.toml"></script>'
COUNTED = """<script>{
  const made = [], Own = Worker;
  Worker = class extends Own {
    constructor(...args) { super(...args); made.push(new WeakRef(this)); }
  };
  globalThis.livingWorkers = () => made.filter((each) => each.deref()).length;
}</script>"""
# Pairings, and how many calls: a fifth of them shows the same leaks, for what they may leave is a
# fifth as well.
MOST = 10_000
RUNS = [
    ("mpy", MOST // 5),
    pytest.param("mpy", MOST, marks=pytest.mark.soak),
    pytest.param("py", MOST, marks=pytest.mark.soak),
]
# What 10,000 calls may leave: less than a hundredth of one object, or of 32 bytes, each.
NOISE = {
    "javascript": 320_000,  # bytes of its heap
    "used": 20_000,  # bytes of MicroPython's
    "in_javascript": 20,  # Python's objects held by JavaScript, as MicroPython counts them
    "of_javascript": 20,  # and the other way round
    "wasm": 0,  # bytes of Pyodide's whole memory
    "objects": 100,  # known to Pyodide's garbage collector
    "stack": 32,  # bytes of Pyodide's
}


@pytest.fixture(scope="module")
def leaks(module_site: Site, open_module_page: Callable[..., Page]) -> Callable[[str, int], Any]:
    """What a pairing holds before and after so many calls; each page is opened once."""
    known: dict[tuple[str, int], Any] = {}

    def of(kind: str, calls: int) -> Any:
        if (kind, calls) not in known:
            known[kind, calls] = {"failed": "the page ended without results"}
            known[kind, calls] = run(module_site, open_module_page, kind, calls)
        assert "failed" not in known[kind, calls], known[kind, calls]["failed"]
        return known[kind, calls]

    return of


def run(site: Site, open_page: Callable[..., Page], kind: str, calls: int) -> Any:
    site.replace(f"{FOLDER}/worker.toml", configuration("py", UP))
    for each in PAIRINGS:
        counting = '"../rpc/heap.py" = "heap.py"'
        site.replace(f"{FOLDER}/{each}.toml", f"{configuration(each, UP)}\n{counting}\n")
    site.replace(f"{FOLDER}/{kind}.html", page(kind, UP, "thousands of calls", COUNTED + WORKER))
    browser = open_page(None, "--js-flags=--expose-gc", "--enable-precise-memory-info")
    browser.get(f"{site.url}{FOLDER}/{kind}.html#{calls}")
    browser.until("window.leaks", timeout=150)
    return json.loads(browser.execute_script("return window.leaks"))


@pytest.mark.promise(
    "farcall: nothing leaks",
    "10,000 calls with callbacks, proxies, streams, failures and cancellations leave "
    "both sides' `statistics()` and the heap where they were",
)
@pytest.mark.timeout(200)
@pytest.mark.parametrize("side", ["near", "far"])
@pytest.mark.parametrize(("kind", "calls"), RUNS)
def test_thousands_of_calls_in_chromium_leave_the_tables_empty(
    leaks: Callable[[str, int], Any], kind: str, calls: int, side: str
) -> None:
    assert [leaks(kind, calls)["after"][side][name] for name in HELD] == [0] * len(HELD)


@pytest.mark.promise(
    "farcall: nothing leaks",
    "10,000 calls with callbacks, proxies, streams, failures and cancellations leave "
    "both sides' `statistics()` and the heap where they were",
)
@pytest.mark.promise(
    "farcall: nothing leaks",
    "A turn of Pyodide's event loop leaves nothing on its stack, bytes sent from "
    "MicroPython leave no reference",
)
@pytest.mark.timeout(200)
@pytest.mark.parametrize("side", ["near", "far"])
@pytest.mark.parametrize(("kind", "calls"), RUNS)
def test_thousands_of_calls_in_chromium_leave_the_heaps_as_they_were(
    leaks: Callable[[str, int], Any], kind: str, calls: int, side: str
) -> None:
    before, after = (leaks(kind, calls)[when][side] for when in ("before", "after"))
    measured = [name for name in before if name in NOISE]
    assert len(measured) >= 3
    for name in measured:
        most = NOISE[name] * calls / MOST
        assert after[name] - before[name] <= most, (name, before, after)


@pytest.mark.promise(
    "farcall: nothing leaks",
    "A worker that was replaced leaves nothing on the page, of farcall's or of PyScript's",
)
@pytest.mark.timeout(200)
@pytest.mark.parametrize(("kind", "calls"), RUNS)
def test_a_worker_that_was_replaced_leaves_nothing_on_the_page(
    leaks: Callable[[str, int], Any], kind: str, calls: int
) -> None:
    before, after = leaks(kind, calls)["restarts"]
    assert before["living"] == after["living"]
    for name in ("workers", "in_javascript", "of_javascript"):
        assert after.get(name, 0) - before.get(name, 0) <= 3, (name, before, after)


@pytest.mark.promise(
    "farcall: limits",
    "Buffers kept for reuse: at most 8 and 256 MiB, from 64 KiB each",
)
@pytest.mark.timeout(200)
@pytest.mark.parametrize(("kind", "calls"), RUNS)
def test_limits_the_buffers_that_are_kept_for_reuse(
    leaks: Callable[[str, int], Any], kind: str, calls: int
) -> None:
    """None below 64 KiB, at most 8, at most 256 MiB: the latest ones."""
    assert leaks(kind, calls)["spares"] == [0, 8, 2]
