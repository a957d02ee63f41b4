"""Whatever fails, the page says what happened and what to do; it never just waits."""

import pytest

from tests.support.site import Corrupt, Missing

pytestmark = pytest.mark.light


def failed(page, *words):
    page.wait_for_phase("error", timeout=30)
    text = page.until("document.getElementById('failure').innerText")
    for word in words:
        assert word in text, text
    page.until(lambda: page.find_element("id", "failure-reload").is_displayed(), 10)


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Files that do not arrive, or are not what they should be",
)
def test_a_worker_whose_source_is_missing(site, open_page):
    site.faults["py/app/worker.py"] = Missing()
    page = open_page(site.url)
    page.expect_console("404|Unable to fetch")
    failed(page, "could not start", "worker.py", "404")


POLICY = """<head><meta http-equiv="Content-Security-Policy" content="worker-src 'self'">"""


def test_a_worker_that_the_policy_of_the_page_forbids(site, open_page):
    site.replace("index.html", lambda text: text.replace("<head>", POLICY, 1))
    page = open_page(site.url)
    page.expect_console("Content Security Policy")
    failed(page, "Python could not start", "the browser does not run the worker's script")


def test_an_exception_while_the_worker_imports(site, open_page):
    site.replace("py/app/worker.py", lambda text: text.replace("import nn", "import no_such_room"))
    page = open_page(site.url)
    page.expect_console("no_such_room")
    failed(page, "The worker could not start", "no_such_room")
    page.execute_script("document.getElementById('failure-details').open = true")
    assert "Traceback" in page.text


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Files that do not arrive, or are not what they should be",
)
def test_kernels_that_cannot_be_loaded_leave_numpy(site, open_page):
    """One file of them is missing, the other one damaged."""
    site.faults["static/vendor/kernels/relaxed.so"] = Missing()
    site.faults["static/vendor/kernels/simd.so"] = Corrupt()
    page = open_page(site.url)
    page.expect_console("404|CompileError|wasm")
    page.wait_for_phase("ready")
    assert "Training with NumPy alone" in page.text
    assert "relaxed.so: expected 200, the server answered 404" in page.text
    assert "simd.so: " in page.text
    page.button("Train").click()
    page.until(lambda: page.number("batch") > 2)
    assert page.number("loss") < 5


def test_without_relaxed_simd_the_plain_simd_kernels_serve(site, open_page):
    site.faults["static/vendor/kernels/relaxed.so"] = Corrupt()
    page = open_page(site.url)
    page.expect_console("CompileError|wasm")
    page.wait_for_phase("ready")
    kernels = page.execute_script(
        "return document.querySelector('[data-name=kernels]').textContent"
    )
    assert "simd" in kernels
    assert "relaxed" not in kernels


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Files that do not arrive, or are not what they should be",
)
@pytest.mark.parametrize("fault", [Corrupt(), Missing()], ids=["corrupt", "missing"])
def test_a_data_file_that_is_not_as_it_should_be(site, open_page, fault):
    """What else may be damaged in it: tests/unit/app/lab/images/test_mnist.py."""
    site.faults["static/vendor/mnist/t10k-images*"] = fault
    page = open_page(site.url)
    page.expect_console("404")
    failed(page, "t10k-images")
