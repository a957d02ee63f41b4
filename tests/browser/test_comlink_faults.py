"""Workers of JavaScript's Comlink that fail: in Chromium, driven from Pyodide and MicroPython."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.support.chromium import Page
from tests.support.interpreters import farcall_files
from tests.support.limit import granted, slowness
from tests.support.site import Site

pytestmark = pytest.mark.timed

FARCALL = Path(__file__).resolve().parents[2] / "py" / "farcall"
LOADING = 5000  # ms that a worker's source may take to be missing
REFUSED = "ProtocolError: APPLY message refused: "
AT_ONCE = 100  # ms from a fault to the end of the await

EXPECTED = {
    "values": ("equal", AT_ONCE),
    "terminated": ("WorkerDiedError: the worker was terminated", AT_ONCE),
    "terminated under a proxy of its": ("WorkerDiedError: the worker was terminated", AT_ONCE),
    "terminated under a second endpoint": ("WorkerDiedError: the worker was terminated", AT_ONCE),
    "terminated while it calls back": ("WorkerDiedError: the worker was terminated", AT_ONCE),
    "uncaught error under a proxy": ("WorkerDiedError: the peer failed: Uncaught", AT_ONCE),
    "used after termination": ("WorkerDiedError: the worker was terminated", AT_ONCE),
    "uncaught error": ("WorkerDiedError: the peer failed: Uncaught Error: crashed", AT_ONCE),
    "source missing": ("WorkerBootError: the peer never answered", LOADING),
    "import missing": ("WorkerBootError: the peer never answered", LOADING),
    "closed here": ("SessionClosedError: the connection was closed", AT_ONCE),
    "released here": ("ReleasedError: the proxy was released", AT_ONCE),
    "never answered": ("TimeoutError: add() took 0.1 s", 2 * AT_ONCE),
    "handler unknown there": ("WorkerDiedError: the peer failed: Uncaught TypeError", AT_ONCE),
    "argument that cannot cross": ("TypeError: a function inside a container", AT_ONCE),
    "argument that cannot be cloned": ("TypeError: an argument cannot cross: Data", AT_ONCE),
    "prototype": ("PolicyError: '__proto__' of what is served is private", AT_ONCE),
    "code through a constructor": ("PolicyError: attributes of a function", AT_ONCE),
    # 256 MiB, and a million values.
    "too many values": (REFUSED + "the message holds more values than the limit", LOADING),
    "too many bytes": (REFUSED + "the message is larger than the limit", LOADING),
    "pending": ("0", AT_ONCE),
    "serving": ("0", AT_ONCE),
}


@pytest.fixture(scope="module")
def ends(
    module_site: Site, open_module_page: Callable[..., Page]
) -> Callable[[str], dict[str, tuple[str, float]]]:
    """How each await ended and after how many ms; one page load an interpreter."""
    page = open_module_page()
    known: dict[str, dict[str, tuple[str, float]]] = {}

    def of(language: str) -> dict[str, tuple[str, float]]:
        page.expect_console("crashed on demand|missing.mjs|deserialize|Event")
        if language not in known:
            files = ",".join(farcall_files())
            query = urlencode({"language": language, "files": files})
            page.get(f"{module_site.url}tests/conformance/comlink/faults.html?{query}")
            page.until("window.results", timeout=100)
            slowness()
            known[language] = page.execute_script("return window.results")
        return known[language]

    return of


@pytest.mark.promise(
    "farcall: where Comlink 4.4.2 misbehaves",
    "Prototype pollution, code through `constructor`",
)
@pytest.mark.promise(
    "farcall: every await ends",
    "Comlink: With a JavaScript worker in Chromium: terminated, crashed, missing, "
    "unimportable, silent, closed, released, a handler it does not know",
)
@pytest.mark.promise(
    "farcall: limits",
    "Comlink: A message in a browser holds at most 256 MiB and a million values, "
    "counted before Python sees any of it",
)
@pytest.mark.parametrize("language", ["py", "mpy"])
@pytest.mark.parametrize("fault", EXPECTED)
def test_every_await_ends_with_a_typed_error_in_time(
    ends: Callable[[str], dict[str, tuple[str, float]]], language: str, fault: str
) -> None:
    found = ends(language)
    assert "failed" not in found, found["failed"][0]
    text, took = found[fault]
    expected, limit = EXPECTED[fault]
    assert text.startswith(expected), text
    assert 0 <= took < granted(limit)
