"""One journey in each engine: load, train 200 batches, draw, predict, save, embed, reload without
network. `make site`'s folder is served under a path and the policy of the docs, isolated in
Chromium."""

import json
import math
from functools import partial

import pytest

from tests.browser import test_hosting as hosting
from tests.conftest import SPARING
from tests.support import digits, embed, pad
from tests.support.chromium import Page
from tests.support.firefox import Firefox
from tests.support.site import Site
from tests.support.webkit import WebKit
from tools import precache
from tools import site as packing
from tools.serve import ROOT

# Not each driver hears all of the console: a page keeps its own errors, from its first script on.
KEEPER = """
window.__errors = [];
addEventListener("error", (e) => window.__errors.push(String(e.message ?? e.target.src)), true);
addEventListener("unhandledrejection", (e) => window.__errors.push(String(e.reason)));
const { error } = console;
console.error = (...words) => { window.__errors.push(words.join(" ")); error(...words); };
"""
COMLINK = '<script src="./node_modules/comlink/dist/umd/comlink.js"></script>'
EMBEDDED = """
const { frame } = document.getElementById("demo");
const { origin } = new URL(frame.src);
const demo = Comlink.wrap(Comlink.windowEndpoint(frame.contentWindow, self, origin));
const { probabilities } = await demo.predict(new Uint8Array(784));
return [...probabilities];
"""
KEPT = """
const settled = (asked) => new Promise((done) => { asked.onsuccess = () => done(asked.result) });
const base = await settled(indexedDB.open("farcall"));
const rows = await settled(base.transaction("models").objectStore("models").getAll());
base.close();
const digest = async ({ octets }) => new Uint32Array(await crypto.subtle.digest("SHA-256", octets));
return Promise.all(rows.map(async (row) => [...await digest(row)]));
"""
# Of all five epochs: the number of a batch begins again with each.
IMAGES, EPOCHS, BATCH = 30_000, 5, 128
SEEN = f"document.getElementById('progress').value * {EPOCHS * IMAGES}"
BITS = "document.getElementById('bars').dataset.bits"
# What Firefox says of an embedded page that tells its host of its state while the host is left.
LEFT = "does not match the recipient window"
OFFLINE = "document.documentElement.dataset.offline"
KERNELS = {
    "chromium": ("relaxed-simd",),
    "firefox": ("relaxed-simd", "simd"),  # older ones have no relaxed SIMD
    "webkit": ("relaxed-simd", "simd"),  # 2.50 has none
}
NOTE = "document.getElementById('device-note').textContent"
NO_GPU = {
    "chromium": "the browser offers no GPU",
    "firefox": "this browser has no WebGPU",
    "webkit": "this browser has no WebGPU",
}
# A page runs under WebKit's last compiler in test_hosting: this one starts twice, and is framed.
CHROMIUM = partial(Page, *SPARING, shell=bool(SPARING))
ENGINES = {"chromium": CHROMIUM, "firefox": Firefox, "webkit": partial(WebKit, sparing=True)}
# Nearly all other tests run in it as most hosts serve a page: not isolated.
ISOLATES = "chromium"


@pytest.fixture(scope="module")
def host():
    """Somebody else's site, on another port."""
    site = Site(ROOT)
    yield site
    site.close()


@pytest.fixture(scope="module")
def dist(packed, tmp_path_factory, host):
    """`make site`'s folder, which trusts the host, keeps its errors and copies itself at once."""
    folder = tmp_path_factory.mktemp("journey") / "dist"
    packing.build(ROOT, folder)
    (folder / "static" / "keeper.js").write_text(KEEPER)
    index = (folder / "index.html").read_text()
    for old, new in (
        ('<script src="./static/boot.js">', '<script src="./static/keeper.js"></script>\n'),
        ('name="farcall-drivers" content="', host.url.rstrip("/")),
    ):
        assert old in index
        index = index.replace(old, new + old if old.startswith("<") else old + new)
    assert 'data-after="10000"' in index
    (folder / "index.html").write_text(index.replace('data-after="10000"', 'data-after="0"'))
    for name in digits.TRAINING:  # enough for 200 batches: each start would unpack all 60,000
        (folder / digits.FOLDER / name).write_bytes(digits.first(name, IMAGES))
    precache.main(["--root", str(folder)])
    assert "static/embed.js" in precache.published(folder)
    return folder


@pytest.fixture
def demo(dist, host, engine):
    frames = f"frame-ancestors {host.url.rstrip('/')}"
    headers = {"Content-Security-Policy": f"{hosting.policy()}; {frames}"}
    if engine == ISOLATES:
        headers |= hosting.ISOLATED
    site = Site(dist, prefix="/somebody/farcall/", headers=headers)
    yield site
    site.close()


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture
def page(engine):
    browser = ENGINES[engine]()
    yield browser
    browser.quit()


def complaints(page):
    """What the page wrote to its console as an error, in all engines."""
    kept = page.execute_script("return window.__errors.splice(0)")
    said = kept + (page.surprises() if isinstance(page, Page) else page.errors())
    return [text for text in said if LEFT not in text]


def probabilities(page):
    """Draw a 7 and give the bits of the ten answers, once the page rests."""
    page.click("Clear")
    page.until(f"{BITS} === ''")
    pad.draw(page)
    page.until(lambda: page.output("prediction").strip() == "7", 20, "the drawn 7 to be read")
    return pad.answered(page, 20)


def environment(page):
    """The facts of the Environment panel, by name."""
    page.execute_script("document.getElementById('environment').open = true")
    page.until("document.querySelectorAll('#facts dt').length > 5")
    pairs = page.execute_script(
        "return [...document.querySelectorAll('#facts dt')]"
        ".map((name) => [name.innerText, name.nextElementSibling.innerText])"
    )
    return dict(pairs)


def trains(page):
    """Train, on the GPU if there were one: the page says why there is none."""
    choose(page, "gpu")
    page.click("Train")
    page.until(f"{SEEN} >= {200 * BATCH}", 60, "200 batches")
    page.click("Stop")
    page.wait_for_phase("ready")
    assert page.number("loss") < 0.8
    page.until(f"{NOTE}.startsWith('The CPU trains: ')")
    note = page.check(NOTE)
    choose(page, "cpu")
    page.until(f"{NOTE} === ''")
    return note


def choose(page, device):
    """Choose what trains, and wait until the address holds it."""
    page.execute_script(
        "const field = document.getElementById('option-device'); field.value = arguments[0];"
        "field.dispatchEvent(new Event('change'));",
        device,
    )
    page.until(f"location.hash.includes('device=gpu') === {json.dumps(device == 'gpu')}")


def saves(page, number=1):
    """Save the model; the bytes of all that are kept, as hashes."""
    page.click("Save")
    page.until(f"document.getElementById('saved').children.length === {number}")
    page.until(lambda: "Saved as" in page.text)
    return page.execute_script(KEPT)


# WebKit keeps copies apart by origin, so a frame under another port has none.
FRAMES_SHARE_COPIES = {"chromium", "firefox"}


def embeds(page, host, demo, engine):
    """The same page in a frame of another origin, asked from outside; its copy moves no bytes."""
    demo.requests.clear()
    host.replace(
        "journey.html",
        embed.HEAD + embed.script(demo) + COMLINK + embed.tag(load="eager"),
    )
    page.get(host.url + "journey.html")
    page.until("document.getElementById('demo').state?.phase === 'ready'", 60)
    assert page.execute_script("return document.getElementById('demo').src") == demo.url
    if engine in FRAMES_SHARE_COPIES:
        assert {request.path for request in demo.requests if request.sent} <= {"static/embed.js"}
    answers = page.execute_script(EMBEDDED)
    assert len(answers) == 10
    assert math.isclose(sum(answers), 1, abs_tol=1e-4)


def returns(page, demo):
    """A page that is kept starts without moving bytes, and the playground comes beside it."""
    demo.requests.clear()
    page.get(demo.url)
    page.wait_for_phase("ready")
    assert [request for request in demo.requests if request.sent] == []
    learns_points(page, demo)


def learns_points(page, site):
    """Open the playground and let it learn for an epoch."""
    page.get(site.url + "playground.html")
    page.wait_for_phase("ready")
    page.until("!document.getElementById('step').disabled")
    page.execute_script("document.getElementById('step').click()")
    page.until("document.querySelector('output[name=epoch]').textContent === '1'")


@pytest.mark.promise("The page: playground", "It needs no network once it has been opened")
@pytest.mark.timeout(240)
def test_the_whole_journey(engine, page, demo, host):
    page.get(demo.url)
    page.wait_for_phase("ready")
    assert page.execute_script("return crossOriginIsolated") == (engine == ISOLATES)
    assert environment(page)["Kernels"] in KERNELS[engine]
    assert trains(page) == f"The CPU trains: {NO_GPU[engine]}."
    before = probabilities(page)
    [saved] = saves(page)
    page.until(f"{OFFLINE} === 'ready'", 60)
    assert complaints(page) == []
    first = {request.path for request in demo.requests if request.sent}
    assert "index.html" in first
    assert not [path for path in first if "playground" in path], "another page's files"
    assert [request for request in demo.requests if request.status >= 400] == []
    embeds(page, host, demo, engine)
    if engine == "chromium":
        returns(page, demo)
    assert [request for request in demo.requests if request.status >= 400] == []
    demo.close()
    if isinstance(page, Page):  # the other engines keep the page's own errors alone
        page.expect_no_network()
    page.get(demo.url)
    page.wait_for_phase("ready")
    assert page.execute_script("return crossOriginIsolated") == (engine == ISOLATES)
    assert probabilities(page) == before
    assert saves(page, 2) == [saved, saved]
    assert hosting.trains(page)
    assert complaints(page) == []
    if engine == "chromium":
        assert page.execute_script("return farcallExamine()") == []  # no list, and nothing wrong
        learns_points(page, demo)
        assert page.surprises() == []
