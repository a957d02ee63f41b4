"""A visitor measures the engine on their own device, stops, and copies the figures."""

import pytest

pytestmark = pytest.mark.light

# Presses Stop at the first row, in the page: the last comes two seconds after it.
STOP = """
const rows = document.getElementById("speed-rows");
new MutationObserver((_, watch) => {
    if (rows.children.length !== 1) return;
    watch.disconnect();
    const [stop, train] = ["measure", "train"].map((id) => document.getElementById(id));
    globalThis.meanwhile = [stop.textContent, train.disabled];
    stop.click();
}).observe(rows, { childList: true });
"""
# No figure is compared here, so one round does as well as the median of five.
HASTY = """
from app.lab.speed import Speed
Speed.measure.__defaults__ = 0.1, 1
"""


@pytest.fixture(scope="module")
def page(module_site, open_module_page):
    module_site.replace("py/app/worker.py", lambda text: HASTY + text)
    page = open_module_page(module_site.url)
    page.wait_for_phase("ready")
    page.execute_script("document.getElementById('speed').open = true")
    return page


def rows(page):
    script = "return [...document.querySelectorAll('#speed-rows tr')].map((r) => r.innerText)"
    return page.execute_script(script)


@pytest.mark.promise(
    "Earlier work: models in production",
    "Measured on the visitor's own device, to copy",
)
def test_measures_this_device_and_copies_the_figures(page, module_site):
    page.execute_cdp_cmd(
        "Browser.grantPermissions",
        {
            "origin": module_site.url.rstrip("/"),
            "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"],
        },
    )
    page.button("Measure this device").click()
    page.until("!document.getElementById('copy-speed').disabled", 120)
    assert len(rows(page)) == 16
    assert rows(page)[0].startswith("Train: Two convolutions (54 k), batches of 128")
    page.button("Copy the figures").click()
    page.until("document.getElementById('status').innerText === 'The figures are copied.'")
    copied = page.execute_async_script(
        "const done = arguments[0]; navigator.clipboard.readText().then(done)"
    )
    assert "kernels relaxed-simd" in copied
    assert copied.count("\n|") == 18


def test_stops_when_asked_shows_figures_that_may_not_be_copied_selected_and_trains_again(page):
    page.execute_script("navigator.clipboard.writeText = () => Promise.reject(new Error('no'))")
    page.execute_script(STOP)
    page.button("Measure this device").click()
    assert page.until("globalThis.meanwhile") == ["Stop measuring", True]
    page.until("!document.getElementById('train').disabled")
    assert 0 < len(rows(page)) < 16
    page.until("!document.getElementById('copy-speed').disabled")
    page.button("Copy the figures").click()
    page.until("getSelection().toString().includes('kernels relaxed-simd')")
    page.execute_script("document.getElementById('step').click()")
    page.until("document.getElementById('status').innerText.startsWith('One batch')")
