"""The element and what it frames, for every eye and hand: axe-core in both themes, screenshots."""

import pytest

from tests.browser.test_page_access import AXE, RUN_AXE
from tests.support import embed, screen
from tests.support.embed import change, element, inside, script, tag, wait_for, write
from tests.support.site import Site

pytestmark = pytest.mark.light

THEMES = ["light", "dark"]
TEXT = "<h1>Convolutions</h1><p>Press the button, then Train: a network learns to read digits.</p>"
# The host is as light or dark as the element: contrast is with what is behind.
STYLE = (
    '<meta name="viewport" content="width=device-width">'
    "<style>:root { color-scheme: light dark } * { transition: none !important }</style>"
)


@pytest.fixture(scope="module")
def page(module_site, open_module_page, tmp_path_factory):
    """A host in the manner of a manual, with the poster."""
    host = Site(tmp_path_factory.mktemp("host"))
    options = {"label": "Digits", "config": "epochs=1&subset=5000"}
    write(host, f"{STYLE}{script(module_site)}<main>{TEXT}{tag(**options)}<p>After it.</p></main>")
    page = open_module_page(host.url)
    yield page
    host.close()


def violations(page):
    """What axe finds in the document that the driver is in; frames are looked at on their own."""
    page.execute_script(AXE)
    page.execute_script("axe.configure({ allowedOrigins: [] })")
    return page.execute_async_script(
        RUN_AXE.replace('["violations"]', '["violations"], iframes: false')
    )


def photograph(page, name):
    screen.keep(f"embed-{name}.png", page.get_screenshot_as_png())


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_in_the_poster(page, theme):
    screen.wear(page, theme)
    assert violations(page) == []
    photograph(page, f"poster-{theme}")


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_around_the_frame_and_in_it(page, theme):
    screen.wear(page, theme)
    if element(page, "frame") is None:
        embed.button(page).click()
        wait_for(page, "ready")
        with inside(page):
            page.click("Train")
        page.until(
            lambda: element(page, "state.val_accuracy") and element(page, "state.phase") == "ready"
        )
    change(page, "theme", theme)
    with inside(page):
        page.until(f"document.documentElement.dataset.theme === '{theme}'")
        found = violations(page)
    assert found + violations(page) == []
    photograph(page, f"frame-{theme}")


@pytest.mark.parametrize(("window", "wide"), [(931, 831), (390, 374)])
def test_the_frame_fits_a_manual_and_a_phone(page, window, wide):
    """Nothing sticks out at the side, in the host or in the frame; the bar is one line."""
    fits = "return document.documentElement.scrollWidth <= innerWidth"
    page.execute_script("document.getElementById('demo').style.width = arguments[0]", f"{wide}px")
    screen.resize(page, window, 844)
    assert page.execute_script(fits)
    with inside(page):
        screen.settle(page, wide)
        assert page.execute_script(fits)
        high = "return document.querySelector('.bar').getBoundingClientRect().height"
        assert page.execute_script(high) < 64
    photograph(page, f"{wide}")
