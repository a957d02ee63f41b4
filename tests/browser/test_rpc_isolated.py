"""Interrupting Python that computes: where the page is isolated, and what it says elsewhere."""

import json

HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
PAGE = "tests/browser/rpc/isolated.html"


def results(page):
    page.wait_for_phase("done", timeout=60)
    return json.loads(page.execute_script("return document.getElementById('results').textContent"))


def test_python_that_computes_is_interrupted_and_the_worker_lives_on(open_site, open_page):
    page = open_page(open_site(headers=HEADERS).url + PAGE)
    assert results(page) == [["KeyboardInterrupt", True], 16] * 3


def test_without_isolation_interrupt_says_what_to_do_instead(open_site, open_page):
    page = open_page(open_site().url + PAGE)
    assert results(page) == [["RuntimeError", False]]
