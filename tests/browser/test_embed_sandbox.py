"""The demo in a sandbox: with its origin, and in the strictest one that runs scripts at all."""

from contextlib import suppress

import pytest
from selenium.common.exceptions import WebDriverException

from tests.browser.test_embed_driving import check, javascript_host, results
from tests.support.embed import HEAD, change, inside, trust, wait_for

pytestmark = pytest.mark.light

ANYONE = {"Access-Control-Allow-Origin": "*"}


def frame(demo, sandbox):
    return (
        f'<iframe title="Demo" sandbox="{sandbox}" width="900" height="900" src="{demo}"></iframe>'
    )


@pytest.fixture
def host(open_site, tmp_path):
    return open_site(tmp_path)


@pytest.fixture
def framed(host, open_page):
    """Open a host with one plain iframe; the driver is inside it."""

    def opened(demo, sandbox):
        address = f"{demo.url}?embed=1#epochs=1&subset=2500"
        (host.folder / "index.html").write_text(HEAD + frame(address, sandbox))
        page = open_page(host.url)
        page.switch_to.frame(page.find_element("css selector", "iframe"))
        return page

    return opened


def trains_and_reads(page):
    page.wait_for_phase("ready")
    page.click("Train")
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    assert page.output("batch") == "20/20"
    page.click("Try a test image")
    page.until(lambda: page.output("prediction").strip().isdigit())


def test_with_its_origin_it_does_everything(site, framed):
    page = framed(site, "allow-scripts allow-same-origin")
    trains_and_reads(page)
    page.click("Save")
    page.until(lambda: "Saved as" in page.text)


class TestSealed:
    """sandbox="allow-scripts": the document's origin is "null", and nothing is kept."""

    def test_without_cors_headers_it_says_what_the_server_must_send(self, site, framed):
        page = framed(site, "allow-scripts")
        page.expect_console("CORS|ERR_FAILED")
        page.wait_for_phase("error")
        page.until(lambda: "Access-Control-Allow-Origin: *" in page.text)
        assert "allow-same-origin" in page.text

    def test_it_trains_and_reads_and_says_that_nothing_is_kept_and_is_driven_by_javascript(
        self, open_site, open_page
    ):
        """The element hears it and is heard."""
        demo, host = open_site(headers=ANYONE), open_site()
        trust(demo, host)
        page = open_page(javascript_host(host, demo, sandbox="allow-scripts", theme="dark"))
        check(results(page))
        wait_for(page, "ready")
        page.until("document.getElementById('demo').frame.style.height.endsWith('px')")
        change(page, "theme", "light")
        change(page, "config", "epochs=1&subset=2500")
        with inside(page):
            page.until("document.documentElement.dataset.theme === 'light'")
            page.until("document.getElementById('option-epochs').value === '1'")
            assert page.execute_script("return origin") == "null"
            trains_and_reads(page)
            says_that_nothing_is_kept(page)


def says_that_nothing_is_kept(page):
    phases = "return document.getElementById('phases').textContent"
    assert "relaxed-simd" in page.execute_script(phases)
    page.click("Save")
    page.until(lambda: "cannot be saved in this browser" in page.text)
    assert "sandbox" in page.text
    assert page.phase == "ready"
    reason = page.execute_script("return document.documentElement.dataset.offlineReason")
    assert "sandbox" in reason


def test_without_scripts_it_says_so(site, host, open_page):
    (host.folder / "index.html").write_text(HEAD + frame(f"{site.url}?embed=1", ""))
    page = open_page(host.url)
    page.expect_console("sandboxed|Blocked script|from origin 'null'|ERR_FAILED")
    page.switch_to.frame(page.find_element("css selector", "iframe"))
    page.until(lambda: "Allow it for this page" in shown(page))


def shown(page):
    """The text of a frame without scripts, "" while its document still arrives."""
    with suppress(WebDriverException):
        return page.find_element("css selector", "body").text
    return ""
