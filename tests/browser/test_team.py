"""Two workers of a page train one network."""

import json

import numpy as np

FOLDER = "tests/browser/team/"


def test_two_workers_train_the_network_of_one_and_one_goes_on_without_the_other(site, open_page):
    page = open_page(f"{site.url}{FOLDER}index.html")
    page.until("document.documentElement.dataset.found", 90)
    found = json.loads(page.execute_script("return document.documentElement.dataset.found"))
    assert "error" not in found, found
    assert found["size"] == 2
    assert found["why"] == ""
    alone = found["alone"]
    assert len(alone["losses"]) == 18
    assert alone["says"] == "1 worker"
    assert found["shared"]["says"] == "2 workers, ports"
    assert found["dying"]["says"] == "1 worker"
    for way in ("shared", "dying"):
        np.testing.assert_allclose(found[way]["losses"], alone["losses"], rtol=0, atol=1e-5)
        np.testing.assert_allclose(found[way]["weights"], alone["weights"], rtol=0, atol=1e-4)
