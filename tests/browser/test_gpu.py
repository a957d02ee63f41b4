"""Training on a GPU, from Python in the worker: here on the one that Chromium emulates."""

import json
import os
import signal
from contextlib import closing
from urllib.request import urlopen

import pytest
import websocket

from tools import precache
from tools.serve import ROOT

FOLDER = "tests/browser/gpu/"
GPU = "--enable-unsafe-webgpu"
OFTEN = ("--disable-gpu-process-crash-limit", "--disable-domain-blocking-for-3d-apis")
"""Chromium takes a third death within an hour for a reason to do without a GPU."""
ARCHIVE = "static/vendor/python/gpu.tgz"


def compared(site, open_page, *arguments):
    page = open_page(f"{site.url}{FOLDER}index.html", *arguments)
    page.wait_for_phase("ready")
    return json.loads(page.execute_script("return document.documentElement.dataset.found"))


def test_a_worker_trains_on_the_gpu_as_on_the_cpu(site, open_page):
    found = compared(site, open_page, GPU)
    assert "cpu" not in found["device"]
    assert found["weights"] < 5e-6
    assert found["by tiles"] < 5e-6
    assert found["losses"][1] == pytest.approx(found["losses"][0], abs=1e-5)
    assert found["accuracies"][1] == pytest.approx(found["accuracies"][0])
    assert 2 <= found["batches"] < 10
    assert found["resumed"] == 0
    assert found["while training"] == 2
    assert found["lost"].startswith("cpu: google swiftshader was lost (destroyed")
    assert found["after losses"] < 5e-6


def gpu_process(page):
    """Return the number of the browser's process for GPUs, None while there is none."""
    address = page.capabilities["goog:chromeOptions"]["debuggerAddress"]
    with urlopen(f"http://{address}/json/version") as answer:
        url = json.load(answer)["webSocketDebuggerUrl"]
    with closing(websocket.create_connection(url, suppress_origin=True)) as browser:
        browser.send(json.dumps({"id": 1, "method": "SystemInfo.getProcessInfo"}))
        found = json.loads(browser.recv())["result"]["processInfo"]
    return next((process["id"] for process in found if process["type"] == "GPU"), None)


def test_the_gpu_s_process_may_die_at_any_time(site, open_page):
    page = open_page(f"{site.url}{FOLDER}index.html#driven", GPU, *OFTEN)
    page.wait_for_phase("ready")

    def kill():
        os.kill(page.until(lambda: gpu_process(page)), signal.SIGKILL)

    def ask(question, deaths=0):
        page.execute_script("ask(...arguments)", question, deaths)

    def answer(question):
        page.wait_for_phase(f"answer {question}")
        return json.loads(page.execute_script("return document.documentElement.dataset.found"))

    kill()
    ask("after a death")
    assert answer("after a death") == "google swiftshader"
    ask("before a death")
    kill()
    assert answer("before a death") == "google swiftshader"
    for deaths in (1, 2):
        ask(deaths, deaths)
        for number in range(1, deaths + 1):
            page.wait_for_phase(f"death {number} of {deaths}")
            kill()
            page.execute_script("go()")
        found = answer(deaths)
        assert found["batches"] == 10
        if deaths == 1:
            assert found["device"] == "google swiftshader"
            assert found["off"] == 0
        else:
            assert found["device"].startswith("cpu: google swiftshader was lost (")
            assert found["off"] < 5e-6


def test_without_a_gpu_the_cpu_trains_and_says_why(site, open_page):
    found = compared(site, open_page)
    assert found["reason"] == "the browser offers no GPU"
    assert found["device"] == f"cpu: device 'gpu': {found['reason']}"


def test_the_part_for_gpus_is_small_and_the_page_never_asks_for_it(site):
    assert (ROOT / ARCHIVE).stat().st_size <= 40_000
    assert ARCHIVE not in (ROOT / "worker.toml").read_text()
    assert ARCHIVE in precache.on_demand(ROOT)
