"""Comlink's behaviours, driven and exposed in JavaScript (real Comlink), Pyodide and MicroPython.

tests/conformance/comlink/behaviours.json lists them; each pairing runs all of them over a
MessageChannel, a Worker and an iframe, and then leaves nothing behind on either side. The pairings
meet in one page, in which each interpreter, worker and iframe starts once, when the first needs it.
"""

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.support.chromium import Page
from tests.support.interpreters import farcall_files
from tests.support.site import Site

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT / "tests" / "conformance" / "comlink"
TRANSPORTS = ("channel", "worker", "iframe")
BEHAVIOURS = json.loads((SUITE / "behaviours.json").read_text())
LANGUAGES = ("js", "py", "mpy")
PAIRINGS = [f"{driver}-{exposer}" for driver in LANGUAGES for exposer in LANGUAGES]


def cases() -> list[object]:
    return [
        pytest.param(
            pairing,
            f"{transport}-{number}",
            id=f"{pairing}-{transport}-{number}-{name.replace(' ', '_')}",
            marks=pytest.mark.xdist_group(pairing),
        )
        for pairing in PAIRINGS
        for transport in TRANSPORTS
        for number, name, where in BEHAVIOURS
        if where in ("any", transport)
    ]


@pytest.fixture(scope="module")
def results(
    module_site: Site, open_module_page: Callable[..., Page]
) -> Callable[[str], dict[str, str]]:
    """What the page found of a pairing, by case."""
    page = open_module_page(None, "--js-flags=--expose-gc")
    query = urlencode({"files": ",".join(farcall_files())})
    page.get(f"{module_site.url}tests/conformance/comlink/page.html?{query}")
    page.until("window.pairing !== undefined")
    known: dict[str, dict[str, str]] = {}

    def of(pairing: str) -> dict[str, str]:
        if pairing not in known:
            page.execute_script("window.pairing(...arguments)", *pairing.split("-"))
            page.until("window.results", timeout=240)
            known[pairing] = page.execute_script("return window.results")
        return known[pairing]

    return of


@pytest.mark.promise(
    "farcall: nothing leaks",
    "Comlink: Every behaviour of the suites leaves both sides as it found them",
)
@pytest.mark.promise(
    "farcall: what is refused",
    "Comlink: Origins that are not allowed, windows other than the one meant",
)
@pytest.mark.promise(
    "farcall: where Comlink 4.4.2 misbehaves",
    "All 59 behaviours of Comlink's own tests hold in nine pairings of JavaScript, "
    "Pyodide and MicroPython over a MessageChannel, a worker and an iframe (1,413 "
    "cases)",
)
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("pairing", "case"), cases())
def test_behaves_as_comlink_does(
    results: Callable[[str], dict[str, str]], pairing: str, case: str
) -> None:
    found = results(pairing)
    assert "failed" not in found, found["failed"]
    assert found[case] == "ok", found[case]
