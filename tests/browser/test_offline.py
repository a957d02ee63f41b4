"""The offline copy, on a small site with the real service worker: what is kept, moved and mixed."""

import gzip
import shutil

import pytest

from tests.support.site import Missing, Status, Unpacked
from tools import precache

INDEX = """<!doctype html><html data-phase="loading"><meta charset="utf-8"><title>small</title>
<link rel="icon" href="data:,"><link rel="manifest" href="./manifest.webmanifest">
<link rel="stylesheet" href="./static/style.css"><script src="./static/boot.js"></script>
<script src="./static/offline.js" defer></script>
<body><p id="said"></p><script type="module">
import { text } from "./static/part.js";
const data = await (await fetch("./static/data.bin")).text();
said.textContent = `index 1, ${text}, data ${data.length}`;
document.documentElement.dataset.phase = "ready";
</script></body></html>
"""

OWN = ("boot.js", "offline.js", "style.css")
READY = "document.documentElement.dataset.offline === 'ready'"
CONTROLLED = "navigator.serviceWorker.controller !== null"


@pytest.fixture
def folder(tmp_path):
    """A site in which only index.html, one module and one data file stand for the real ones."""
    folder = tmp_path / "site"
    (folder / "static" / "vendor").mkdir(parents=True)
    copied = "sw.js", "manifest.webmanifest", *(f"static/{name}" for name in OWN)
    for name in copied:
        shutil.copy(precache.ROOT / name, folder / name)
    shutil.copy(precache.ROOT / "static/icon.svg", folder / "static/icon.svg")
    for name in precache.PUBLISHED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if not (folder / name).exists():
            (folder / name).write_text("")
    (folder / "index.html").write_text(INDEX)
    (folder / "static/part.js").write_text('export const text = "part 1";\n')
    (folder / "static/data.bin").write_text("x" * 100_000)
    (folder / "static/data.gz").write_bytes(gzip.compress(b"packed"))
    publish(folder)
    return folder


@pytest.fixture
def prefix():
    return "/docs/demo/"


@pytest.fixture
def small(folder, open_site, prefix):
    return open_site(folder, prefix=prefix)


def publish(folder):
    precache.main(["--root", str(folder)])


def said(page):
    return page.until("document.getElementById('said')?.textContent")


def failed(page, word):
    """Wait until there is no copy, for a reason with a word in it: of two that are given, the
    worker's own may come second."""
    data = "document.documentElement.dataset"
    page.until(f"{data}.offline === 'failed' && {data}.offlineReason.includes({word!r})")


def offline(page):
    """(state, reason) of the copy."""
    state = page.execute_script("return {...document.documentElement.dataset}")
    return state.get("offline"), state.get("offlineReason")


def visited(small, open_page):
    page = open_page(small.url)
    page.until(READY)
    return page


def moved(small):
    """What was sent since the last call: path to bytes, without what moved none."""
    sent = {}
    for request in small.requests:
        if request.sent and request.status == 200:
            sent[request.path] = sent.get(request.path, 0) + request.sent
    small.requests.clear()
    return sent


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Works without a network after the first visit",
)
@pytest.mark.parametrize("prefix", ["/", "/docs/demo/"])
def test_works_without_network_after_the_first_visit(small, open_page):
    small.faults["*.gz"] = Unpacked()  # as Flask and Django send it
    page = visited(small, open_page)
    small.close()
    page.get(small.url)
    assert said(page) == "index 1, part 1, data 100000"
    page.execute_script(
        "fetch('./static/data.gz').then((r) => r.text()).then((text) => { window.text = text })"
    )
    assert page.until("window.text") == "packed"
    page.get(small.url + "?embed=1")
    assert said(page) == "index 1, part 1, data 100000"
    head = "fetch('./static/data.bin', {method: 'HEAD'}).then(r => { window.head = r.status })"
    page.execute_script(head)
    assert page.until("window.head") == 200


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "One file for many images: MNIST in four requests",
)
def test_the_first_visit_moves_each_file_once(small, open_page):
    visited(small, open_page)
    data = [r for r in small.requests if r.path == "static/data.bin" and r.sent]
    assert len(data) == 1


@pytest.mark.promise("Earlier work: models in production", "The second visit downloads nothing")
def test_the_second_visit_moves_nothing(small, open_page):
    page = visited(small, open_page)
    moved(small)
    page.get(small.url)
    page.until(READY)
    assert said(page) == "index 1, part 1, data 100000"
    assert moved(small) == {}


def change(folder):
    """Deploy a second version: another index and another module, the same data."""
    (folder / "index.html").write_text(INDEX.replace("index 1", "index 2"))
    (folder / "static/part.js").write_text('export const text = "part 2";\n')
    publish(folder)


def test_an_update_waits_for_a_yes_and_moves_only_what_changed(small, folder, open_page):
    page = visited(small, open_page)
    change(folder)
    moved(small)
    page.get(small.url)
    page.until("document.documentElement.dataset.offline === 'update'")
    assert said(page) == "index 1, part 1, data 100000"
    page.get(small.url)
    assert said(page) == "index 1, part 1, data 100000"
    page.until("document.getElementById('offline-notice')")
    page.button("Update").click()
    page.until(lambda: page.check("document.getElementById('said').textContent.includes('2')"))
    assert said(page) == "index 2, part 2, data 100000"
    page.until(READY)
    assert set(moved(small)) == {"index.html", "static/part.js", "static/vendor/precache.js"}


def test_later_means_later(small, folder, open_page):
    page = visited(small, open_page)
    change(folder)
    page.get(small.url)
    page.until("document.getElementById('offline-notice')")
    page.button("Later").click()
    page.until("document.getElementById('offline-notice') === null")
    assert said(page) == "index 1, part 1, data 100000"


def test_another_open_tab_is_never_given_new_files(small, folder, open_page):
    page = visited(small, open_page)
    page.get(small.url)
    page.until(CONTROLLED)
    page.switch_to.new_window("tab")
    page.get(small.url)
    page.until(CONTROLLED)
    change(folder)
    page.refresh()
    page.until("document.getElementById('offline-notice')")
    page.button("Update").click()
    page.until("document.querySelector('#offline-notice p').textContent.includes('other tab')")
    assert said(page) == "index 1, part 1, data 100000"
    part = "import('./static/part.js?late').then(m => { window.late = m.text })"
    page.execute_script(part)
    assert page.until("window.late") == "part 1"
    other = next(h for h in page.window_handles if h != page.current_window_handle)
    mine = page.current_window_handle
    page.switch_to.window(other)
    page.close()
    page.switch_to.window(mine)
    page.until(lambda: updated(page))
    assert said(page) == "index 2, part 2, data 100000"


# The other tab may be counted for a moment after it was closed.
PRESS = """
document.querySelector("#offline-notice button")?.click();
return document.getElementById("said")?.textContent.includes("2");
"""


def updated(page):
    """Press Update, and say whether the page is the new one by now."""
    return page.execute_script(PRESS)


def test_a_half_deployed_version_is_not_installed(small, folder, open_page):
    page = visited(small, open_page)
    small.replace("static/part.js", (folder / "static/part.js").read_bytes())
    change(folder)
    page.expect_console("integrity|digest")
    page.get(small.url)
    page.until(lambda: len([r for r in small.requests if r.path == "static/part.js"]) >= 4)
    page.until(lambda: redundant(page))
    assert said(page) == "index 1, part 1, data 100000"
    small.close()
    page.get(small.url)
    assert said(page) == "index 1, part 1, data 100000"


LATER = "static/vendor/applications/network.npz"
BYTES = """
const [path, done] = arguments;
const length = async (answer) => answer.ok && (await answer.arrayBuffer()).byteLength;
fetch(path).then(length).then(done, (error) => done(String(error)));
"""


def test_a_file_that_few_visits_need_is_kept_once_one_asked_for_it(small, folder, open_page):
    (folder / LATER).parent.mkdir(parents=True)
    (folder / LATER).write_bytes(bytes(5000))
    publish(folder)
    page = visited(small, open_page)
    assert LATER not in moved(small)
    page.get(small.url)  # from now on the copy answers
    assert said(page)
    assert page.execute_async_script(BYTES, LATER) == 5000
    page.until(lambda: page.execute_async_script(BYTES, LATER) == 5000)
    small.close()
    page.get(small.url)
    assert said(page) == "index 1, part 1, data 100000"
    assert page.execute_async_script(BYTES, LATER) == 5000
    head = f"fetch('{LATER}', {{method: 'HEAD'}}).then((r) => {{ window.head = r.status }})"
    page.execute_script(head)
    assert page.until("window.head") == 200


def redundant(page):
    """Whether no new version is there, or on its way."""
    return page.execute_async_script(
        "navigator.serviceWorker.getRegistration().then("
        "r => arguments[0](r.installing === null && r.waiting === null))"
    )


def test_a_broken_first_download_leaves_a_page_that_works_online(small, open_page):
    small.faults["static/data.bin"] = Missing()
    page = open_page(small.url)
    page.expect_console("404")
    page.execute_script("document.documentElement.dataset.phase = 'ready'")
    failed(page, "static/data.bin: ")
    small.faults.clear()
    page.get(small.url)
    assert said(page) == "index 1, part 1, data 100000"
    page.until(READY)


def test_a_download_that_fails_once_is_tried_again(small, open_page):
    small.faults["static/icon.svg"] = Status(code=503, times=1)
    page = open_page(small.url)
    page.expect_console("503")
    page.until(READY)
    small.close()
    page.get(small.url)
    assert said(page) == "index 1, part 1, data 100000"


def test_a_full_disk_leaves_a_page_that_works_online(small, open_page):
    page = open_page()
    page.execute_cdp_cmd(
        "Storage.overrideQuotaForOrigin", {"origin": origin(small), "quotaSize": 20_000}
    )
    page.get(small.url)
    failed(page, "Quota")
    assert said(page) == "index 1, part 1, data 100000"
    page.get(small.url)
    assert said(page) == "index 1, part 1, data 100000"


REGISTER = "ServiceWorkerContainer.prototype.register = {} => {{ throw new TypeError('denied') }}"
REFUSED, THROWS = REGISTER.format("async ()"), REGISTER.format("()")


@pytest.mark.parametrize("script", [REFUSED, THROWS], ids=["refused", "throws"])
def test_a_worker_that_may_not_register_leaves_a_page_that_works_online(small, open_page, script):
    page = open_page()
    page.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
    for _ in range(2):
        page.get(small.url)
        failed(page, "denied")
        assert said(page) == "index 1, part 1, data 100000"


@pytest.mark.parametrize("fault", [Missing(), Status(code=503)], ids=["missing", "busy"])
def test_a_worker_that_does_not_arrive_leaves_a_page_that_works_online(small, open_page, fault):
    small.faults["sw.js"] = fault
    page = open_page(small.url)
    page.expect_console("404|503|ServiceWorker")
    failed(page, "script")
    assert said(page) == "index 1, part 1, data 100000"
    small.faults.clear()
    page.get(small.url)
    page.until(READY)


def origin(small):
    return f"http://127.0.0.1:{small.port}"


def test_a_copy_that_lost_a_file_is_completed_or_given_up_as_a_whole(small, folder, open_page):
    page = visited(small, open_page)
    forget(page, "data.bin")
    page.get(small.url)
    assert said(page) == "index 1, part 1, data 100000"
    forget(page, "part.js")
    change(folder)
    page.get(small.url)
    page.expect_console("Failed|integrity|digest")
    page.until(lambda: gone(page))
    page.get(small.url)
    assert said(page) == "index 2, part 2, data 100000"


def forget(page, ending):
    """Drop one file of the copy, as a browser short of space may."""
    page.execute_async_script(
        """
        const [ending, done] = arguments;
        (async () => {
          const text = await (await fetch("./static/vendor/precache.js")).text();
          const files = new Function("self", text + "; return self.PRECACHE.files")({});
          const [path] = Object.keys(files).filter(name => name.endsWith(ending));
          const hash = encodeURIComponent(files[path][0]);
          const [name] = await caches.keys();
          const store = await caches.open(name);
          const [entry] = (await store.keys()).filter(r => r.url.endsWith(hash));
          await store.delete(entry);
        })().then(done, done);
        """,
        ending,
    )


def gone(page):
    return page.execute_async_script(
        "navigator.serviceWorker.getRegistration().then(r => arguments[0](!r))"
    )


def test_the_page_can_be_installed(small, open_page):
    page = visited(small, open_page)
    answer = page.execute_cdp_cmd("Page.getInstallabilityErrors", {})
    assert answer["installabilityErrors"] == []


@pytest.mark.parametrize("sandbox", ["allow-scripts", "allow-scripts allow-same-origin"])
def test_frames_keep_no_copy_and_say_why(small, open_page, sandbox):
    small.replace(
        "host.html",
        f"<!doctype html><link rel=icon href=data:,><iframe src=index.html sandbox='{sandbox}'>",
    )
    small.headers["Access-Control-Allow-Origin"] = "*"
    page = open_page(small.url + "host.html")
    page.switch_to.frame(0)
    assert said(page) == "index 1, part 1, data 100000"
    assert offline(page)[0] == "unavailable"
    assert offline(page)[1]
