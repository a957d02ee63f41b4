"""The real page on hosts of every kind: isolated, slow, wrong; test_journey.py's hosts are strict,
deep in a path, isolated in Chromium, and then gone."""

import re

import pytest

from tests.support.site import Held, Slow, Status, Truncated
from tests.support.webkit import WebKit
from tools.serve import ROOT

MNIST = "static/vendor/mnist/"
pytestmark = pytest.mark.light
ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}


def policy():
    """The Content-Security-Policy that docs/hosting.md gives."""
    return re.search(r"^    (default-src .*)$", (ROOT / "docs/hosting.md").read_text(), re.M)[1]


def test_the_policy_in_the_docs_names_no_remote_origin_and_nothing_inline():
    assert "'unsafe-inline'" not in policy()
    assert "http" not in policy()


def trains(page):
    """Train a little, and stop."""
    page.wait_for_phase("ready")
    page.train_a_little()
    assert page.number("loss") < 3
    return True


def failure(page, timeout=40):
    page.wait_for_phase("error", timeout=timeout)
    page.until("document.getElementById('failure-files')", 20)
    return page.until("document.getElementById('failure').innerText")


@pytest.mark.soak
def test_runs_isolated_in_webkit(open_site):
    """Under WebKit's last compiler, which the journey leaves out.

    WebKitGTK 2.50 isolates a page and gives it no SharedArrayBuffer all the same. Firefox runs
    isolated in test_lacking.py.
    """
    page = WebKit()
    try:
        page.get(open_site(headers=ISOLATED).url)
        page.wait_for_phase("ready")
        page.click("Train")
        page.until(lambda: page.number("batch") >= 3)
        assert page.check("crossOriginIsolated")
        assert page.errors() == []
    finally:
        page.quit()


def test_a_wrong_type_of_wasm_is_named(open_site, open_page):
    """MicroPython does without; Pyodide 0.28 does not."""
    page = open_page(open_site(types={".wasm": "application/octet-stream"}).url)
    page.expect_console("MIME|falling back")
    text = failure(page)
    assert "pyodide.asm.wasm: the server sends it as application/octet" in text


def test_a_wrong_type_of_modules_is_named(open_site, open_page):
    page = open_page(open_site(types={".js": "text/plain"}).url)
    page.expect_console("MIME|Failed to fetch|not a valid|MessageEvent")
    text = failure(page)
    assert text.count(".js: the server sends it as text/plain") > 1, text
    assert "text/javascript" in text
    assert page.button("Retry").is_displayed()


def loads_again(page, name="Retry"):
    """Press a button that loads the page again; the page that failed is left."""
    page.execute_script("globalThis.former = true")
    page.button(name).click()
    page.until("!globalThis.former && document.documentElement.dataset.phase")


AT_ONCE = """
const timer = globalThis.setTimeout;
globalThis.setTimeout = (action, delay) => timer(action, delay === 15000 ? 0 : delay);
"""
EXAMINED = "performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/simd.so'))"


def test_a_page_that_is_ready_when_its_files_have_been_examined_has_not_failed(site, open_page):
    late = Held(code=404)
    site.faults = {"*/simd.so": late}
    page = open_page()
    page.expect_console("404")
    page.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": AT_ONCE})
    page.get(site.url)
    page.wait_for_phase("ready")
    late.go.set()
    page.until(EXAMINED)
    assert page.phase == "ready"
    assert page.execute_script("return document.getElementById('failure').hidden")


NEVER = {
    "pyodide.asm.wasm": 404,
    "micropython.wasm": 404,
    "py/app/main.py": 404,
    "train-images-idx3-ubyte.gz": 503,
}


def answers(site, name):
    """How the server answered for a file: the status, and whether all of it was sent."""
    size = len(site.content(name))
    return [(r.status, r.sent == size) for r in site.requests if r.path == name]


def test_a_file_that_never_comes_is_named_and_loading_again_helps_at_a_busy_server_too(
    site, open_page
):
    """One after another is what fails in a page that is loaded again each time; then a file comes
    when it is asked for again, and a slow one only takes longer."""
    page = open_page()
    page.expect_console(".")
    for number, (name, status) in enumerate(NEVER.items()):
        site.faults = {f"*{name}": Status(code=status)}
        if number:
            loads_again(page)
        else:
            page.get(site.url)
        text = failure(page)
        assert f"{name}: the server answers {status}" in text
        assert text.count("the server answers") == 1
    images, labels = f"{MNIST}train-images-idx3-ubyte.gz", f"{MNIST}t10k-labels-idx1-ubyte.gz"
    site.faults = {
        images: Status(code=503, times=2),
        labels: Truncated(keep=500, times=1),
        "*/python_stdlib.zip": Slow(chunk=100_000, delay=0.2),
    }
    site.requests.clear()
    loads_again(page)
    assert trains(page)
    assert answers(site, images) == [(503, False), (503, False), (200, True)]
    assert answers(site, labels)[0] == (200, False)
    assert answers(site, labels)[-1][0] in (200, 304)
    site.faults = {"*/later.txt": Status(code=503), "*/simd.so": Status(code=404)}
    missing = "static/vendor/kernels/simd.so: the server answers 404"
    busy = "static/vendor/python/later.txt: the server answers 503"
    examined = page.execute_script("return Promise.all([farcallExamine(false), farcallExamine()])")
    assert examined == [[missing], [missing, busy]], "of a start that goes on, and of another"
