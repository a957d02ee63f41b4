"""Everything can be reached and done with keys alone, and one sees where one is."""

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.support import screen

pytestmark = pytest.mark.light

# Whatever acts on a click has to be among what Tab reaches; radio-like groups there are none.
REACHABLE = """
const acts = "a[href], button, input, select, textarea, summary, [tabindex]";
return [...document.querySelectorAll(acts)]
    .filter((e) => e.checkVisibility() && !e.disabled && e.tabIndex >= 0)
    .filter((e) => e.getBoundingClientRect().width > 0)
    .map((e, index) => { e.dataset.stop = index; return index; });
"""
FOCUS = """
const e = document.activeElement;
const style = getComputedStyle(e);
return [e.dataset.stop ?? null, e.tagName + "#" + e.id + " " + e.textContent.slice(0, 20),
    style.outlineStyle, parseFloat(style.outlineWidth), style.outlineColor];
"""


@pytest.fixture(scope="module")
def page(module_site, open_module_page):
    page = open_module_page(module_site.url + "#epochs=1&subset=2500")
    page.wait_for_phase("ready")
    page.until("!document.getElementById('why').disabled", what="the network to be drawn")
    return page


def press(page, *keys):
    for key in keys:
        ActionChains(page).send_keys(key).perform()


def focused(page):
    return page.execute_script("return document.activeElement.id")


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Everything by keys, in the document's order, with visible focus",
)
def test_tab_reaches_everything_and_shows_where_it_is(page):
    page.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    screen.settle(page)  # what is drawn for another width has other buttons
    page.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
    wanted = {str(index) for index in page.execute_script(REACHABLE)}
    assert len(wanted) > 40
    seen = {}
    for _ in range(2 * len(wanted)):
        press(page, Keys.TAB)
        stop, name, style, width, _ = page.execute_script(FOCUS)
        if stop is None or stop in seen:
            break
        seen[stop] = (name, style, width)
    missed = wanted - set(seen)
    assert not missed, page.execute_script(
        "return arguments[0].map((i) => document.querySelector(`[data-stop='${i}']`).outerHTML)",
        sorted(missed),
    )
    assert list(seen) == sorted(seen, key=int), "Tab goes as the document does"
    unseen = [entry for entry in seen.values() if entry[1] == "none" or entry[2] < 2]
    assert unseen == []
    page.execute_script("for (const d of document.querySelectorAll('details')) d.open = false")


def test_the_skip_link_leads_past_the_head_of_the_page(page):
    page.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
    press(page, Keys.TAB)
    link = page.switch_to.active_element
    assert link.text == "Skip to training"
    assert page.execute_script("return arguments[0].getBoundingClientRect().top", link) >= 0
    press(page, Keys.ENTER)
    page.until(lambda: focused(page) == "train")
    assert "subset=2500" in page.execute_script("return location.hash"), "the options stay"


@pytest.mark.promise("The page: training", "Train, Pause, Resume, Step, Stop, Reset")
def test_letters_train_pause_stop_step_and_reset(page):
    page.execute_script("location.hash = 'epochs=100'; document.activeElement.blur()")
    press(page, "t")
    page.wait_for_phase("training")
    press(page, "p")
    page.wait_for_phase("paused")
    press(page, " ")
    page.wait_for_phase("training")
    press(page, "x")
    page.wait_for_phase("ready")
    press(page, "s")
    page.until(lambda: "One batch" in page.text and page.phase == "ready")
    press(page, "r")
    page.until(lambda: "not trained yet" in page.text)


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Everything by keys, in the document's order, with visible focus",
)
def test_a_button_that_cannot_be_pressed_meanwhile_has_the_focus_back_afterwards(page):
    page.execute_script("location.hash = 'epochs=100'; document.getElementById('step').focus()")
    press(page, Keys.ENTER)
    page.until(lambda: "One batch" in page.text and page.phase == "ready")
    page.until(lambda: focused(page) == "step")
    page.execute_script("document.getElementById('train').focus()")
    press(page, Keys.ENTER)
    page.wait_for_phase("training")
    page.until(lambda: focused(page) == "pause", what="what goes on with the run")
    press(page, "x")
    page.wait_for_phase("ready")
    page.until(lambda: focused(page) == "train")


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Everything by keys, in the document's order, with visible focus",
)
def test_a_notice_that_is_dismissed_gives_the_focus_to_what_had_it_before(page, tmp_path):
    (tmp_path / "none.keras").write_bytes(b"")
    page.execute_script("document.getElementById('load').focus()")
    page.find_element(By.ID, "model-file").send_keys(str(tmp_path / "none.keras"))
    page.until("!document.getElementById('failure').hidden")
    page.execute_script("document.getElementById('failure-dismiss').focus()")
    press(page, Keys.ENTER)
    page.until(lambda: focused(page) == "load")


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Everything by keys, in the document's order, with visible focus",
)
def test_a_list_that_is_drawn_again_keeps_the_focus_at_its_place(page):
    page.execute_script("document.getElementById('editor').open = true")
    named = "document.querySelector('[aria-label=\"Remove layer 2\"]')"
    page.execute_script(f"globalThis.former = {named}; former.focus()")
    press(page, Keys.ENTER)
    page.until("!former.isConnected && document.activeElement.closest('#layers')")
    page.execute_script("document.getElementById('reset').focus()")
    page.execute_script("document.getElementById('editor').open = false; location.hash = ''")
    press(page, Keys.ENTER)
    page.until(lambda: "not trained yet" in page.text)


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Everything by keys, in the document's order, with visible focus",
)
def test_what_is_blurred_on_purpose_stays_so(page):
    page.execute_script("document.getElementById('train').focus()")
    page.execute_script("document.activeElement.blur()")
    press(page, "s")
    page.until(lambda: "One batch" in page.text and page.phase == "ready")
    assert focused(page) == ""
    press(page, "r")
    page.until(lambda: "not trained yet" in page.text)


def test_letters_typed_into_a_field_do_nothing_else(page):
    page.execute_script("document.querySelector('#options details').open = true")
    field = page.find_element(By.ID, "option-seed")
    field.send_keys("t", "s", "x", Keys.TAB)
    assert page.phase == "ready"


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Everything by keys, in the document's order, with visible focus",
)
def test_a_digit_can_be_drawn_with_keys_alone(page):
    page.execute_script(
        "location.hash = 'epochs=1&subset=5000&batch=64&lr=0.003'; document.activeElement.blur()"
    )
    press(page, "t")
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    page.find_element(By.ID, "pad").send_keys(Keys.ARROW_UP * 9, " ", Keys.ARROW_DOWN * 18, " ")
    page.until(lambda: page.output("prediction").strip() == "1")
    said = page.find_element(By.ID, "said")
    assert said.get_attribute("role") == "status"
    page.until("document.getElementById('said').textContent.startsWith('It reads 1')")
    page.find_element(By.ID, "pad").send_keys("c")
    page.until(lambda: page.output("prediction").strip() == "?")


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Announcements; charts read by arrow keys and as tables",
)
def test_what_happens_is_announced_and_figures_that_run_are_not(page):
    live = page.execute_script(
        "return [...document.querySelectorAll('[role=status], [role=alert], [aria-live]')]"
        ".map((e) => e.id)"
    )
    assert {"status", "advice", "said", "point", "cell"} <= set(live)
    running = page.execute_script(
        "return [...document.querySelectorAll('output[name]')]"
        ".filter((e) => e.closest('[role=status], [role=alert]')).map((e) => e.name)"
    )
    assert running == []


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Announcements; charts read by arrow keys and as tables",
)
def test_every_chart_has_a_name_and_a_table_that_says_the_same(page):
    figures = page.execute_script(
        "return [...document.querySelectorAll('figure:has(.chart)')].map((f) =>"
        "[document.getElementById(f.getAttribute('aria-labelledby')).textContent,"
        " document.getElementById(f.getAttribute('aria-details')).tagName,"
        " f.querySelector('.chart').tabIndex])"
    )
    assert len(figures) == 3
    for name, tag, index in figures:
        assert name
        assert tag == "TABLE"
        assert index == 0


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Reduced motion; dark and light; 320 pixels to 4K",
)
def test_reduced_motion_stops_every_movement(page):
    screen.wear(page, "light")
    moving = page.execute_script(
        "return [...document.querySelectorAll('*')].filter((e) => {"
        "const s = getComputedStyle(e);"
        "return s.animationName !== 'none' || s.transitionDuration.split(', ')"
        ".some((d) => parseFloat(d) > 0); }).map((e) => e.tagName + e.id)"
    )
    assert moving == []
