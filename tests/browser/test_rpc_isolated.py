"""Interrupting Python that computes, on an isolated page; test_rpc.py asks for it on another."""

import json

import pytest

HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
PAGE = "tests/browser/rpc/isolated.html"


def results(page):
    page.wait_for_phase("done", timeout=60)
    return json.loads(page.execute_script("return document.getElementById('results').textContent"))


@pytest.mark.promise("farcall: features", "Interrupt of Python that computes, on isolated pages")
def test_python_that_computes_is_interrupted_and_the_worker_lives_on(open_site, open_page):
    page = open_page(open_site(headers=HEADERS).url + PAGE)
    assert results(page) == [["KeyboardInterrupt", True], 16] * 3
