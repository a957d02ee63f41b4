"""A slow or broken network: what the start needs is asked for again, then there is a button."""

import pytest

from tests.browser.test_hosting import loads_again
from tests.support.site import Status, Truncated

pytestmark = pytest.mark.light

FETCHED = (
    "static/vendor/micropython/micropython.wasm", "static/vendor/python/main.txt",
    "static/vendor/python/later.txt",
    "py/app/main.py", "py/app/worker.py", "pyscript.toml", "worker.toml",
    "static/vendor/runtime/pyodide.asm.wasm", "static/vendor/runtime/python_stdlib.zip",
    "static/vendor/runtime/pyodide-lock.json", "static/vendor/runtime/numpy*",
    "static/vendor/python/predict.zip", "static/vendor/python/training.zip",
    "static/vendor/kernels/*",
)  # fmt: skip
PYSCRIPT = "static/vendor/pyscript/core-*.js"
MICROPYTHON = "static/vendor/micropython/micropython.js"
PYODIDE = "static/vendor/runtime/pyodide.js"
RUNTIME = "static/vendor/runtime/pyodide.asm.wasm"
COMPILED = "static/vendor/runtime/pyodide.asm.js"
BROKEN = "503|ERR_|Failed to|Fetch API|dynamically imported|instantiat|network|MessageEvent"
PAGE = "static/boot.js"  # a load of the page asks for it once
LOADS = 3  # the page loads itself again twice


def asked(site, name):
    return len([r for r in site.requests if r.path.endswith(name)])


def left(site):
    """Faults that no request has met."""
    return {name: fault for name, fault in site.faults.items() if fault.times}


def test_what_the_server_is_too_busy_for_is_asked_for_again(site, open_page):
    site.faults = {name: Status(times=1) for name in FETCHED}
    page = open_page(site.url)
    page.expect_console(BROKEN)
    page.wait_for_phase("ready")
    assert asked(site, PAGE) == 1
    page.find_element("id", "start").click()  # the steps are folded once the page is ready
    kernels = page.execute_script("return document.querySelector('[data-name=kernels]').innerText")
    assert "relaxed-simd" in kernels
    assert not asked(site, "embedding.txt"), "what only a framed page uses"
    page.until("document.querySelectorAll('#picture canvas').length > 0")
    assert left(site) == {}


def test_what_breaks_off_loads_the_page_again_and_what_never_arrives_ends_in_a_button(
    site, open_page
):
    """The page's interpreter never arrives, nor the worker's; then each file breaks off once."""
    page = open_page()
    page.expect_console(BROKEN)
    fails(site, page, {MICROPYTHON: Truncated(1000)})
    assert asked(site, MICROPYTHON) >= LOADS
    fails(site, page, {PYODIDE: Truncated(1000, times=LOADS - 1), RUNTIME: Truncated(1000)})
    page.until("document.body.innerText.includes('pyodide.asm.wasm')")
    assert asked(site, RUNTIME) == 3, "twice again within the last load"
    modules = {name: Truncated(1000, times=1) for name in (PYSCRIPT, COMPILED)}
    load(site, page, modules | {name: Truncated(100, times=1) for name in FETCHED})
    page.wait_for_phase("ready")
    assert 2 <= asked(site, PAGE) <= LOADS, "the preload of PyScript's module may break alone"
    assert page.execute_script("return history.state?.farcallLoads ?? 0") == 0
    page.until("document.querySelectorAll('#picture canvas').length > 0")
    assert left(site) == {}


def fails(site, page, faults):
    """Load a page that fails, loads itself again, and gives up."""
    load(site, page, faults)
    page.wait_for_phase("error")
    assert asked(site, PAGE) == LOADS
    page.until("document.body.innerText.includes('Python could not start')")


def load(site, page, faults):
    """Open the page, or press Retry and leave the page that failed."""
    site.faults = faults
    site.requests.clear()
    if page.phase is None:
        page.get(site.url)
        return
    loads_again(page)
