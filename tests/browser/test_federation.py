"""A federation of three under Flower's own SuperLink: a tab of Chromium, one of Firefox, and a
flower-supernode, all with the client app of examples/08-federation.
"""

import asyncio
import shutil
import sys
import time

import nn
import numpy as np
import pytest
from nn import kernels

from tests.support.firefox import Firefox
from tests.support.limit import Limit
from tools.federation import APP, PAGE, Federation
from tools.serve import ROOT

ROUNDS, PLACES = 2, range(4)  # rounds; arrays of the network
MNIST = ROOT / "static" / "vendor" / "mnist"


@pytest.fixture
def recording(tmp_path):
    """The app, with a server that writes down what it receives."""
    app = shutil.copytree(APP, tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "tests/browser/federation/recording.py", app / "learn")
    settings = app / "pyproject.toml"
    settings.write_text(settings.read_text().replace("learn.server_app:app", "learn.recording:app"))
    return app


@pytest.fixture
def federation(tmp_path, site):
    out = tmp_path / "out"
    out.mkdir()
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    with Federation(tmp_path / "run", environment={"LEARN_OUT": str(out), **threads}) as started:
        started.superlink()
        started.gateway("--origin", site.url.rstrip("/"))
        yield started
    assert started._left() == []


@pytest.fixture
def firefox():
    browser = Firefox()
    yield browser
    browser.quit()


def text(browser, element):
    return browser.execute_script(
        "return document.getElementById(arguments[0])?.innerText ?? ''", element
    )


def wait(browser, element, part):
    browser.until(f"document.getElementById('{element}')?.innerText.includes('{part}')", 60)


def loaded(path):
    limit = Limit(100)
    while not path.exists():
        assert not limit.over(), f"{path.name} does not come"
        time.sleep(0.1)
    with np.load(path) as file:
        return dict(file)


@pytest.mark.timeout(240)
def test_two_browsers_and_a_supernode_learn_together(
    federation, site, open_page, firefox, recording, tmp_path
):
    federation.supernode(2)
    here = f"{site.url}{PAGE}?at=http://127.0.0.1:{federation.door}&n="
    tabs = [open_page(here + "0"), firefox]
    firefox.get(here + "1")
    federation.run(recording, num_server_rounds=ROUNDS, min_nodes=3, test_images=500)
    for tab in tabs:
        wait(tab, "state", "ready")
        tab.execute_script("document.getElementById('join').click()")
    rounds = [loaded(tmp_path / "out" / f"round-{number + 1}.npz") for number in range(ROUNDS)]
    for number, saved in enumerate(rounds, 1):
        aggregated_as_flower_does(saved)
        trained_as_without_flower(saved, number)
    for tab in tabs:
        wait(tab, "rounds", "3 nodes")
        wait(tab, "rounds", f"(round {ROUNDS} of {ROUNDS})")
        tab.execute_script("document.getElementById('leave').click()")
        wait(tab, "state", "left")
    assert firefox.errors() == []


def aggregated_as_flower_does(saved):
    """The mean weighted by examples, summed in the order of arrival, bit for bit."""
    counts = [int(saved[f"count-{number}"]) for number in range(3)]
    for place in PLACES:
        parts = [
            saved[f"reply-{number}-{place}"] * (count / sum(counts))
            for number, count in enumerate(counts)
        ]
        np.testing.assert_array_equal(saved[f"made-{place}"], parts[0] + parts[1] + parts[2])


def trained_as_without_flower(saved, server_round):
    """Each share of the images, trained on from the same weights here, gives one of the replies."""
    sys.path.insert(0, str(APP))
    try:
        from learn import task
    finally:
        sys.path.remove(str(APP))
    parts = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
    data = nn.Dataset.from_idx(*[(MNIST / part).read_bytes() for part in parts])
    sent = [saved[f"sent-{place}"] for place in PLACES]
    config = {"learning-rate": 0.1, "epochs": 1, "server-round": server_round}
    found = set()
    for share in range(3):
        device = task.Device(*task.share(data, share))
        with kernels.use("numpy"):
            trained, _ = asyncio.run(device.train(sent, config))
        distances = [
            max(np.abs(saved[f"reply-{n}-{place}"] - trained[place]).max() for place in PLACES)
            for n in range(3)
        ]
        assert min(distances) < 1e-5, distances
        found.add(int(np.argmin(distances)))
    assert found == {0, 1, 2}
