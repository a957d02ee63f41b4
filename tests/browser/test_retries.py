"""A slow or broken network: what the start needs is asked for again, then there is a button."""

import pytest

from tests.support.site import Status, Truncated

pytestmark = pytest.mark.light(10_000)

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
MICROPYTHON = "static/vendor/micropython/micropython.mjs"
PYODIDE = "static/vendor/runtime/pyodide.mjs"
RUNTIME = "static/vendor/runtime/pyodide.asm.wasm"
COMPILED = "static/vendor/runtime/pyodide.asm.js"
BROKEN = "503|ERR_|Failed to|Fetch API|dynamically imported|instantiat|network|MessageEvent"
LOADS = "performance.getEntriesByType('navigation')[0].type"


def asked(site, name):
    return len([r for r in site.requests if r.path.endswith(name)])


@pytest.mark.parametrize("fault", [Truncated, Status])
def test_what_is_fetched_is_asked_for_again(site, open_page, fault):
    """Each file breaks once: in the middle of its bytes, or with 503."""
    for name in FETCHED:
        site.faults[name] = Truncated(keep=100, times=1) if fault is Truncated else Status(times=1)
    page = open_page(site.url)
    page.expect_console(BROKEN)
    page.wait_for_phase("ready")
    assert page.check(LOADS) == "navigate"
    page.find_element("id", "start").click()  # the steps are folded once the page is ready
    kernels = page.execute_script("return document.querySelector('[data-name=kernels]').innerText")
    assert "relaxed-simd" in kernels
    assert not asked(site, "embedding.txt"), "what only a framed page uses"
    page.until("document.querySelectorAll('#picture canvas').length > 0")


@pytest.mark.parametrize("names", [(PYSCRIPT, PYODIDE), (MICROPYTHON, COMPILED)])
def test_a_module_that_did_not_arrive_loads_the_page_again(site, open_page, names):
    for name in names:
        site.faults[name] = Truncated(keep=1000, times=1)
    page = open_page(site.url)
    page.expect_console(BROKEN)
    page.wait_for_phase("ready")
    assert page.check(LOADS) == "reload"
    assert page.execute_script("return history.state?.farcallLoads ?? 0") == 0


def test_what_never_arrives_ends_in_a_button_that_loads_the_page_again(site, open_page):
    """A module of each interpreter, then a runtime, then all is there."""
    page = open_page()
    page.expect_console(BROKEN)
    for number, name in enumerate((MICROPYTHON, PYODIDE, RUNTIME)):
        site.faults = {name: Truncated(keep=1000)}
        site.requests.clear()
        if number:
            press_retry(page)
        else:
            page.get(site.url)
        page.wait_for_phase("error")
        if name == RUNTIME:
            page.until("document.body.innerText.includes('pyodide.asm.wasm')")
        else:
            assert "Python could not start" in page.text
            assert asked(site, name) >= 3
    site.faults.clear()
    press_retry(page)
    page.wait_for_phase("ready")


def press_retry(page):
    """Press Retry, and leave the page that failed."""
    page.execute_script("globalThis.former = true")
    page.button("Retry").click()
    page.until("!globalThis.former && document.documentElement.dataset.phase")
