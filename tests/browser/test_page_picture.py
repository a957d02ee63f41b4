"""The network as a picture: drawn when the page is ready, lit by the pen and by training."""

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.support import screen
from tests.support.pad import draw

pytestmark = pytest.mark.light(10_000, 10_000)  # another network comes while they are read

LENS = """
const number = (text) => Number(text.replace("\u2212", "-"));
const table = (t) => [...t.querySelectorAll("td")].map((c) => number(c.textContent));
return {
    where: document.getElementById("lens-where").textContent,
    tables: [...document.querySelectorAll("#lens-parts table")].map(table),
    sums: [...document.querySelectorAll("#lens-sums b")].map((b) => number(b.textContent)),
};
"""
SAID = "document.getElementById('status').textContent"
PICTURES = "[...document.querySelectorAll('#picture canvas')].map((c) => c.toDataURL())"
# How much of its height each part fills, and the highest band of the page without anything.
FILLED = """
const own = (e) => ["CANVAS", "BUTTON", "SELECT", "INPUT", "svg"].includes(e.tagName)
    || [...e.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
const seen = [...document.querySelectorAll("main *")].filter((e) => own(e) && e.checkVisibility())
    .map((e) => e.getBoundingClientRect()).filter((box) => box.width && box.height);
const parts = ".plate, .out, .shelf, .curves > *";
const filled = [...document.querySelectorAll(parts)].filter((e) => e.checkVisibility()).map((e) => {
    const box = e.getBoundingClientRect();
    const inside = seen.filter((b) => b.left >= box.left - 1 && b.right <= box.right + 1
        && b.top >= box.top - 1 && b.bottom <= box.bottom + 1);
    const lowest = Math.max(box.top, ...inside.map((b) => b.bottom));
    return [(lowest - box.top) / box.height, e.id || e.className];
});
let band = 0, end = Infinity;
for (const box of seen.sort((a, b) => a.top - b.top)) {
    band = Math.max(band, box.top - end);
    end = Math.max(end === Infinity ? 0 : end, box.bottom);
}
return [filled, band];
"""
# What is cut off or blank: the pale image beyond its pad, the image that the network sees beyond
# the plate or without ink, a figure of which the bar shows a part.
CUT = """
const box = (e) => e.getBoundingClientRect();
const beyond = (e, other) => ["left", "top"].some((side) => box(e)[side] < box(other)[side] - 1)
    || ["right", "bottom"].some((side) => box(e)[side] > box(other)[side] + 1);
const [pad, seen, bar] = ["#pad", "#seen", ".figures"].map((name) => document.querySelector(name));
const inked = () => seen.getContext("2d").getImageData(0, 0, 28, 28).data.some(Boolean);
const cut = [...bar.children].filter((e) => box(e).top < box(bar).bottom && beyond(e, bar));
if (beyond(document.getElementById("ghost-image"), pad)) cut.push("ghost");
const edge = box(document.getElementById("status")).right + 1;
if (seen.checkVisibility() && (box(seen).right > edge || !inked())) cut.push("seen");
return cut.map((e) => e.innerText ?? e);
"""
# How often a layer of the picture is painted, and where.
COUNT = """
globalThis.paints = [];
const put = CanvasRenderingContext2D.prototype.putImageData;
CanvasRenderingContext2D.prototype.putImageData = function (...arguments_) {
    if (this.canvas.closest("#picture .layer")) paints.push(performance.now());
    return put.apply(this, arguments_);
};
"""


@pytest.fixture(scope="module")
def page(module_site, open_module_page):
    page = open_module_page(module_site.url + "#epochs=100&subset=5000")
    page.wait_for_phase("ready")
    page.until("document.querySelectorAll('#picture canvas').length > 0")
    page.execute_script(COUNT)
    return page


@pytest.fixture(autouse=True)
def at_rest(page):
    yield
    page.execute_script("document.getElementById('stop').click()")  # the run may just have ended
    page.wait_for_phase("ready")
    page.click("Clear")


def pictures(page):
    return page.execute_script(f"return {PICTURES}")


def groups(page):
    return page.execute_script(
        "return [...document.querySelectorAll('#picture [role=group]')]"
        ".map((group) => [group.getAttribute('aria-label'),"
        " group.querySelectorAll('button').length,"
        " group.querySelectorAll('button[tabindex=\"0\"]').length])"
    )


@pytest.mark.promise("The page: the picture", "Every layer as its maps, named in words")
def test_the_network_is_drawn_with_a_name_in_words_for_each_layer(page):
    found = groups(page)
    assert len(found) >= 6
    assert "8 maps of 26 × 26" in " ".join(words for words, _, _ in found)
    label = page.execute_script("return document.getElementById('picture').ariaLabel")
    for words, _, _ in found:
        assert words in label
    ends = page.execute_script(
        "return document.querySelector('#picture svg').querySelectorAll('path').length"
    )
    assert ends > 100


@pytest.mark.promise("The page: the picture", "Nothing is an empty box before the first press")
@pytest.mark.parametrize("size", [(390, 844), (768, 1024), (1440, 900)], ids=lambda s: str(s[0]))
def test_no_part_is_empty_or_cut_before_the_first_press(page, size):
    screen.resize(page, 320, 640)
    assert page.execute_script(CUT) == []
    screen.resize(page, *size)
    assert page.execute_script(CUT) == []
    filled, band = page.execute_script(FILLED)
    screen.restore(page)
    assert len(filled) >= 6
    assert min(filled)[0] >= 0.8, filled
    assert 0 < band <= 64


@pytest.mark.promise("The page: the picture", "Every layer is one stop of Tab, arrows go on")
def test_a_layer_is_one_stop_of_tab_and_arrows_go_through_its_maps(page):
    for _, buttons, stops in groups(page):
        assert stops == min(buttons, 1)
    first = "#picture [role=group] button[aria-label='Map 1']"
    page.execute_script(f'document.querySelector("{first}").focus()')  # it may be drawn again
    focused = "document.activeElement.ariaLabel"
    ActionChains(page).send_keys(Keys.ARROW_RIGHT, Keys.ARROW_DOWN).perform()
    page.until(f"{focused} === 'Map 3'")
    ActionChains(page).send_keys(*[Keys.ARROW_LEFT] * 3).perform()
    page.until(f"{focused} === 'Map 8'")  # the first follows the last
    for _, buttons, stops in groups(page):
        assert stops == min(buttons, 1)


@pytest.mark.promise("The page: the picture", "The maps follow the pen")
def test_the_maps_show_a_test_image_until_they_follow_the_pen(page):
    page.until("document.getElementById('ghost').textContent")
    shares = page.execute_script(
        "return [...document.querySelectorAll('#bars .number')].map((s) => Number(s.textContent))"
    )
    assert sum(shares) == pytest.approx(100, abs=0.6), "nothing is empty before the first press"
    screen.settle(page)
    screen.drawn(page)
    before = pictures(page)
    draw(page, ((0.5, 0.15), (0.5, 0.5), (0.5, 0.85)))
    page.until(lambda: sum(a != b for a, b in zip(before, pictures(page), strict=True)) >= 6)
    assert page.output("prediction").strip().isdigit()
    page.click("Clear")
    page.until(lambda: pictures(page) == before)
    assert page.output("prediction").strip() == "?"


@pytest.mark.promise("The page: the picture", "It shows the training, 12 times a second at most")
def test_the_maps_show_the_training_and_rest_out_of_view(page):
    before = pictures(page)
    layers = len(before)
    page.click("Train")
    page.wait_for_phase("training")
    screen.settle(page)  # the network that is trained is another one than was drawn
    page.execute_script("paints.length = 0; globalThis.began = performance.now()")
    page.until(f"paints.length >= {5 * layers}", 60)
    times = page.execute_script("return [paints.length, performance.now() - began]")
    on_their_way = 2  # the drawing's own, and a report that was sent before
    assert times[0] / layers <= on_their_way + 12 * times[1] / 1000
    assert sum(a != b for a, b in zip(before, pictures(page), strict=True)) >= 5
    page.execute_script("scrollTo(0, document.body.scrollHeight)")
    # A whole epoch is trained with no map painted: the last report was on its way before.
    page.until(
        "(() => { const now = document.querySelector('output[name=epoch]').textContent;"
        "if (globalThis.epoch !== now) { globalThis.rested = paints.length === globalThis.known;"
        "globalThis.epoch = now; globalThis.known = paints.length; } return rested; })()",
        60,
    )
    page.execute_script("scrollTo(0, 0)")
    known = page.execute_script("return paints.length")
    page.until(f"paints.length > {known}", 60)


@pytest.mark.promise("The page: the picture", "A map that is pressed shows its wires alone")
def test_a_map_that_is_pressed_shows_its_own_wires_only(page):
    page.execute_script("document.querySelectorAll('#picture [aria-label=\"Map 3\"]')[0].click()")
    place = page.execute_script(
        "const b = document.querySelector('#picture [aria-pressed=true]');"
        "return `${b.parentElement.dataset.layer}/${b.dataset.tile}`"
    )
    ends = page.execute_script(
        "return [...document.querySelectorAll('#picture path.lit')]"
        ".map((p) => [p.parentElement.dataset.from ?? p.dataset.from, p.dataset.to])"
    )
    assert ends
    assert all(place in pair for pair in ends), ends
    page.execute_script("document.querySelector('#picture [aria-pressed=true]').click()")
    page.until("!document.querySelector('#picture.picked')")


@pytest.mark.promise("The page: the picture", "Every layer as its maps, named in words")
def test_another_network_is_another_picture(page):
    before = groups(page)
    page.execute_script("location.hash = 'epochs=100&subset=5000&preset=mlp'")
    page.until(lambda: groups(page) != before)
    assert "500" in " ".join(words for words, _, _ in groups(page))
    page.execute_script("location.hash = 'epochs=100&subset=5000'")
    page.until(lambda: groups(page) == before)


@pytest.mark.promise("The page: the picture", "The lens: how a pixel of a map is made, in numbers")
def test_the_lens_shows_products_that_add_up_to_the_pixel(page):
    page.click("Try a test image")
    first = "#picture [role=group][aria-label*='8 maps of 26'] button"
    page.execute_script(f'document.querySelector("{first}").click()')
    page.until("document.querySelectorAll('#lens-parts table').length === 3")
    found = page.execute_script(LENS)
    patch, weights, products = found["tables"]
    assert len(patch) == 9
    for number, weight, product in zip(patch, weights, products, strict=True):
        assert product == pytest.approx(number * weight, abs=0.02)  # all have two decimals
    total, bias, value, shown = found["sums"]
    assert total == pytest.approx(sum(products), abs=9 * 0.005 + 0.001)
    assert value == pytest.approx(total + bias, abs=0.002)
    assert shown == pytest.approx(max(0, value), abs=0.001)
    page.execute_script("globalThis.cell = document.querySelector('#lens-parts td')")
    canvas = page.find_element("id", "lens-map")
    canvas.send_keys(Keys.ARROW_RIGHT)
    page.until(f"document.getElementById('lens-where').textContent !== '{found['where']}'")
    assert page.execute_script("return cell.isConnected"), "another text in the table that is there"
    canvas.send_keys(Keys.ESCAPE)
    page.until("document.getElementById('lens').hidden")


@pytest.mark.promise("The page: the picture", "Why the network answers so: parts covered in turn")
def test_why_shows_on_the_pad_which_parts_speak_for_the_answer(page):
    draw(page)
    page.until("!document.getElementById('why').disabled")
    page.click("Why?")
    page.until("!document.getElementById('why-map').hidden")
    said = page.execute_script("return document.getElementById('status').textContent")
    assert "speak for" in said or "No small part decides" in said
    ink = page.execute_script(
        "const c = document.getElementById('why-map');"
        "return c.getContext('2d').getImageData(0, 0, c.width, c.height).data"
        ".some((v, i) => i % 4 === 3 && v > 0)"
    )
    assert ink
    page.click("Clear")
    page.until("document.getElementById('why-map').hidden")


@pytest.mark.promise("The page: the picture", "A network that is replaced is no error")
def test_the_lens_follows_another_network_or_closes(page):
    first = "#picture [role=group] button[aria-label='Map 1']"
    page.execute_script(f'document.querySelector("{first}").click()')
    page.until("document.getElementById('lens-where').textContent")
    shown = "!document.getElementById('lens').hidden"
    page.click("Reset")
    page.until(f"{SAID}.includes('not trained yet')")
    assert page.execute_script(f"return {shown}"), "the same layers"
    page.execute_script("location.hash = 'preset=mlp'")
    page.until(f"!({shown})")
    page.until("!document.getElementById('why').disabled")
    page.execute_script(  # at once: the new network comes while both are read
        "for (const name of ['why', 'analyse']) document.getElementById(name).click();"
        "location.hash = 'preset=fast'"
    )
    page.until(f"{SAID}.includes('analyse that one')")
    page.until("!document.getElementById('why').disabled")
    assert page.phase == "ready"
