"""The page on every screen and in every theme: sizes, order, colours, print; screenshots."""

import base64
from itertools import pairwise

import pytest

from tests.support import screen
from tests.support.pad import draw

pytestmark = pytest.mark.light

SIZES = [(320, 640), (360, 740), (768, 1024), (1024, 768), (1440, 900), (1920, 1080), (3840, 2160)]
PICTURED = [(360, 740), (768, 1024), (1440, 900), (3840, 2160)]
THEMES = ["light", "dark"]

# Smallest phone, phone, tablet, laptop, a laptop at 200 %, a wide screen: width, height, zoom.
SCREENS = [(320, 640, 1), (390, 844, 1), (768, 1024, 1), (1440, 900, 1), (720, 450, 2),
           (2560, 1440, 1)]  # fmt: skip
COLOURS = ["light", "dark", "forced light", "forced dark"]

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
# How many of the colours that Python reads are different ones.
INKS = """
const probe = document.getElementById("colour-probe");
return new Set(["tile", "ink", "blue", "rust"].map((name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
})).size;
"""
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
    """A page with everything there is to show: runs, analysis, drawing, saved model."""
    page = open_module_page(module_site.url + "#epochs=4&subset=500&optimizer=SGD&lr=0.05")
    page.wait_for_phase("ready")
    for number in (1, 2):
        page.click("Reset")
        page.until(lambda: "not trained yet" in page.text)
        page.click("Train")
        page.until(lambda: len(rows(page)) == 4 * number, 60)  # noqa: B023
        page.wait_for_phase("ready")
        page.execute_script("location.hash = 'epochs=4&subset=500&shift=2'")
    draw(page)
    page.until(lambda: page.output("prediction").strip().isdigit())
    page.click("Save")
    page.until("document.querySelector('#saved li')")
    page.click("Analyse")
    page.until("document.querySelectorAll('#histograms .bins').length > 0")
    page.until("!document.getElementById('analyse').disabled")
    page.execute_script("document.querySelector('#confusion .hit').click()")
    page.until("document.querySelector('#cell canvas')")
    return page


def rows(page):
    return page.execute_script(
        "return [...document.querySelectorAll('#epochs tbody tr:not(.empty)')].map((row) => 0)"
    )


def show(page, width, height, theme="light", unfolded=False):
    """Show the page on a screen, in a theme, with its details folded or not."""
    page.execute_script(
        "for (const d of document.querySelectorAll('main details'))"
        "  d.open = arguments[0];"
        "scrollTo(0, 0)",
        unfolded,
    )
    screen.wear(page, theme)
    screen.resize(page, width, height)


def photograph(page, name):
    """Keep a picture of all of the page."""
    whole = page.execute_cdp_cmd(
        "Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True}
    )
    picture = base64.b64decode(whole["data"])
    screen.keep(name, picture)
    return picture


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Reduced motion; dark and light; 320 pixels to 4K",
)
@pytest.mark.parametrize("unfolded", [False, True], ids=["folded", "unfolded"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_nothing_leaves_the_screen_sideways(page, size, unfolded):
    show(page, *size, unfolded=unfolded)
    assert page.execute_script(screen.TOO_WIDE) == []
    assert page.execute_script("return document.documentElement.scrollWidth") <= size[0]


CUT = """
const cut = [];
const folded = [...document.querySelectorAll("details:not([open])")];
for (const fold of folded) fold.open = true;
const fields = [...document.querySelectorAll("input[inputmode]")];
for (const field of fields) {
    const before = field.value;
    field.value = "9".repeat(field.size - 1);
    if (field.scrollWidth > field.clientWidth) cut.push(`${field.id} ${field.value}`);
    field.value = before;
}
const seen = fields.filter((field) => field.checkVisibility()).length;
for (const fold of folded) fold.open = false;
return [seen, cut];
"""


def test_a_field_shows_the_largest_number_that_it_takes(page):
    screen.restore(page)
    seen, cut = page.execute_script(CUT)
    assert seen > 8
    assert cut == []


PANELS = ["options", "draw", "training", "data", "network", "models", "analysis"]
PARTS = "#pad, #picture, #bars, #training > :not(#glance), .shelf, #analysis"
BOXES = """
return [...document.querySelectorAll(arguments[0])].map((e) => {
    const box = e.getBoundingClientRect();
    return [e.id || e.className, box.left, box.top, box.right];
});
"""


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Everything by keys, in the document's order, with visible focus",
)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_panels_are_seen_in_the_order_in_which_they_are_read_and_reached(page, size):
    show(page, *size)
    panels = page.execute_script(BOXES, "[data-panel]")
    assert [panel[0] for panel in panels] == PANELS, "the order of a screen reader and of Tab"
    for one, other in pairwise(page.execute_script(BOXES, PARTS)):
        assert other[2] > one[2] or (other[2] == one[2] and other[1] >= one[3]), (one, other)
    sorted_out = page.execute_script(
        "return [...document.querySelectorAll('main, main *')].filter((e) => e.tabIndex > 0 ||"
        "(e.matches(':not(tr)') && getComputedStyle(e).order !== '0')).map((e) => e.outerHTML)"
    )
    assert sorted_out == []


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Pictures of the page idle, after training and in training, at four sizes in both themes",
)
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    "size",
    [pytest.param(s, marks=() if s == PICTURED[0] else pytest.mark.soak) for s in PICTURED],
    ids=lambda size: f"{size[0]}x{size[1]}",
)
def test_has_its_picture_taken(page, size, theme):
    show(page, *size, theme)
    name = f"{size[0]}x{size[1]}-{theme}"
    screen.keep(f"page-{name}.png", page.get_screenshot_as_png())
    small = page.execute_cdp_cmd("Page.captureScreenshot", {"format": "webp", "quality": 82})
    screen.keep(f"page-{name}.webp", base64.b64decode(small["data"]))
    assert as_wide(photograph(page, f"whole-{name}.png"), size)


@pytest.mark.soak
def test_has_its_picture_taken_before_anything_was_done(module_site, open_page):
    page = open_page(module_site.url)
    page.wait_for_phase("ready")
    for size in PICTURED[:3]:
        for theme in THEMES:
            show(page, *size, theme)
            name = f"idle-{size[0]}x{size[1]}-{theme}.png"
            assert as_wide(photograph(page, name), size)


def as_wide(picture, size):
    """Whether a PNG is as wide as the window, but for a scroll bar."""
    scroll_bar = 20
    return size[0] - scroll_bar <= int.from_bytes(picture[16:20], "big") <= size[0]


# Which of these cover each other, or leave what they are in.
COVERED = """
document.getElementById("standing").textContent = arguments[0];
const boxes = [...document.querySelectorAll(".verdict > *, #bars, #clear")]
    .filter((e) => e.checkVisibility()).map((e) => [e.id || e.tagName, e.getBoundingClientRect()]);
const over = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
const place = document.querySelector(".plate").getBoundingClientRect();
return boxes.flatMap(([name, box], i) => boxes.slice(i + 1).filter(([, other]) => over(box, other))
    .map(([other]) => [name, other]).concat(box.top < place.top ? [[name, "plate"]] : []));
"""
# The figures of the bar that are cut, in a bar of every width.
CUT_FIGURES = """
const bar = document.querySelector(".bar"), figures = document.querySelector(".figures");
const cut = [];
for (let width = 260; width < 1000; width += 7) {
    bar.style.width = `${width}px`;
    const place = figures.getBoundingClientRect();
    for (const figure of figures.children) {
        const box = figure.getBoundingClientRect();
        const inside = box.left >= place.left - 1 && figure.scrollWidth <= figure.clientWidth + 1;
        if (box.top < place.bottom && !inside) cut.push([width, figure.textContent]);
    }
}
bar.style.width = "";
return cut;
"""


@pytest.mark.parametrize("size", [*SIZES, (1366, 768)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_long_answer_covers_nothing(page, size):
    show(page, *size)
    longest = "It knows only tails, heads and ears: it must choose one."
    assert page.execute_script(COVERED, longest) == []


# The lines of headings of rows, were the classes called so.
NAMED = """
const heads = [...document.querySelectorAll("#confusion th")];
const former = heads.map((head) => head.textContent);
for (const head of heads) head.textContent = arguments[0];
const lines = heads.map((head) => Math.round(head.clientHeight / parseFloat(
    getComputedStyle(head).fontSize)));
const wide = document.getElementById("confusion").scrollWidth / innerWidth;
heads.forEach((head, i) => { head.textContent = former[i]; });
return [Math.max(...lines), wide];
"""


# Where the first letter of a name is not seen.
BEHEADED = """
return ["[name=prediction]", "#confusion tbody th", "#classes b"].filter((place) => {
    const e = document.querySelector(place), former = e.textContent;
    e.textContent = arguments[0];
    const range = document.createRange();
    range.setStart(e.firstChild, 0);
    range.setEnd(e.firstChild, 1);
    const letter = range.getBoundingClientRect(), box = e.getBoundingClientRect();
    e.textContent = former;
    return letter.left < box.left - 1 || letter.right > box.right + 1;
});
"""


@pytest.mark.parametrize("name", ["a cat that sleeps at the window", "חתול ישן על החלון ליד הדלת"])
def test_a_long_name_of_a_class_is_cut_at_its_end(page, name):
    """Which is on the left where it is written from right to left."""
    show(page, 1024, 768)
    assert page.execute_script(BEHEADED, name) == []


@pytest.mark.parametrize("name", ["Dampfschifffahrt und mehr", "قطة صغيرة تجلس على النافذة"])
def test_long_names_of_classes_leave_the_confusion_matrix_a_matrix(page, name):
    show(page, 1440, 900)
    lines, wide = page.execute_script(NAMED, name)
    assert lines <= 3
    assert wide < 0.7


def test_a_figure_of_the_bar_is_whole_or_not_there(page):
    show(page, 360, 740)
    assert page.execute_script(CUT_FIGURES) == []


def test_a_phone_s_line_of_options_calls_the_network_as_the_menu_does(page):
    """Not by the word of the address: `seed` is one of them."""
    show(page, 360, 740)
    page.until("document.getElementById('options-fold').checkVisibility()")
    line, name = page.execute_script(
        "return [document.getElementById('options-fold').textContent,"
        "document.getElementById('preset').selectedOptions[0].textContent]"
    )
    assert line.startswith(f"Options: {name}, ")


def test_a_phone_shows_the_pad_the_network_and_the_bars_on_one_screen(page):
    show(page, 390, 844)
    last = page.execute_script(
        "return document.getElementById('bars').getBoundingClientRect().bottom"
    )
    assert last <= 844


def test_a_laptop_shows_the_network_the_curves_and_the_runs_on_one_screen(page):
    show(page, 1440, 900)
    last = page.execute_script(
        "return Math.max(...[...document.querySelectorAll('#bars, .curves .chart, #runs')]"
        ".filter((e) => !e.closest('#runs-figure')).map((e) => e.getBoundingClientRect().bottom))"
    )
    assert last <= 900


def test_the_letters_of_a_chart_follow_the_window(page):
    axis = "document.querySelector('#loss-chart .u-axis').getBoundingClientRect().height"
    heights = []
    for size in ((3840, 2160), (360, 740), (3840, 2160)):
        show(page, *size)
        heights.append(page.execute_script(f"return {axis}"))
    assert heights[0] == heights[2] > 1.3 * heights[1]


@pytest.fixture(scope="module")
def opened(page):
    """The page with the lens open and nothing folded, for all tests from here on."""
    page.execute_script("document.querySelector('#picture [role=group] button').click()")
    page.until("document.querySelector('#lens-parts td')")
    page.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    return page


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Text at least 4.5:1 and 12 px, controls 3:1, targets 24 px, from 320 to 2560 px and at 200 %",
)
@pytest.mark.parametrize("theme", COLOURS)
def test_every_text_and_every_border_of_a_control_stands_out(opened, theme):
    screen.wear(opened, theme.split()[-1], forced_colors="active" if "forced" in theme else "none")
    for size in SCREENS[0], SCREENS[3], SCREENS[-1]:
        screen.resize(opened, *size)
        assert opened.execute_script(PALE) == []
        assert opened.execute_script(FAINT) == []
    assert opened.execute_script(INKS) == 4, "the maps and the curves get these colours"


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Text at least 4.5:1 and 12 px, controls 3:1, targets 24 px, from 320 to 2560 px and at 200 %",
)
@pytest.mark.parametrize("size", SCREENS, ids=lambda size: "x".join(map(str, size)))
def test_nothing_is_too_small_or_leaves_the_screen(opened, size):
    screen.wear(opened, "light")
    screen.resize(opened, *size)
    assert opened.execute_script(SMALL) == []
    assert opened.execute_script(TIGHT) == []
    assert opened.execute_script("return document.documentElement.scrollWidth") <= size[0]


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Text at least 4.5:1 and 12 px, controls 3:1, targets 24 px, from 320 to 2560 px and at 200 %",
)
def test_the_bar_leaves_most_of_a_low_screen_to_the_page(opened):
    high = "document.querySelector('.bar').getBoundingClientRect().height / innerHeight"
    screen.wear(opened, "light")
    screen.resize(opened, 720, 450, 2)
    opened.execute_script("scrollTo(0, 600)")
    covered = "document.querySelector('.bar').getBoundingClientRect().bottom / innerHeight"
    assert opened.execute_script(f"return {covered}") <= 0.2
    screen.resize(opened, 1440, 900)
    opened.execute_script("scrollTo(0, 600)")
    assert opened.execute_script(f"return {high}") <= 0.08
    opened.execute_script("scrollTo(0, 0)")


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Reduced motion; dark and light; 320 pixels to 4K",
)
def test_a_window_of_1280_pixels_at_400_percent_scrolls_one_way_and_no_notice_covers_it(opened):
    screen.wear(opened, "light")
    screen.resize(opened, 305, 256, 4)  # a scroll bar takes 15 of 320
    assert opened.execute_script(screen.TOO_WIDE) == []
    assert opened.execute_script("return document.documentElement.scrollWidth") <= 305
    notice = "document.getElementById('unfinished')"
    opened.execute_script(f"{notice}.hidden = false; scrollTo(0, 900)")
    assert opened.execute_script(f"return {notice}.getBoundingClientRect().bottom") < 0
    opened.execute_script(f"{notice}.hidden = true; scrollTo(0, 0)")
    screen.restore(opened)


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
# Canvases hold the ink of the theme that they were painted in: here light ink, of the dark one.
LIGHT_GROUNDS = """
const painted = [...document.querySelectorAll(
    ".chart canvas, .layer canvas, .tiles canvas, #samples, #pad")];
const light = (canvas) => {
    const ground = getComputedStyle(canvas).backgroundColor;
    return ground.match(/[0-9.]+/g).slice(0, 3).some((channel) => channel > 60);
};
return painted.filter((canvas) => canvas.checkVisibility() && light(canvas))
    .map((canvas) => canvas.id || canvas.parentElement.className);
"""
SCREEN = [".bar", "#options", "footer", "#clear", "#why", "#pad-hint", "#save", "#format"]
# Paper cannot be scrolled.
SCROLLING = """
return [...document.querySelectorAll(".scroll")]
    .filter((e) => e.checkVisibility() && e.scrollWidth > e.clientWidth).map((e) => e.ariaLabel);
"""


@pytest.mark.promise(
    "The page: everybody, any screen, any failure", "Printed: what it shows, without its controls"
)
def test_a_print_has_the_findings_in_ink_and_no_controls(opened):
    screen.wear(opened, "dark")
    screen.resize(opened, 768, 1024)
    opened.execute_script("document.getElementById('pad-hint').hidden = false")
    opened.until(lambda: opened.execute_script(PRINTED, PAPER + SCREEN) == PAPER + SCREEN, 5)
    screen.wear(opened, "dark", media="print")
    try:
        opened.until(lambda: opened.execute_script(PRINTED, PAPER + SCREEN) == PAPER, 5)
        ground = "getComputedStyle(document.body).backgroundColor"
        assert opened.execute_script(f"return {ground}") == "rgb(255, 255, 255)"
        assert opened.execute_script(PALE) == []
        assert opened.execute_script(LIGHT_GROUNDS) == []
        for state, seen in (("true", ["#environment"]), ("false", [])):
            opened.execute_script(f"document.getElementById('environment').open = {state}")
            assert opened.execute_script(PRINTED, ["#environment"]) == seen
        for width in (725, 794):  # of A4, with and without the browser's margins
            screen.resize(opened, width, 1123)
            assert opened.execute_script(SCROLLING) == []
    finally:
        screen.wear(opened, "light")
