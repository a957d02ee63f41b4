"""The fixtures themselves: a fault without effect, or a console that is not read, hides bugs."""

from contextlib import ExitStack

import pytest
from selenium.common.exceptions import WebDriverException

from tests.support import processor
from tests.support.chromium import Page
from tests.support.limit import Limit
from tests.support.site import Corrupt, Hangs, Missing, Slow, Status, Truncated

FETCH = """
const done = arguments[arguments.length - 1];
fetch(arguments[0]).then(async r => done([r.status, r.headers.get('content-type'),
  Array.from(new Uint8Array(await r.arrayBuffer()))])).catch(e => done(String(e)));
"""

GIVE = """
const link = document.createElement("a");
[link.href, link.download] = ["data:,x", arguments[0]];
link.click();
"""

BLANK = "<!doctype html><meta charset=utf-8><link rel=icon href=data:,><title>t</title><p>hello"


@pytest.fixture
def page(site, open_page):
    site.replace("blank.html", BLANK)
    site.replace("data.bin", bytes(range(200)))
    return open_page(site.url + "blank.html")


def fetch(page, name):
    return page.execute_async_script(FETCH, name)


def test_serves_the_repository_with_its_mime_types(page, site):
    status, kind, _ = fetch(page, "static/vendor/pyodide/pyodide.mjs")
    assert (status, kind) == (200, "text/javascript")
    assert site.requests[-1].sent > 10_000


def test_wrong_mime_types_are_as_ordered(page, site):
    site.types[".mjs"] = "text/plain"
    assert fetch(page, "static/vendor/pyodide/pyodide.mjs")[1] == "text/plain"


def test_a_prefix_is_the_only_way_in(open_site, open_page):
    site = open_site(prefix="/docs/demo", headers={"X-Test": "yes"})
    site.replace("blank.html", BLANK)
    page = open_page(site.url + "blank.html")
    page.expect_console("404")
    assert page.text == "hello"
    assert fetch(page, "/blank.html")[0] == 404


def test_faults_bite_and_end(page, site):
    page.expect_console("404|503|ERR_CONTENT_LENGTH_MISMATCH|ERR_EMPTY_RESPONSE")
    site.faults["data.*"] = Missing(times=1)
    assert fetch(page, "data.bin")[0] == 404
    assert fetch(page, "data.bin")[2] == list(range(200))
    site.faults["data.bin"] = Corrupt(at=10, count=2)
    assert fetch(page, "data.bin")[2][10:12] == [10 ^ 0x5A, 11 ^ 0x5A]
    site.faults["data.bin"] = Truncated(50)
    assert "TypeError" in fetch(page, "data.bin")
    site.faults["data.bin"] = Truncated(50, honest=True)
    assert fetch(page, "data.bin")[2] == list(range(50))
    site.faults["data.bin"] = Status(code=503)
    assert fetch(page, "data.bin")[0] == 503


def test_a_hanging_file_hangs_until_the_site_closes(page, site):
    page.expect_console("Failed to load resource")
    site.faults["data.bin"] = Hangs()
    page.execute_script("fetch('data.bin').catch(e => { window.failed = String(e) })")
    assert page.execute_script("return window.failed ?? null") is None
    site.close()
    assert "TypeError" in page.until("window.failed")


def test_a_request_is_noted_before_its_answer_arrives(page, site):
    site.faults["data.bin"] = Slow(chunk=100, delay=1)
    assert page.execute_script("return fetch('data.bin').then(({ status }) => status)") == 200
    assert [(r.path, r.status) for r in site.requests[-1:]] == [("data.bin", 200)]


def test_a_second_visit_revalidates_and_moves_no_bytes(page, site):
    fetch(page, "index.css")
    page.expect_console("404")
    name = "static/vendor/uplot/uPlot.esm.js"
    fetch(page, name)
    page.get(site.url + "blank.html")
    fetch(page, name)
    answers = [(r.status, r.sent > 0) for r in site.requests if r.path == name]
    assert answers == [(200, True), (304, False)]


@pytest.mark.parametrize(
    "script",
    [
        "console.error('a dish broke')",
        "new Worker(URL.createObjectURL(new Blob(['console.error(\"a dish broke\")'])))",
        "setTimeout(() => { throw new Error('a dish broke') })",
        "Promise.reject(new Error('a dish broke'))",
        "new Worker(URL.createObjectURL(new Blob(['throw new Error(\"a dish broke\")'])))",
    ],
)
def test_the_console_is_read(page, script):
    page.execute_script(script)
    page.until(lambda: page.surprises())
    assert "a dish broke" in page.surprises()[0]
    page.expect_console("a dish broke")
    assert page.surprises() == []


def test_nothing_outside_this_machine_exists(page):
    page.expect_console("ERR_NAME_NOT_RESOLVED")
    assert "TypeError" in fetch(page, "http://example.org/")


def test_waiting_ends_with_what_the_page_says(page):
    with pytest.raises(AssertionError, match="hello"):
        page.until("window.never", timeout=0.1)
    with pytest.raises(AssertionError, match="phase ready"):
        page.wait_for_phase("ready", timeout=0.1)
    page.execute_script("document.documentElement.dataset.phase = 'ready'")
    assert page.wait_for_phase("ready") == "ready"
    page.execute_script("document.documentElement.dataset.phase = 'error'")
    with pytest.raises(AssertionError, match="the page failed"):
        page.wait_for_phase("ready")


SHORT = """
const button = document.body.appendChild(document.createElement("button"));
button.textContent = "Train";
button.addEventListener("click", () => setTimeout(() => {
  const root = document.documentElement;
  for (const phase of ["training", "paused", "ready"]) root.dataset.phase = phase;
}));
"""


def test_a_phase_too_short_to_be_seen_is_waited_for_all_the_same(page):
    page.execute_script(SHORT)
    for _ in range(2):
        page.click("Train")
        page.wait_for_phase("training")
        page.wait_for_phase("ready")
    with pytest.raises(AssertionError, match="phase paused"):  # before the phase that came last
        page.wait_for_phase("paused", timeout=0.1)
    page.click("Train")
    page.wait_for_phase("paused")


RESTARTED = """
const root = document.documentElement;
const button = document.body.appendChild(document.createElement("button"));
button.textContent = "Restart the worker";
button.addEventListener("click", () => setTimeout(() => {
  root.dataset.phase = "loading";
  setTimeout(() => { root.dataset.phase = arguments[0]; });
}, 300));
root.dataset.phase = "error";
"""


def test_an_error_that_a_click_ends_is_no_failure_and_the_next_one_is(page):
    page.execute_script(RESTARTED, "ready")
    page.wait_for_phase("error")
    page.click("Restart the worker")
    page.wait_for_phase("ready")
    page.execute_script(f"document.querySelector('button').remove();{RESTARTED}", "error")
    page.click("Restart the worker")
    with pytest.raises(AssertionError, match="the page failed"):
        page.wait_for_phase("ready")


# A run that ends by itself in the task after its beginning.
RUN = """
const root = document.documentElement;
const enter = (phase) => { root.dataset.phase = phase; };
const press = (name, pressed) => {
  const button = document.body.appendChild(document.createElement("button"));
  button.textContent = name;
  button.addEventListener("click", pressed);
};
enter("ready");
press("Train", () => setTimeout(() => {
  enter("training");
  setTimeout(() => { globalThis.stopped ??= false; enter("ready"); });
}));
press("Stop", () => { globalThis.stopped ??= true; });
"""


def test_a_run_that_is_over_at_once_is_stopped_before_its_end(page):
    page.execute_script(RUN)
    page.train_a_little()
    assert page.phase == "ready"
    assert page.execute_script("return stopped")


def test_a_closed_site_is_a_machine_without_network(page, site):
    site.close()
    with pytest.raises(WebDriverException, match="ERR_CONNECTION_REFUSED"):
        page.get(site.url + "blank.html")
    site.open()
    page.get(site.url + "blank.html")
    assert page.text == "hello"


@pytest.mark.parametrize("shell", [False, True])
def test_a_browser_that_has_quit_leaves_no_process(shell):
    page = Page(shell=shell)
    pids = processor.started(page.service.process.pid)
    assert len(pids) > 2
    page.quit()
    limit = Limit(20)
    while left := [pid for pid in pids if processor.runs(pid)]:
        assert limit.left() > 0, left


@pytest.mark.parametrize("shell", [False, True])
def test_a_file_is_stored_where_a_test_says_and_else_nowhere(tmp_path, monkeypatch, shell):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    named = tmp_path / "named"
    allowed = {"behavior": "allow", "downloadPath": str(named)}
    with ExitStack() as pages:
        # Two: one that learns where while it gets a file may store that there too.
        for name in ("unnamed.txt", "wanted.txt"):
            page = Page(shell=shell)
            pages.callback(page.quit)
            if name == "wanted.txt":
                page.execute_cdp_cmd("Browser.setDownloadBehavior", allowed)
            page.execute_script(GIVE, name)
        page.until(lambda: (named / "wanted.txt").exists())
        assert [path.name for path in tmp_path.rglob("*.txt")] == ["wanted.txt"]
