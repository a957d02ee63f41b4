"""Training on a GPU, from Python in the worker: here on the one that Chromium emulates."""

import json

import pytest

from tools.serve import ROOT

FOLDER = "tests/browser/gpu/"
GPU = "--enable-unsafe-webgpu"
ARCHIVE = "static/vendor/python/gpu.tgz"


def compared(site, open_page, *arguments):
    page = open_page(f"{site.url}{FOLDER}index.html", *arguments)
    page.wait_for_phase("ready")
    return json.loads(page.execute_script("return document.documentElement.dataset.found"))


def test_a_worker_trains_on_the_gpu_as_on_the_cpu(site, open_page):
    found = compared(site, open_page, GPU)
    assert "cpu" not in found["device"]
    assert found["weights"] < 5e-6
    assert found["losses"][1] == pytest.approx(found["losses"][0], abs=1e-5)
    assert found["accuracies"][1] == pytest.approx(found["accuracies"][0])
    assert 2 <= found["batches"] < 10
    assert found["resumed"] == 0
    assert found["while training"] == 2
    assert "expected results, received" in found["lost"]
    assert "destroyed" in found["lost"]
    assert found["kept"]
    assert found["again"] == found["losses"][1]


def test_without_a_gpu_the_cpu_trains_and_says_why(site, open_page):
    found = compared(site, open_page)
    assert found["reason"] == "the browser offers no GPU"
    assert found["device"] == f"cpu: device 'gpu': {found['reason']}"


def test_the_part_for_gpus_is_small_and_the_page_never_asks_for_it(site):
    assert (ROOT / ARCHIVE).stat().st_size <= 40_000
    assert ARCHIVE not in (ROOT / "worker.toml").read_text()
    assert ARCHIVE not in (ROOT / "static/vendor/precache.js").read_text()
