"""Text, controls, sizes: measured on the page in both themes, from a phone to a wide screen."""

import pytest

from tests.support import screen
from tests.support.pad import draw

# Smallest phone, phone, tablet, laptop, a laptop at 200 %, a wide screen: width, height, zoom.
SCREENS = [(320, 640, 1), (390, 844, 1), (768, 1024, 1), (1440, 900, 1), (720, 450, 2),
           (2560, 1440, 1)]  # fmt: skip
THEMES = ["light", "dark", "forced light", "forced dark"]

# Colours as the eye gets them: the first ground that is not see-through, and WCAG's contrast.
MEASURE = """
const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const known = new Map();
const rgba = (colour) => {
    if (!known.has(colour)) {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        known.set(colour, [...canvas.getImageData(0, 0, 1, 1).data]);
    }
    return known.get(colour);
};
const ground = (e) => {
    for (let p = e; p; p = p.parentElement) {
        const colour = rgba(getComputedStyle(p).backgroundColor);
        if (colour[3] > 250) return colour;
    }
    return [255, 255, 255, 255];
};
const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const contrast = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
};
const seen = (e) => e.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true })
    && !e.closest(".visually-hidden, .skip");
const name = (e) => `${e.tagName}#${e.id}.${e.getAttribute("class")} ` +
    `${(e.textContent ?? "").trim().slice(0, 30)}`;
const texts = () => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = new Set();
    while (walker.nextNode())
        if (walker.currentNode.data.trim() && seen(walker.currentNode.parentElement))
            found.add(walker.currentNode.parentElement);
    return [...found].filter((e) => getComputedStyle(e).clipPath === "none");
};
"""
# The text of what cannot be pressed now is allowed to be pale (WCAG 1.4.3), here it is not.
PALE = (
    MEASURE
    + """
return texts().filter((e) => !e.closest("svg"))
    .map((e) => [contrast(rgba(getComputedStyle(e).color), ground(e)), name(e)])
    .filter(([ratio]) => ratio < 4.5);
"""
)
FAINT = (
    MEASURE
    + """
return [...document.querySelectorAll("button, select, input:not([type=range]), .pad")]
    .filter((e) => seen(e) && !e.disabled)
    .filter((e) => rgba(getComputedStyle(e).borderTopColor)[3] > 0
        && getComputedStyle(e).borderTopStyle !== "none")
    .map((e) => [contrast(rgba(getComputedStyle(e).borderTopColor), ground(e.parentElement)),
        name(e)])
    .filter(([ratio]) => ratio < 3);
"""
)
SMALL = (
    MEASURE
    + """
return texts().map((e) => [parseFloat(getComputedStyle(e).fontSize), name(e)])
    .filter(([size]) => size < 12);
"""
)
TIGHT = (
    MEASURE
    + """
return [...document.querySelectorAll("button, select, summary, input, nav a")].filter(seen)
    .map((e) => [e.getBoundingClientRect(), name(e)])
    .filter(([box]) => box.width > 0 && Math.min(box.width, box.height) < 24)
    .map(([box, words]) => [box.width, box.height, words]);
"""
)


@pytest.fixture(scope="module")
def page(module_site, open_module_page):
    """A page with everything there is to show: a run, an answer, the analysis."""
    page = open_module_page(module_site.url + "#epochs=1&subset=2500&shift=2")
    page.wait_for_phase("ready")
    page.click("Train")
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    draw(page)
    page.until(lambda: page.output("prediction").strip().isdigit())
    page.until("document.querySelector('#picture button')")
    page.execute_script("document.querySelector('#picture button').click()")
    page.until("document.querySelector('#lens-parts td')")
    page.click("Analyse")
    page.until("document.querySelectorAll('#profile tr').length > 1", 60)
    page.until("!document.getElementById('analyse').disabled")
    page.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    return page


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Text at least 4.5:1 and 12 px, controls 3:1, targets 24 px, from 320 to 2560 px and at 200 %",
)
@pytest.mark.parametrize("theme", THEMES)
def test_every_text_and_every_border_of_a_control_stands_out(page, theme):
    screen.wear(page, theme.split()[-1], forced_colors="active" if "forced" in theme else "none")
    for size in SCREENS[0], SCREENS[3], SCREENS[-1]:
        screen.resize(page, *size)
        assert page.execute_script(PALE) == []
        assert page.execute_script(FAINT) == []


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Text at least 4.5:1 and 12 px, controls 3:1, targets 24 px, from 320 to 2560 px and at 200 %",
)
@pytest.mark.parametrize("size", SCREENS, ids=lambda size: "x".join(map(str, size)))
def test_nothing_is_too_small_or_leaves_the_screen(page, size):
    screen.wear(page, "light")
    screen.resize(page, *size)
    assert page.execute_script(SMALL) == []
    assert page.execute_script(TIGHT) == []
    assert page.execute_script("return document.documentElement.scrollWidth") <= size[0]


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Text at least 4.5:1 and 12 px, controls 3:1, targets 24 px, from 320 to 2560 px and at 200 %",
)
def test_the_bar_leaves_most_of_a_low_screen_to_the_page(page):
    high = "document.querySelector('.bar').getBoundingClientRect().height / innerHeight"
    screen.wear(page, "light")
    screen.resize(page, 720, 450, 2)
    page.execute_script("scrollTo(0, 600)")
    covered = "document.querySelector('.bar').getBoundingClientRect().bottom / innerHeight"
    assert page.execute_script(f"return {covered}") <= 0.2
    screen.resize(page, 1440, 900)
    page.execute_script("scrollTo(0, 600)")
    assert page.execute_script(f"return {high}") <= 0.08
    page.execute_script("scrollTo(0, 0)")


# What of these is seen.
PRINTED = MEASURE + "return arguments[0].filter((name) => seen(document.querySelector(name)));"
PAPER = [
    "#status",
    "#picture canvas",
    "#bars",
    "#accuracy-chart",
    "#runs",
    "#samples",
    "#confusion",
]
SCREEN = [".bar", "#options", "footer", "#clear", "#save"]


@pytest.mark.promise(
    "The page: everybody, any screen, any failure", "Printed: what it shows, without its controls"
)
def test_a_print_has_the_findings_in_ink_and_no_controls(page):
    screen.wear(page, "dark")
    screen.resize(page, 768, 1024)
    page.until(lambda: page.execute_script(PRINTED, PAPER + SCREEN) == PAPER + SCREEN, 5)
    screen.wear(page, "dark", media="print")
    try:
        page.until(lambda: page.execute_script(PRINTED, PAPER + SCREEN) == PAPER, 5)
        ground = "getComputedStyle(document.body).backgroundColor"
        assert page.execute_script(f"return {ground}") == "rgb(255, 255, 255)"
        assert page.execute_script(PALE) == []
    finally:
        screen.wear(page, "light")
