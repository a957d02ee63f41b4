"""What a browser has is used; what it lacks is said, and the page does without it."""

import io
import re
import zipfile

import pytest

from tests.browser.test_hosting import ISOLATED
from tests.support import pad
from tests.support.firefox import Firefox
from tools.serve import ROOT

pytestmark = pytest.mark.light

# In front of all else, on the page and in its workers.
ANCHOR = "    self.farcallResilience = true;\n"
NAVIGATORS = "[self.Navigator, self.WorkerNavigator].forEach((c) => c && {});"
FINALIZERS = "delete self.FinalizationRegistry;"
LOCKS = NAVIGATORS.format("delete c.prototype.locks")
RELAXED = "WebAssembly.validate = () => false;"
WORKERS = "if (self.Navigator) delete Navigator.prototype.serviceWorker;"
SETTINGS = (
    "if (self.Storage) Object.defineProperty(self, 'localStorage', "
    "{ get() { throw new DOMException('denied', 'SecurityError') } });"
)
DATABASE = (
    "delete self.IDBFactory; "
    "Object.defineProperty(self, 'indexedDB', { value: null, configurable: true });"
)
ENVIRONMENT = """
return Object.fromEntries([...document.querySelectorAll("#facts dt")].map(
    (name) => [name.innerText, name.nextElementSibling.innerText]))
"""
LOADED = """
const hints = [...document.querySelectorAll("link[rel$=preload]")].map((link) => link.href);
const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
return hints.map((name) => [name, loaded.filter((other) => other === name).length]);
"""
ABILITIES = ("Finalizers", "Memory for settings", "Offline copy", "Relaxed SIMD", "Storage",
             "Web Locks")  # fmt: skip


def environment(page):
    page.execute_script("document.getElementById('environment').open = true")
    page.until("document.querySelectorAll('#facts dt').length > 5")
    return page.execute_script(ENVIRONMENT)


def works(page):
    """Train a little, draw, get an answer."""
    page.wait_for_phase("ready")
    page.train_a_little()
    pad.draw(page)
    page.until(lambda: page.output("prediction").strip().isdigit())


def without(site, *scripts):
    """Take things away before any other script runs."""
    site.replace(
        "static/resilience.js", lambda text: text.replace(ANCHOR, ANCHOR + " ".join(scripts))
    )


@pytest.fixture(scope="module")
def usual(module_site, open_module_page):
    """A page as it comes, that has started; nothing on it fetches its files for another reason.

    Such reasons are the offline copy and, where the machine is slow, the list of what is missing.
    """
    later = ("PATIENCE = 15000", "PATIENCE = 3600000")
    module_site.replace("static/diagnose.js", lambda text: text.replace(*later))
    page = open_module_page(module_site.url)
    page.wait_for_phase("ready")
    return page


def test_what_is_fetched_ahead_is_fetched_once(usual):
    """What index.html asks the browser to fetch ahead."""
    counts = dict(usual.execute_script(LOADED))
    assert len(counts) == len(ahead())
    assert counts == dict.fromkeys(counts, 1)


def test_what_is_fetched_ahead_is_fetched_without_that_too(site, open_page):
    site.replace("index.html", lambda text: HINT.sub("", text))
    page = open_page(site.url)
    page.until(lambda: set(ahead()) <= {request.path for request in site.requests})


def ahead():
    return HINT.findall((ROOT / "index.html").read_text())


HINT = re.compile(r'<link rel="(?:module)?preload" .*href="\./(.+?)">')


def test_a_browser_that_has_everything_says_so(usual):
    found = environment(usual)
    assert {name: found[name] for name in ABILITIES if found[name] != "yes"} == {
        "Offline copy": "made once the page rests"
    }


# What each of two browsers lacks: where it is named, and a word of what is said about it.
ONE = {
    FINALIZERS: ("Finalizers", "when the page closes"),
    RELAXED: ("Relaxed SIMD", "plain SIMD"),
    WORKERS: ("Offline copy", "keeps no offline copies"),
}
OTHER = {
    LOCKS: ("Web Locks", "a database that it holds tells"),
    SETTINGS: ("Memory for settings", "at each visit"),
}


@pytest.mark.parametrize("lacks", [ONE, OTHER], ids=["one", "other"])
def test_what_is_missing_is_said_and_done_without(site, open_page, lacks):
    """What one browser lacks the other has: neither is said to lack what it has."""
    without(site, *lacks)
    page = open_page(site.url)
    works(page)
    found = environment(page)
    for name, word in lacks.values():
        assert found[name].startswith("no: "), name
        assert word in found[name]
    assert found["Kernels"] == ("simd" if RELAXED in lacks else "relaxed-simd")
    others = set(ABILITIES) - {name for name, _ in lacks.values()} - {"Offline copy"}
    assert {found[other] for other in others} == {"yes"}


def test_a_browser_that_lacks_all_of_it_still_trains_and_reads(site, open_page):
    without(site, FINALIZERS, LOCKS, RELAXED, WORKERS, SETTINGS, DATABASE)
    page = open_page(site.url)
    works(page)
    found = environment(page)
    assert [name for name in ABILITIES if not found[name].startswith("no: ")] == []
    assert "use Download" in found["Storage"]


PICKED = """
const name = arguments[0], picked = new DataTransfer();
fetch(name).then((response) => response.blob()).then((content) => {
  picked.items.add(new File([content], name));
  const input = document.getElementById("data-files");
  input.files = picked.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
});
"""


def test_a_browser_that_hides_pictures_from_pages_is_said_to(site):
    """As Tor's and LibreWolf do: the network read noise, and so were pictures of classes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in ("cats/1.jpg", "dogs/1.jpg"):
            archive.write(ROOT / "static" / "card.jpg", name)
    site.replace("pets.zip", content.getvalue())
    page = Firefox({"privacy.resistFingerprinting": True})
    try:
        page.get(site.url)
        page.wait_for_phase("ready")
        page.train_a_little()
        pad.draw(page)
        says = "This browser lets no page read pictures"
        page.until(f"document.getElementById('status').textContent.startsWith('{says}')")
        page.execute_script(PICKED, "pets.zip")
        page.until(lambda: f"got none. cats/1.jpg: {says}" in page.text)
        assert page.errors() == []
    finally:
        page.quit()


@pytest.mark.soak
@pytest.mark.parametrize("storage", [True, False])
def test_a_private_window_of_firefox(site, storage):
    """It installs no service worker, and up to 114 it refused IndexedDB; one is isolated."""
    private = {
        "browser.privatebrowsing.autostart": True,
        "dom.indexedDB.privateBrowsing.enabled": storage,
    }
    site.replace("index.html", lambda text: text.replace('data-after="10000"', ""))
    site.headers = ISOLATED if storage else {}
    page = Firefox(private)
    try:
        page.get(site.url)
        works(page)
        assert page.check("crossOriginIsolated") is storage
        page.until("!['waiting', 'installing'].includes(document.documentElement.dataset.offline)")
        found = environment(page)
        # Firefox says what failed before or after it gives the service worker up.
        assert found["Offline copy"].startswith("no: ")
        assert found["Storage"].startswith("yes" if storage else "no: ")
        assert page.errors() == []
    finally:
        page.quit()
