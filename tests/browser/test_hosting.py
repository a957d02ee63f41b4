"""The real page on hosts of every kind: strict, isolated, deep in a path, slow, wrong, offline."""

import re

import pytest

from tests.support.site import Slow, Status, Truncated
from tests.support.webkit import WebKit
from tools.serve import ROOT

VENDOR = "static/vendor/"
LIGHT = pytest.mark.light(10_000)
ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}


def policy():
    """The Content-Security-Policy that docs/hosting.md gives."""
    return re.search(r"^    (default-src .*)$", (ROOT / "docs/hosting.md").read_text(), re.M)[1]


def trains(page):
    """Train a little, stop, and predict."""
    page.wait_for_phase("ready")
    page.button("Train").click()
    page.until(lambda: page.number("batch") >= 3)
    assert page.number("loss") < 3
    page.button("Stop").click()
    page.wait_for_phase("ready")
    return True


def failure(page, timeout=40):
    page.wait_for_phase("error", timeout=timeout)
    page.until("document.getElementById('failure-files')", 20)
    return page.until("document.getElementById('failure').innerText")


@LIGHT
def test_runs_under_a_path_isolated_and_under_the_policy_in_the_docs(open_site, open_page):
    headers = {"Content-Security-Policy": policy(), **ISOLATED}
    site = open_site(prefix="/someone/farcall/", headers=headers)
    page = open_page(site.url)
    assert trains(page)
    assert page.check("crossOriginIsolated")
    assert "'unsafe-inline'" not in policy()
    assert "http" not in policy()
    assert [r for r in site.requests if r.status >= 400] == []


@LIGHT
def test_runs_isolated_in_webkit(open_site):
    """WebKitGTK 2.50 isolates a page and gives it no SharedArrayBuffer all the same.

    Firefox runs isolated in test_lacking.py.
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


@LIGHT
def test_a_wrong_type_of_wasm_is_named(open_site, open_page):
    """MicroPython does without; Pyodide 0.28 does not."""
    page = open_page(open_site(types={".wasm": "application/octet-stream"}).url)
    page.expect_console("MIME|falling back")
    text = failure(page)
    assert "pyodide.asm.wasm: the server sends it as application/octet" in text


@LIGHT
def test_a_wrong_type_of_modules_is_named(open_site, open_page):
    page = open_page(open_site(types={".mjs": "text/plain"}).url)
    page.expect_console("MIME|Failed to fetch|not a valid|MessageEvent")
    text = failure(page)
    assert "pyodide.mjs: the server sends it as text/plain" in text
    assert "text/javascript" in text
    assert page.button("Retry").is_displayed()


def loads_again(page):
    """Press Retry; the page that failed is left."""
    page.execute_script("globalThis.former = true")
    page.button("Retry").click()
    page.until("!globalThis.former && document.documentElement.dataset.phase")


NEVER = {
    "pyodide.asm.wasm": 404,
    "micropython.wasm": 404,
    "py/app/main.py": 404,
    "train-images-idx3-ubyte.gz": 503,
}


@LIGHT
def test_a_file_that_never_comes_is_named_and_loading_again_helps(site, open_page):
    """One after another is what fails in a page that is loaded again each time, then none does."""
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
    site.faults.clear()
    loads_again(page)
    page.wait_for_phase("ready")


@LIGHT
def test_a_busy_server_is_asked_again_and_a_slow_one_only_takes_longer(site, open_page):
    site.faults[f"{VENDOR}mnist/train-images*"] = Status(code=503, times=2)
    site.faults[f"{VENDOR}mnist/t10k-labels*"] = Truncated(keep=500, times=1)
    site.faults["*/python_stdlib.zip"] = Slow(chunk=100_000, delay=0.2)
    page = open_page(site.url)
    page.expect_console("503|ERR_CONTENT_LENGTH_MISMATCH")
    assert trains(page)


def learns_points(page, site):
    """Open the playground and let it learn for an epoch."""
    page.get(site.url + "playground.html")
    page.wait_for_phase("ready")
    page.until("!document.getElementById('step').disabled")
    page.execute_script("document.getElementById('step').click()")
    page.until("document.querySelector('output[name=epoch]').textContent === '1'")


@pytest.mark.promise("The page: playground", "It needs no network once it has been opened")
def test_a_returning_visitor_moves_no_bytes_and_needs_no_network(site, open_page):
    page = open_page(site.url)
    page.wait_for_phase("ready")
    page.until("document.documentElement.dataset.offline === 'ready'", 60)
    first = {r.path for r in site.requests if r.sent and r.status == 200}
    assert "index.html" in first
    assert not [path for path in first if "playground" in path], "another page's files"
    site.requests.clear()
    page.get(site.url)
    assert trains(page)
    assert [r for r in site.requests if r.sent] == []
    learns_points(page, site)
    site.close()
    page.expect_no_network()
    page.get(site.url)
    assert trains(page)
    assert page.execute_script("return farcallExamine()") == []  # no list, and nothing wrong
    learns_points(page, site)
