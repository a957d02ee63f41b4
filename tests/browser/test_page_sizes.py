"""From the smallest phone to 4K nothing leaves the screen sideways; screenshots to look at."""

import base64
from itertools import pairwise

import pytest

from tests.conftest import SCREENSHOTS
from tests.support import screen
from tests.support.digits import fewer_test_images
from tests.support.pad import draw

SIZES = [(320, 640), (360, 740), (768, 1024), (1024, 768), (1440, 900), (1920, 1080), (3840, 2160)]
PICTURED = [(360, 740), (768, 1024), (1440, 900), (3840, 2160)]
THEMES = ["light", "dark"]

# Elements that reach beyond the page's width and are not inside something that scrolls by itself.
TOO_WIDE = """
const width = document.documentElement.clientWidth;
const inScroller = (e) => {
    for (let p = e.parentElement; p; p = p.parentElement)
        if (p !== document.body && getComputedStyle(p).overflowX !== "visible") return true;
    return false;
};
return [...document.querySelectorAll("body *")]
    .filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > width + 0.5)
    .filter((e) => !inScroller(e) && !e.closest(".visually-hidden"))
    .map((e) => `${e.tagName}#${e.id}.${e.className} ${e.getBoundingClientRect().right}`);
"""


@pytest.fixture(scope="module")
def page(module_site, open_module_page):
    """A page with everything there is to show: runs, analysis, drawing, saved model."""
    fewer_test_images(module_site)
    page = open_module_page(module_site.url + "#epochs=4&subset=6000&optimizer=SGD&lr=0.05")
    page.wait_for_phase("ready")
    for size in PICTURED[:3]:
        for theme in THEMES:
            show(page, *size, theme)
            photograph(page, f"idle-{size[0]}x{size[1]}-{theme}.png")
    screen.restore(page)
    for number in (1, 2):
        page.click("Reset")
        page.until(lambda: "not trained yet" in page.text)
        page.click("Train")
        page.until(lambda: len(rows(page)) == 4 * number, 60)  # noqa: B023
        page.wait_for_phase("ready")
        page.execute_script("location.hash = 'epochs=4&subset=6000'")
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
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    whole = page.execute_cdp_cmd(
        "Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True}
    )
    picture = base64.b64decode(whole["data"])
    (SCREENSHOTS / name).write_bytes(picture)
    return picture


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Reduced motion; dark and light; 320 pixels to 4K",
)
@pytest.mark.parametrize("unfolded", [False, True], ids=["folded", "unfolded"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_nothing_leaves_the_screen_sideways(page, size, unfolded):
    show(page, *size, unfolded=unfolded)
    assert page.execute_script(TOO_WIDE) == []
    assert page.execute_script("return document.documentElement.scrollWidth") <= size[0]


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
@pytest.mark.parametrize("size", PICTURED, ids=lambda size: f"{size[0]}x{size[1]}")
def test_has_its_picture_taken(page, size, theme):
    show(page, *size, theme)
    name = f"{size[0]}x{size[1]}-{theme}.png"
    page.save_screenshot(str(SCREENSHOTS / f"page-{name}"))
    small = page.execute_cdp_cmd("Page.captureScreenshot", {"format": "webp", "quality": 82})
    (SCREENSHOTS / f"page-{name}").with_suffix(".webp").write_bytes(base64.b64decode(small["data"]))
    picture = photograph(page, f"whole-{name}")
    scroll_bar = 20
    assert size[0] - scroll_bar <= int.from_bytes(picture[16:20], "big") <= size[0]


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
