"""For every eye and hand: axe-core in both themes, sizes."""

from pathlib import Path

import pytest

from tests.support import screen
from tests.support.pad import draw

pytestmark = pytest.mark.light

ROOT = Path(__file__).resolve().parents[2]
AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()
SIZES = [(768, 1024), (1440, 900)]
THEMES = ["light", "dark"]
RUN_AXE = """
const done = arguments[arguments.length - 1];
axe.run({resultTypes: ["violations"]}).then((found) => done(found.violations.map((rule) =>
  `${rule.id}: ${rule.help}\\n` + rule.nodes.map((n) =>
    `  ${n.target}: ${n.failureSummary}`).join("\\n"))));
"""


@pytest.fixture(scope="module")
def page(module_site, open_module_page):
    page = open_module_page(module_site.url + "#epochs=1&subset=1000&shift=2&noise=10")
    page.wait_for_phase("ready")
    page.execute_script(AXE)
    return page


def violations(page, theme):
    screen.wear(page, theme)
    return page.execute_async_script(RUN_AXE)


def open_all(page):
    page.execute_script("for (const d of document.querySelectorAll('main details')) d.open = true")


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "axe-core finds nothing: idle, in training, after the analysis, after a failure, in"
    " both themes",
)
@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_before_training(page, theme):
    open_all(page)
    assert violations(page, theme) == []


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "axe-core finds nothing: idle, in training, after the analysis, after a failure, in"
    " both themes",
)
@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_while_training(page, theme):
    open_all(page)
    page.click_in("training", "Pause")
    page.button("Train").click()
    page.wait_for_phase("paused")
    found = violations(page, theme)
    page.button("Resume").click()
    page.wait_for_phase("ready")
    assert found == []


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "axe-core finds nothing: idle, in training, after the analysis, after a failure, in"
    " both themes",
)
@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_after_the_analysis(page, theme):
    draw(page)
    page.until(lambda: page.output("prediction").strip().isdigit())
    page.click("It was a 7")
    page.until("document.querySelector('#buckets canvas')")
    page.click("Analyse")
    page.until("document.activeElement.id === 'analysis-title'", what="the analysis' end")
    page.until("!document.getElementById('analyse').disabled")
    open_all(page)
    page.execute_script("document.getElementById('precisions').replaceChildren()")
    page.click("Compare precisions")
    page.until("document.querySelectorAll('#precisions tr').length === 4", 60)
    page.until("document.querySelectorAll('#facts dt').length > 10")
    assert violations(page, theme) == []


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "axe-core finds nothing: idle, in training, after the analysis, after a failure, in"
    " both themes",
)
@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_in_what_appears_when_something_went_wrong(page, theme):
    boxes = "['failure', 'unfinished', 'advice'].map((id) => document.getElementById(id))"
    page.execute_script(f"{boxes}.forEach((box) => box.hidden = false)")
    page.execute_script(
        "document.getElementById('failure-title').textContent = 'The worker is gone';"
        "document.getElementById('advice').textContent = 'Over-fitting.';"
        "for (const b of document.querySelectorAll('#failure button')) b.hidden = false"
    )
    found = violations(page, theme)
    page.execute_script(f"{boxes}.forEach((box) => box.hidden = true)")
    assert found == []


def test_a_cell_of_the_confusion_matrix_shows_its_images(page):
    page.execute_script("document.querySelector('#confusion .hit').click()")
    page.until("document.querySelectorAll('#cell canvas').length > 0")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_fits_the_screen(page, size, theme):
    page.execute_script(
        "for (const d of document.querySelectorAll('main details')) d.open = false; scrollTo(0, 0)"
    )
    screen.wear(page, theme)
    screen.resize(page, *size)
    wide = page.execute_script("return document.documentElement.scrollWidth")
    screen.restore(page)
    assert wide <= size[0]
