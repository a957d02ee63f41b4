"""Two workers of a page train one network."""

import json

import numpy as np
import pytest

from tests.support.firefox import Firefox
from tests.support.webkit import WebKit

FOLDER = "tests/browser/team/"
ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
OTHERS = {"firefox": Firefox, "webkit": lambda: WebKit(sparing=True)}


@pytest.fixture
def trained(engine, open_page):
    """What the page of a site found."""

    def opened(url):
        if engine == "chromium":
            return found(open_page(url))
        page = OTHERS[engine]()
        try:
            page.get(url)
            seen = found(page)
            assert page.errors() == []
            return seen
        finally:
            page.quit()

    return opened


def found(page):
    page.until("document.documentElement.dataset.found", 120)
    return json.loads(page.execute_script("return document.documentElement.dataset.found"))


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("engine", "headers", "way"),
    [
        ("chromium", {}, "ports"),
        ("chromium", ISOLATED, "shared memory"),
        ("firefox", {}, "ports"),
        ("webkit", {}, "ports"),
    ],
)
def test_two_workers_train_the_network_of_one_and_one_goes_on_without_the_other(
    headers, way, open_site, trained
):
    found = trained(f"{open_site(headers=headers).url}{FOLDER}index.html")
    assert "error" not in found, found
    assert found["size"] == 2
    assert found["why"] == ""
    assert found["names"] == ["team-leader~1", "team-1~2"]  # as DevTools show them
    alone = found["alone"]
    assert len(alone["losses"]) == 18
    assert alone["says"] == "1 worker"
    assert found["shared"]["says"] == f"2 workers, {way}"
    assert found["dying"]["says"] == "1 worker: one of 2 ended"
    assert found["leader"] == "WorkerDiedError"
    for kind in ("shared", "dying"):
        np.testing.assert_allclose(found[kind]["losses"], alone["losses"], rtol=0, atol=1e-5)
        np.testing.assert_allclose(found[kind]["weights"], alone["weights"], rtol=0, atol=1e-4)
