"""The playground: the boundary is learned, whatever is chosen, and a link is a curve."""

from pathlib import Path

import pytest

from tests.support import screen

ROOT = Path(__file__).resolve().parents[2]
AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()
RUN_AXE = """
const done = arguments[arguments.length - 1];
axe.run({resultTypes: ["violations"]}).then((found) => done(found.violations.map((rule) =>
  `${rule.id}: ${rule.nodes.map((n) => n.target + n.failureSummary)}`)));
"""
# Names of toys and features that are broken inside a word, or pale.
UNREADABLE = """
const broken = (node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    const lines = new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size;
    return lines > node.data.trim().split(" ").length;
};
const shade = (e) => e ? getComputedStyle(e).opacity * shade(e.parentElement) : 1;
return [...document.querySelectorAll("#toys button, .units span")].flatMap((e) => [...e.childNodes])
    .filter((node) => node.nodeType === Node.TEXT_NODE && node.data.trim())
    .filter((node) => broken(node) || shade(node.parentElement) < 1).map((node) => node.data);
"""
# A fast learner: some ten epochs suffice.
SPIRAL = "toy=spiral&features=x,y,sinx,siny&hidden=8&lr=0.03&optimizer=Adam"
NUMBER = "Number(document.querySelector('output[name={}]').textContent.replace(/[ %,]/g, ''))"
# What is seen of a network: its figures, its plane and its units', its wires.
SEEN = """
const bytes = [...document.querySelectorAll("canvas")].filter((c) => c.closest(".units, .plane"))
    .map((c) => [...c.getContext("2d").getImageData(0, 0, c.width, c.height).data].join());
const wires = [...document.querySelectorAll("#network path")].map((p) => p.style.strokeWidth);
const figures = [...document.querySelectorAll(".figures output")]
    .filter((o) => o.name !== "speed").map((o) => o.textContent);
return JSON.stringify([bytes, wires, figures]);
"""


@pytest.fixture(scope="module")
def opened(module_site, open_module_page):
    page = open_module_page(module_site.url + "playground.html#" + SPIRAL)
    page.wait_for_phase("ready")
    return page


@pytest.fixture
def page(opened):
    """The page with the spiral and a network that nothing has trained, whatever was done before."""
    go(opened, SPIRAL + "&seed=3")  # the page does nothing about a link to where it is
    go(opened, SPIRAL)
    return opened


def epoch(page, number):
    page.until(f"{NUMBER.format('epoch')} === {number}")
    page.until("document.documentElement.dataset.phase === 'ready'")
    page.until("!document.getElementById('step').disabled")


# Resolved after the page has heard of the link, and so asked for its network.
GO = """
const heard = new Promise((resolve) => addEventListener("hashchange", resolve, { once: true }));
location.hash = arguments[0];
return heard.then(() => null);
"""


def go(page, link):
    """Open another link in the page, and wait for its network: one that was asked for before it
    may come first."""
    page.execute_script(GO, link)
    page.until("document.getElementById('network').ariaBusy === 'false'")


def count(page, selector):
    return page.execute_script("return document.querySelectorAll(arguments[0]).length", selector)


@pytest.mark.promise(
    "The page: playground",
    "A link is a curve, whatever is changed: each change begins with fresh weights",
)
def test_a_link_that_is_opened_twice_gives_the_same_curve(page):
    seen = []
    for way in ("link", "reset", "end"):
        for number in (1, 2):
            page.execute_script("document.getElementById('step').click()")
            epoch(page, number)
        seen.append(page.execute_script(SEEN))
        if way == "link":
            go(page, SPIRAL + "&seed=2")
            go(page, SPIRAL)
        elif way == "reset":
            page.click("Reset")
            page.until("document.querySelector('output[name=epoch]').textContent === '–'")
            page.until("!document.getElementById('step').disabled")
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.promise(
    "The page: playground", "The boundary and each unit's plane, live while it trains"
)
def test_the_spiral_is_learned_and_the_page_says_so(page):
    page.click("Train")
    page.until(f"{NUMBER.format('val_accuracy')} >= 90", 60)
    page.until("document.querySelectorAll('#loss-chart .uplot').length === 1")
    page.click("Pause")
    page.until("document.documentElement.dataset.phase === 'ready'")
    page.until("/of the test points are right/.test(document.getElementById('status').textContent)")
    words = page.execute_script("return document.getElementById('plane-words').textContent")
    assert "Top from left to right" in words


@pytest.mark.promise("The page: playground", "Layers, units and features added and taken away")
def test_a_change_while_it_trains_begins_again_and_goes_on(page):
    page.click("Train")
    page.until("document.documentElement.dataset.phase === 'training'")
    page.click("One layer more")
    page.until("document.querySelector('[data-of=\"1\"]')")
    page.click("Layer 2: one unit less")
    page.until("location.hash.includes('hidden=8,7')")
    page.until("document.querySelectorAll('[data-layer=\"2\"] [data-tile]').length === 7")
    page.until(f"{NUMBER.format('epoch')} >= 1")
    assert page.phase == "training"
    assert count(page, "#network path") == 4 * 8 + 8 * 7 + 7
    page.click("Pause")
    page.until("document.documentElement.dataset.phase === 'ready'")


@pytest.mark.promise("The page: playground", "A unit's plane large, and its wires alone")
def test_a_unit_is_shown_large_and_let_go(page):
    large = (
        "return document.getElementById('plane').getContext('2d')"
        ".getImageData(0, 0, 56, 56).data.join()"
    )
    answer = page.execute_script(large)
    page.click("Unit 3")
    page.until("document.getElementById('plane-note').textContent.startsWith('Seen by unit 3')")
    assert page.execute_script(large) != answer
    page.click("Unit 3")
    page.until("document.getElementById('plane-note').textContent.includes('is blue')")
    assert page.execute_script(large) == answer
    colours = (
        "const data = document.getElementById('plane').getContext('2d')"
        ".getImageData(0, 0, 56, 56).data; return new Set(new Uint32Array(data.buffer)).size"
    )
    shades = page.execute_script(colours)
    assert shades > 2
    for number in (2, shades):
        page.execute_script("document.getElementById('option-discretise').click()")
        page.until(lambda number=number: page.execute_script(colours) == number)
    assert page.execute_script(large) == answer, "the network is the same"


@pytest.mark.promise(
    "The page: playground", "Nothing is drawn while the page is hidden; it trains on"
)
def test_it_trains_on_while_it_is_hidden_and_shows_where_it_is_afterwards(page):
    hide = (
        "Object.defineProperty(document, 'hidden', {value: arguments[0], configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    still = """
    const done = arguments[0], output = document.querySelector("output[name=epoch]");
    let text = "", frames = 0;
    const look = () => {
        frames = output.textContent === text ? frames + 1 : 0;
        text = output.textContent;
        if (frames > 60) done(text); else requestAnimationFrame(look);
    };
    look();
    """
    page.click("Train")
    page.until(f"{NUMBER.format('epoch')} >= 1")
    page.execute_script(hide, True)
    shown = int(page.execute_async_script(still).replace(",", ""))
    assert page.phase == "training"
    page.execute_script(hide, False)
    page.until(f"{NUMBER.format('epoch')} > {shown}")
    page.click("Pause")
    page.until("document.documentElement.dataset.phase === 'ready'")


# What can be pressed in the network and beside it, two at a time, before the page can answer.
PAIRS = """
const named = (name) => [...document.querySelectorAll("button")]
    .find((button) => (button.getAttribute("aria-label") ?? button.innerText).trim() === name);
for (const name of arguments) {
    const button = named(name);
    if (!button?.disabled) button?.click();
}
"""
PRESSED = [
    "One layer more", "One layer less", "Layer 1: one unit more", "Layer 1: one unit less",
    "Feature xy", "Unit 8", "Step", "New points",
]  # fmt: skip


def test_whatever_is_pressed_before_the_last_press_is_answered_the_network_is_the_links(page):
    for first in PRESSED:
        for second in PRESSED:
            page.execute_script(PAIRS, first, second, first)
        go(page, SPIRAL + "&seed=2")
        go(page, SPIRAL)
    page.until("document.querySelectorAll('#network path').length === 40")
    failure = "return document.querySelector('#failure:not([hidden])')?.textContent"
    assert page.execute_script(failure) is None
    assert page.phase == "ready"
    assert page.surprises() == []


BUSY = """
const area = document.getElementById("network");
globalThis.busy = [];
new MutationObserver(() => busy.push(area.ariaBusy))
    .observe(area, { attributeFilter: ["aria-busy"] });
"""


def test_the_network_is_busy_until_the_last_that_was_asked_for_is_there(page):
    page.execute_script(BUSY)
    page.execute_script(PAIRS, "New points", "One layer more", "New points")
    page.until("busy.at(-1) === 'false'")
    assert page.execute_script("return busy") == ["true", "false"]
    assert count(page, ".units[data-layer]") == 3


def test_a_feature_is_used_and_no_longer(page):
    for wires, link in ((5 * 8 + 8, "=x,y,xy,sinx,siny"), (4 * 8 + 8, "=x,y,sinx,siny")):
        page.click("Feature xy")
        page.until(f"document.querySelectorAll('#network path').length === {wires}")
        assert link in page.execute_script("return location.hash")


@pytest.mark.promise("The page: playground", "Custom points, by mouse, finger and keys")
def test_points_of_ones_own_are_put_by_mouse_and_keys_and_learned(page):
    go(page, "toy=own&test=0&hidden=4&lr=0.1")
    page.until("document.getElementById('train').disabled")
    put = (
        "const plane = document.getElementById('plane'), box = plane.getBoundingClientRect();"
        "plane.dispatchEvent(new PointerEvent('pointerdown', {bubbles: true,"
        "clientX: box.left + box.width * arguments[0], clientY: box.top + box.height / 2}))"
    )
    page.execute_script(put, 0.25)
    page.until("location.hash.includes('own=b2550')")
    page.click("Rust")
    press = (
        "const plane = document.getElementById('plane'); plane.focus();"
        "for (const key of arguments[0])"
        "  plane.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}))"
    )
    page.execute_script(press, ["ArrowRight"] * 12 + [" "])
    page.until("location.hash.includes('own=b2550r7350')")
    page.until("!document.getElementById('train').disabled")
    page.click("Train")
    page.until("document.querySelector('output[name=loss]').textContent < '0.1'")
    page.click("Pause")
    page.until("document.documentElement.dataset.phase === 'ready'")
    words = "document.getElementById('plane-words').textContent"
    page.until(f"{words}.includes('middle from left to right: blue') && {words}.includes('rust')")
    page.click("Take back")
    page.until("document.getElementById('train').disabled")


def test_a_wrong_number_is_said_under_its_field_and_the_last_good_one_is_used(page):
    write = (
        "const field = document.getElementById('option-seed'); field.value = arguments[0];"
        "field.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    for wrong in ("-3", "", "1.5", "1000000", "1e3"):
        page.execute_script(write, wrong)
        page.until("document.getElementById('seed-wrong').textContent.endsWith('1 is used.')")
        page.execute_script(write, "1")
        page.until("document.getElementById('seed-wrong').textContent === ''")
    page.execute_script(write, "4")
    page.until("location.hash.includes('seed=4')")
    assert page.execute_script("return document.getElementById('seed-wrong').textContent") == ""


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "axe-core finds nothing: idle, in training, after the analysis, after a failure, in"
    " both themes",
)
def test_axe_finds_nothing_and_nothing_leaves_a_phone_sideways(page):
    page.execute_script(AXE)
    page.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    screen.resize(page, 320, 640)
    assert page.execute_script(UNREADABLE) == []
    for theme, size in (("light", (390, 844)), ("dark", (1440, 900))):
        screen.wear(page, theme)
        screen.resize(page, *size)
        page.until(f"document.getElementById('network').clientWidth < {size[0]}")
        assert page.execute_async_script(RUN_AXE) == []
        assert page.execute_script("return document.documentElement.scrollWidth") <= size[0]
    screen.wear(page, "dark", forced_colors="active")
    own = "getComputedStyle(document.querySelector('{}')).forcedColorAdjust === 'none'"
    for part in (".units canvas", "#plane", "#points path"):
        page.until(own.format(part))
    screen.wear(page, "light")


@pytest.mark.promise(
    "The page: playground", "It fetches no digits, and the other page nothing of it"
)
def test_nothing_of_it_is_fetched_by_the_other_page_and_no_digits_by_it(module_site, page):
    asked = {request.path for request in module_site.requests}
    assert "static/vendor/python/playground.tgz" in asked
    assert not [path for path in asked if "mnist" in path]
    assert not {path for path in asked if "panels" in path}


@pytest.mark.promise("The page: playground", "Another worker takes the place of one that has died")
def test_another_worker_takes_the_place_of_one_that_died(page):
    page.click("Train")
    page.until(f"{NUMBER.format('epoch')} >= 1")
    page.execute_script("document.querySelector('script[name=engine]').xworker.terminate()")
    page.until("document.documentElement.dataset.phase === 'error'")
    page.click("Restart the worker")
    page.until("document.documentElement.dataset.phase === 'training'")
    page.until(f"{NUMBER.format('epoch')} >= 1")
    page.click("Pause")
    page.until("document.documentElement.dataset.phase === 'ready'")
