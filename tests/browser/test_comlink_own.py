"""Comlink 4.4.2's own test files, unchanged, by mocha and chai, against farcall.comlink.expose.

The npm package comlink holds them. What they import as /base/dist/esm/comlink.mjs is Comlink, but
for `expose`: it hands the value to Python, which exposes it (tests/conformance/comlink/own).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.chromium import Page
from tests.support.interpreters import farcall_files
from tests.support.site import Site

ROOT = Path(__file__).resolve().parents[2]
THEIRS = ROOT / "node_modules" / "comlink" / "tests"
OURS = ROOT / "tests" / "conformance" / "comlink" / "own"
FILES = {  # and how many tests each has
    "same_window.comlink.test.js": 49,
    "worker.comlink.test.js": 2,
    "iframe.comlink.test.js": 1,
    "two-way-iframe.comlink.test.js": 1,
}
# Tests that cannot pass, and what they say: names that begin with _ are private by farcall's gate;
# the stack of an error is Python's traceback, not JavaScript's.
FORBIDDEN = {
    "can keep the stack and message of thrown errors": "Traceback",
    "can work with class instance properties": "'_counter' of a SampleClass is private",
    "can set class instance properties": "'_counter' of a SampleClass is private",
    "can work with class instance properties that are promises": "'_promise' of a SampleClass",
    "can work with class instance setters": "'_counter' of a SampleClass is private",
}
# Left out by Comlink itself: it waits for a garbage collection.
SKIPPED = {"released proxy via GC should invoke finalizer"}
# Not run: cross-origin.comlink.test.js exposes to origins given as regular expressions, and its
# second test requires that a prototype is polluted; node/ is for worker_threads, not a browser.


def lay_out(site: Site) -> None:
    """Their files where they expect them, under /base/."""
    for path in THEIRS.rglob("*"):
        if path.is_file():
            site.replace(f"base/tests/{path.relative_to(THEIRS).as_posix()}", path.read_bytes())
    site.replace("base/dist/esm/comlink.mjs", (OURS / "comlink.mjs").read_text())
    site.replace("base/dist/umd/comlink.js", (OURS / "worker.mjs").read_text())
    site.replace("base/files", ",".join(farcall_files()))


@pytest.fixture(scope="module")
def outcomes(module_site: Site, open_module_page: Callable[..., Page]) -> dict[str, dict[str, str]]:
    """What became of each test, by file: one page runs them all."""
    assert (ROOT / "node_modules" / "mocha").exists(), "mocha is missing: run make setup"
    lay_out(module_site)
    page = open_module_page()
    query = urlencode({"files": ",".join(farcall_files()), "tests": ",".join(FILES)})
    page.get(f"{module_site.url}tests/conformance/comlink/own/page.html?{query}")
    page.until("window.outcomes", timeout=120)
    found: dict[str, Any] = page.execute_script("return window.outcomes")
    assert "failed" not in found, found["failed"]
    return found


@pytest.mark.promise(
    "farcall: where Comlink 4.4.2 misbehaves",
    "Comlink's own test files pass unchanged against Python, but for five tests that read private "
    "names or JavaScript's stack",
)
@pytest.mark.parametrize("file", FILES)
def test_comlinks_own_tests_pass_but_those_that_are_forbidden(
    outcomes: dict[str, dict[str, str]], file: str
) -> None:
    found = outcomes[file]
    failed = {name: why for name, why in found.items() if why != "passed" and name not in SKIPPED}
    assert failed.keys() == FORBIDDEN.keys() & found.keys(), failed
    for name, why in failed.items():
        assert FORBIDDEN[name] in why
    assert len(found) == FILES[file]
