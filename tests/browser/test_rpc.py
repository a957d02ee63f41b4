"""The RPC behaviours in Chromium: MicroPython and Pyodide on the page, Pyodide in the worker."""

import json

import pytest

from tests.conformance import suite
from tests.conftest import COMPILED, kept

PAIRINGS = ("mpy", "py")


@pytest.fixture(scope="module")
def outcomes(module_site, open_module_page):
    """Outcome of every behaviour in a pairing; each page is opened once, in one browser."""
    page = open_module_page(None, "--js-flags=--expose-gc")
    page.keep_compiled(kept().url + "kept.html", *COMPILED)
    known = {}

    def of(pairing):
        if pairing not in known:
            page.get(f"{module_site.url}tests/browser/rpc/{pairing}.html")
            page.wait_for_phase("done", timeout=100)
            text = page.execute_script("return document.getElementById('results').textContent")
            known[pairing] = json.loads(text)
        return known[pairing]

    return of


@pytest.mark.promise(
    "farcall: nothing leaks",
    "Every behaviour of the suites leaves both sides as it found them",
)
@pytest.mark.parametrize("name", sorted(suite.CASES))
@pytest.mark.parametrize("pairing", PAIRINGS)
def test_behaviour_holds_between_page_and_worker(pairing, name, outcomes):
    results = outcomes(pairing)
    assert results.get(name, results.get("connect")) == "passed"


@pytest.mark.promise("farcall: features", "Interrupt of Python that computes, on isolated pages")
@pytest.mark.parametrize("pairing", PAIRINGS)
def test_without_isolation_interrupt_says_what_to_do_instead(pairing, outcomes):
    said = outcomes(pairing)["interrupt"]
    assert said.startswith("RuntimeError: interrupt: needs a cross-origin isolated page")
    assert "farcall.Worker and its restart()" in said
