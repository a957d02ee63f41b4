"""A worker that dies or whose memory is full ends a run, and not the page."""

import pytest

from tests.browser.test_hosting import loads_again
from tests.browser.test_page_failures import failed
from tests.browser.test_page_resilience import rows, said
from tests.support.pad import draw
from tests.support.site import Hangs

pytestmark = pytest.mark.light


# Takes what the worker's memory has left, but for a little: what follows is the engine's own error.
HOG = """
import js, numpy
from pyodide.ffi import create_proxy
hoard = []
channel = js.BroadcastChannel.new("hog")
def fill(event):
    hoard.clear()
    size = 1 << 28
    while event.data and size >= 1 << 20:
        try:
            hoard.append(numpy.empty(size, numpy.uint8))
        except MemoryError:
            size >>= 1
    left = 0
    while event.data and left < 48e6:
        left += hoard.pop().nbytes
    channel.postMessage(len(hoard))
channel.onmessage = keep = create_proxy(fill)
"""
FILL = """
const [full, done] = arguments;
const channel = new BroadcastChannel("hog");
channel.onmessage = (event) => done(event.data);
channel.postMessage(full);
"""


# Another worker than the page's first is not that of a script tag.
WORKERS = """
globalThis.workers = [];
globalThis.Worker = class extends Worker {
    constructor(...all) { super(...all); workers.push(this); }
};
"""


@pytest.fixture(scope="module")
def page(module_site, open_module_page):
    module_site.replace("py/app/worker.py", lambda text: HOG + text)
    page = open_module_page()
    page.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WORKERS})
    page.get(module_site.url)
    return page


OFFER = """
return document.getElementById("unfinished").hidden
    ? "" : document.getElementById("unfinished-what").textContent;
"""


def begin(page, options):
    """Begin with these options and a fresh network, as a page that has kept nothing."""
    page.wait_for_phase("ready")
    page.execute_script(f"location.hash = '{options}'")
    if page.find_element("id", "forget-runs").is_enabled():
        page.click("Forget runs")
        page.until(lambda: rows(page) == [])
    while offer := page.execute_script(OFFER):
        page.click("Discard it")
        page.until(lambda: page.execute_script(OFFER) != offer)
    page.until("!document.getElementById('reset').disabled")
    page.click("Reset")
    page.until(lambda: "not trained yet" in said(page))
    assert not page.find_element("id", "failure").is_displayed()


def kill(page):
    page.execute_script("workers.forEach((worker) => worker.terminate())")


# In the page, for the run may be over before a driver's next question arrives.
KILL_IN_SECOND_EPOCH = """
const output = document.querySelector("output[name=epoch]");
new MutationObserver((_, watch) => {
    if (!(parseInt(output.textContent) >= 2)) return;
    watch.disconnect();
    workers.forEach((worker) => worker.terminate());
}).observe(output, { childList: true, characterData: true, subtree: true });
"""


def restart(page):
    page.button("Restart the worker").click()
    page.until(lambda: page.phase != "error")
    page.wait_for_phase("ready")


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "A worker that dies; a full memory; what cannot fit",
)
@pytest.mark.promise(
    "Earlier work: models in production",
    "A full memory is freed by a new worker that goes on",
)
def test_a_worker_that_died_is_restarted_and_the_run_continued(page):
    begin(page, "epochs=5&subset=1500")
    page.execute_script(KILL_IN_SECOND_EPOCH)
    page.button("Train").click()
    page.wait_for_phase("error")
    restart(page)
    assert "A run was cut short" in page.text
    page.button("Continue the run").click()
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    assert "Done: epoch 5 of 5" in said(page)
    assert page.output("epoch") == "5/5"
    draw(page)
    page.until(lambda: page.output("prediction").strip().isdigit())


RUNTIME = "static/vendor/runtime/pyodide.asm.wasm"


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "A worker that dies; a full memory; what cannot fit",
)
@pytest.mark.parametrize("name", ["", "playground.html"])
def test_a_worker_that_ended_while_it_started_is_said_and_another_one_starts(site, open_page, name):
    site.faults[RUNTIME] = Hangs(times=1)
    page = open_page()
    page.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WORKERS})
    page.get(f"{site.url}{name}#lr=0.03")
    page.until(lambda: site.faults[RUNTIME].times == 0)
    kill(page)
    failed(page, "The worker is gone", "it ended while it started", "Restart it")
    page.button("Restart the worker").click()
    page.until(lambda: page.phase != "error")
    page.until("['ready', 'training'].includes(document.documentElement.dataset.phase)", 60)
    assert page.execute_script("return location.hash").count("lr=0.03") == 1, "the link counts"


@pytest.fixture
def superlink():
    """Flower's own server: only a program that imports it needs what it imports."""
    from tests.support.superlink import SuperLink

    started = SuperLink()
    yield started
    started.close()


@pytest.fixture
def gateway(superlink, module_site):
    from federation.server.gateway import Gateway

    from tests.support.superlink import Server

    started = Server(Gateway(superlink.url, [module_site.url.rstrip("/")]).application())
    yield started.url
    started.close()


FAREWELLS = """
globalThis.farewells = 0;
const ask = window.fetch.bind(window);
window.fetch = (url, options) => {
    farewells += Boolean(options?.keepalive);
    return ask(url, options);
};
"""


def test_a_worker_that_died_has_left_the_federation_which_hears_of_it(page, superlink, gateway):
    begin(page, "epochs=3&subset=5000")
    page.execute_script("document.getElementById('federation').open = true")
    page.until("!document.getElementById('join').disabled")
    page.execute_script(
        "document.getElementById('federation-address').value = arguments[0];"
        "document.getElementById('join').click()",
        gateway,
    )
    state = "document.getElementById('federation-state').textContent"
    page.until("document.getElementById('federation').hasAttribute('data-goodbye')")
    assert len(superlink.online()) == 1
    kill(page)
    page.wait_for_phase("error")
    page.until(lambda: superlink.online() == [], 10)
    assert page.execute_script(f"return {state}") == "Left: the worker is gone"
    restart(page)
    assert page.execute_script(f"return {state}") == "Left: the worker is gone"
    page.until("!document.getElementById('join').disabled")
    assert not page.execute_script("return document.getElementById('train').disabled")
    page.execute_script(FAREWELLS + "document.getElementById('join').click()")
    page.until("document.getElementById('federation').hasAttribute('data-goodbye')", 30)
    page.execute_script("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
    kill(page)  # as it ends with a page that is closed
    page.wait_for_phase("error")
    assert page.execute_script("return farewells") == 1
    page.until(lambda: superlink.online() == [], 10)
    restart(page)


def test_a_worker_that_died_leaves_a_calm_page_that_can_be_reloaded(page):
    begin(page, "epochs=50")
    page.button("Train").click()
    page.until(lambda: page.number("batch") > 5)
    kill(page)
    failed(page, "The worker is gone", "Reload the page")
    draw(page)
    loads_again(page, "Reload the page")
    page.wait_for_phase("ready")


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "A worker that dies; a full memory; what cannot fit",
)
@pytest.mark.promise(
    "Earlier work: models in production",
    "A full memory is freed by a new worker that goes on",
)
@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "What is too large for the device is refused before it is tried",
)
def test_what_no_browser_can_hold_is_refused_and_a_full_memory_ends_the_run_and_not_the_page(
    page,
):
    wide = "Conv2D,filters:256,kernel_size:3,padding:same"
    layers = f"{wide};{wide};Flatten;Dense,units:10,activation:softmax"
    begin(page, f"preset=custom&layers={layers}&batch=2048")
    page.button("Train").click()
    page.until("!document.getElementById('failure').hidden")
    assert "This is too large for the memory" in page.text
    assert "9.9 GB" in page.text
    assert page.phase == "ready"
    page.button("Dismiss").click()
    page.execute_script("location.hash = 'preset=deep&batch=2048&epochs=1&subset=5000'")
    page.until("document.getElementById('preset').value === 'deep'")
    blocks = page.execute_async_script(FILL, True)
    assert blocks > 0
    page.button("Train").click()
    page.until("!document.getElementById('failure').hidden")
    assert "This is too large for the memory" in page.text
    assert page.phase == "ready"
    page.button("Dismiss").click()
    page.execute_async_script(FILL, False)
    page.execute_script("location.hash = 'preset=deep&batch=128&epochs=1&subset=2500'")
    page.button("Train").click()
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    assert "Done: epoch 1 of 1" in said(page)
