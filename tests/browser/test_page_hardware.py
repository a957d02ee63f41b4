"""The options Device and Cores: what trains, what is said of it, and that the curve is the same."""

import numpy as np
import pytest

from tests.browser.test_gpu import GPU
from tests.support.site import Missing

pytestmark = pytest.mark.light

SAID = "document.getElementById('status').textContent"
ROWS = "[...document.querySelectorAll('#epochs tbody tr:not(.empty)')]"
# Few kernels: a GPU that is emulated compiles those of the usual network for twenty seconds.
SMALL = "Flatten;Dense,activation:relu,units:16;Dense,activation:softmax,units:10"
LINK = f"preset=custom&layers={SMALL}&subset=1000&epochs=2"
PARTS = ("hardware.txt", "gpu.tgz")
# The page's workers, the latest last.
WORKERS = """
globalThis.workers = [];
globalThis.Worker = class extends Worker {
    constructor(...all) { super(...all); workers.push(this); }
};
"""
# Every text that is said beside an option, in order.
HEARD = """
globalThis.heard = [];
for (const name of ["device", "cores"]) {
    const note = document.getElementById(`${name}-note`);
    const all = { childList: true, characterData: true, subtree: true };
    new MutationObserver(() => heard.push(note.textContent)).observe(note, all);
}
"""


@pytest.fixture(scope="module")
def page(module_site, open_module_page):
    """A page whose browser has a GPU, though an emulated one."""
    page = open_module_page(None, GPU)
    page.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WORKERS})
    page.get(f"{module_site.url}#{LINK}")
    page.wait_for_phase("ready")
    page.until("document.querySelector('#picture canvas')")
    page.fetched_before = {request.path.rsplit("/", 1)[-1] for request in module_site.requests}
    page.execute_script(HEARD)
    return page


@pytest.fixture(scope="module")
def usual(page):
    """The curve of one core of the CPU."""
    return trained(page, LINK)


def trained(page, link):
    """The figures of each epoch of a run from fresh weights: losses, shares of right answers."""
    page.execute_script("location.hash = arguments[0]", link)
    page.click("Reset")
    page.until(f"{SAID}.includes('not trained yet')")
    before = page.execute_script(f"return {ROWS}.length")
    page.click("Train")
    page.until(f"{SAID}.startsWith('Done') && {ROWS}.length === {before + 2}", 120)
    rows = page.execute_script(
        f"return {ROWS}.slice(-2)"
        ".map((row) => [...row.cells].slice(2, 6).map((cell) => parseFloat(cell.textContent)))"
    )
    return [row[::2] for row in rows], [row[1::2] for row in rows]


def alike(found, expected):
    """Whether two curves are one but for rounding, which may turn the answer to an image."""
    np.testing.assert_allclose(found[0], expected[0], atol=2e-3, rtol=0)
    np.testing.assert_allclose(found[1], expected[1], atol=0.21, rtol=0)


def said(page, option, words):
    """Wait until these words stand beside an option."""
    note = f"document.getElementById('{option}-note').textContent"
    return page.until(f"{note}.includes({words!r}) && {note}", 60)


def test_a_page_that_keeps_one_core_of_the_cpu_fetches_nothing_for_more(page):
    assert {"main.txt", "later.txt"} <= page.fetched_before
    assert not page.fetched_before & set(PARTS)


@pytest.mark.promise("The page: training", "Device: the GPU, or the faster of it and the CPU")
def test_the_gpu_trains_the_curve_of_the_cpu_and_the_option_says_so(page, usual):
    page.execute_script("location.hash = arguments[0]", LINK + "&device=gpu")
    said(page, "device", "google swiftshader: emulated, so slower than the CPU.")
    alike(trained(page, LINK + "&device=gpu"), usual)
    said(page, "device", "google swiftshader trains.")
    heard = page.execute_script("return heard")
    assert heard.index("Looking for a GPU…") < heard.index(
        "google swiftshader: its shaders compile before the first batch."
    )


@pytest.mark.promise("The page: training", "Device: the GPU, or the faster of it and the CPU")
def test_what_the_gpu_cannot_train_the_cpu_trains_and_the_option_says_why(page):
    trained(page, LINK + "&device=gpu&l2=0.01")
    said(page, "device", "kernel: no kernels for regularizers.")
    page.execute_script("location.hash = arguments[0]", LINK + "&device=auto")
    said(page, "device", "The CPU trains: google swiftshader is emulated.")
    page.execute_script("location.hash = arguments[0]", LINK)
    page.until("!document.getElementById('device-note').textContent")


# Chooses the usual devices again in the very turn in which a run ends.
BACK = """
new MutationObserver((_, observer) => {
    if (document.documentElement.dataset.phase !== "ready") return;
    observer.disconnect();
    for (const [name, value] of [["device", "cpu"], ["cores", "1"]]) {
        const field = document.getElementById(`option-${name}`);
        field.value = value;
        field.dispatchEvent(new Event("change"));
    }
}).observe(document.documentElement, { attributeFilter: ["data-phase"] });
"""


@pytest.mark.promise("The page: training", "Device: the GPU, or the faster of it and the CPU")
def test_what_trained_is_not_said_of_options_that_are_changed_when_a_run_ends(page):
    page.execute_script("location.hash = arguments[0]", LINK + "&device=auto&cores=2")
    said(page, "device", "The CPU trains: google swiftshader is emulated.")
    said(page, "cores", "2 workers")
    page.execute_script(BACK)  # which the run's end may outrun once it has begun
    page.click("Train")
    page.wait_for_phase("training")
    page.until(f"{SAID}.startsWith('Done')", 120)
    page.click("Try a test image")  # its answer comes after that of what trained
    page.until("document.getElementById('draw-note').textContent.includes('test image')")
    notes = "['device', 'cores'].map((name) => document.getElementById(`${name}-note`).textContent)"
    assert page.execute_script(f"return {notes}") == ["", ""]


@pytest.mark.promise("The page: training", "Cores: several workers train one network")
def test_two_workers_train_the_curve_of_one_and_the_option_says_so(page, usual):
    alike(trained(page, LINK + "&cores=2"), usual)
    said(page, "cores", "2 workers, ports.")
    assert trained(page, LINK) == usual, "one core trains alone again"
    assert not page.execute_script("return document.getElementById('cores-note').textContent")


# How many workers the page watches: it waits for the lock that each holds while it lives.
WATCHED = "navigator.locks.query().then(({ pending }) => pending.length)"


@pytest.mark.promise("The page: training", "Cores: several workers train one network")
def test_a_worker_that_ended_is_replaced_at_the_next_run_and_more_are_started(page, usual):
    page.execute_script("location.hash = arguments[0]", LINK + "&cores=2")
    said(page, "cores", "2 workers.")
    watched = page.execute_script(f"return {WATCHED}")
    page.execute_script("workers.at(-1).terminate()")
    page.until(f"{WATCHED}.then((count) => count < {watched})", what="the page to hear of it")
    alike(trained(page, LINK + "&cores=2"), usual)
    said(page, "cores", "2 workers, ports.")
    page.execute_script("location.hash = arguments[0]", LINK + "&cores=3")
    said(page, "cores", "3 workers.")
    alike(trained(page, LINK + "&cores=3"), usual)
    said(page, "cores", "3 workers, ports.")


@pytest.mark.promise("The page: training", "Cores: several workers train one network")
def test_another_worker_whose_python_does_not_arrive_is_said_and_one_trains(site, open_page):
    page = open_page(site.url + "#" + LINK)
    page.expect_console("404|instantiat|Failed|TypeError|CompileError|MessageEvent")
    page.wait_for_phase("ready")
    page.execute_script("globalThis.same = true")
    site.faults["static/vendor/runtime/pyodide.asm.wasm"] = Missing()
    page.execute_script("location.hash = arguments[0]", LINK + "&cores=2")
    said(page, "cores", "of 2 workers: worker 'cores-1~1': http")
    assert page.execute_script("return same"), "the page did not load itself again"
