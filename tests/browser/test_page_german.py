"""The page in German: whatever a reader meets of its catalogue is in German."""

import json
import re
import string

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.support import screen
from tools import catalogue, lessons

pytestmark = pytest.mark.light

LINK = "preset=small&subset=500&epochs=1&lang=de"
# Texts and attributes of all that is on the page, hidden or not; programs are English.
READ = """
const found = [document.title];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node; (node = walk.nextNode()); ) {
  if (!node.parentElement.closest("script, style, noscript, pre, [lang=en]")) found.push(node.data);
}
for (const name of ["title", "aria-label", "placeholder", "alt", "aria-valuetext", "label"]) {
  for (const element of document.body.querySelectorAll(`[${name}]`)) {
    if (!element.closest("[lang=en]")) found.push(element.getAttribute(name));
  }
}
return found.map((text) => text.trim().replace(/\\s+/g, " ")).filter(Boolean);
"""

# As a browser that translates pages: it says its own language, and puts texts into elements.
TRANSLATE = """
document.addEventListener("DOMContentLoaded", () => {
  const translate = (root) => {
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT), found = [];
    while (texts.nextNode()) found.push(texts.currentNode);
    for (const node of found) {
      if (node.parentElement.closest("font, script, style, [translate=no]")) continue;
      if (!/[a-z]/i.test(node.data)) continue;
      const font = document.createElement("font");
      font.append(Object.assign(document.createElement("font"), { textContent: node.data }));
      node.replaceWith(font);
    }
  };
  document.documentElement.lang = "fr";
  translate(document.body);
  new MutationObserver((records) => {
    for (const { target } of records) if (target.isConnected) translate(target.parentNode);
  }).observe(document.body, { childList: true, characterData: true, subtree: true });
});
"""


def pattern(text):
    """Return what matches a text with its placeholders filled, None where it has few words."""
    if "{" not in text:
        return None
    parts = list(string.Formatter().parse(text))
    if sum(len(re.findall(r"[a-z]{2,}", words)) for words, *_ in parts) < 2:
        return None
    whole = "".join(
        re.escape(words) + (".+" if name is not None else "") for words, name, *_ in parts
    )
    return re.compile(whole)


GERMAN = catalogue.read("de")
PLAIN = {text for text in GERMAN if "{" not in text} - set(GERMAN.values())
PATTERNS = [found for text in GERMAN if GERMAN[text] != text and (found := pattern(text))]


def english(page):
    """The texts of the page that the catalogue has in English."""
    return [
        text
        for text in page.execute_script(READ)
        if text in PLAIN or any(whole.fullmatch(text) for whole in PATTERNS)
    ]


@pytest.fixture(scope="module")
def page(module_site, open_module_page):
    page = open_module_page(module_site.url + "#" + LINK)
    page.wait_for_phase("ready")
    page.until("!document.getElementById('why').disabled")  # all that comes later is there
    return page


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "German, from the link or the footer: every text but programs and the engine's errors",
)
def test_the_page_is_german_before_and_after_training(page):
    assert page.execute_script("return document.documentElement.lang") == "de"
    assert "Drücken Sie Trainieren" in page.text
    assert english(page) == []
    page.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    page.click("Trainieren")
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    page.until(lambda: "Fertig: Epoche 1 von 1" in page.text)
    page.click("Analysieren")
    page.until("!document.getElementById('findings').hidden")
    page.until(
        lambda: (
            "Testbildern richtig"
            in page.execute_script("return document.getElementById('status').textContent")
        )
    )
    assert english(page) == []
    assert re.search(r"\d,\d %", page.text), "numbers have the decimal comma"


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "A page that the browser translates works as before; its programs are not translated",
)
@pytest.mark.parametrize("language", ["en", "de"])
def test_a_page_that_the_browser_translates_trains_and_keeps_its_language(
    module_site, open_page, language
):
    page = open_page()
    page.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": TRANSLATE})
    page.get(module_site.url + "#" + LINK.replace("lang=de", f"lang={language}"))
    page.wait_for_phase("ready")
    page.execute_script("document.getElementById('train').click()")
    done = {"en": "Done: epoch 1 of 1", "de": "Fertig: Epoche 1 von 1"}[language]
    page.until(lambda: done in page.text)
    page.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    code = "return document.getElementById('code').innerHTML"
    page.until(lambda: "import" in page.execute_script(code))
    assert "<font" not in page.execute_script(code)
    if language == "de":
        assert english(page) == []


def test_errors_of_fields_are_german_and_the_link_keeps_the_language(page):
    page.execute_script(
        "const field = document.getElementById('option-epochs');"
        "field.value = '0'; field.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    page.until(lambda: "eine ganze Zahl von 1 bis 100" in page.text)
    page.execute_script("location.hash = 'subset=500&epochs=2'")  # a lesson's link says no language
    page.until("location.hash.includes('epochs=2&lang=de')")
    page.until("document.getElementById('option-epochs').value === '2'")
    assert english(page) == []


def test_a_lesson_is_german_and_one_that_is_not_translated_names_what_is_on_the_page(
    page, module_site
):
    *german, _ = lessons.lessons(language="de")
    module_site.replace(
        lessons.TARGET.format(language="de"), json.dumps([*german, lessons.lessons()[-1]])
    )
    page.execute_script("location.hash = 'lesson=first-training'")
    page.until("document.querySelector('#lesson .choices')")
    assert english(page) == []
    assert "Von zehn Ziffern liest es eine" in lesson(page)
    page.execute_script("location.hash = 'lesson=own-classes'")
    page.until("document.querySelector('#lesson .choices [lang=en]')")
    assert "Open Eigene Daten under Data and press Klassen hier anlegen." in lesson(page)
    page.execute_script("[...document.querySelectorAll('#lesson button')].at(-1).click()")
    page.until("document.getElementById('lesson').hidden")


def lesson(page):
    text = page.execute_script("return document.getElementById('lesson').innerText")
    return " ".join(text.split())


# Figures of the first line that are cut off by their box.
CUT = """
const box = document.querySelector(".figures").getBoundingClientRect();
const figure = document.querySelector(".of-test");
return ["dt", "output"].map((name) => figure.querySelector(name)).filter((part) => {
    const text = document.createRange();
    text.selectNodeContents(part);
    const { left, right, bottom } = text.getBoundingClientRect();
    return left < box.left || right > box.right || bottom > box.bottom;
}).map((part) => part.textContent);
"""


@pytest.mark.parametrize("trained", [False, True])
def test_the_first_figure_is_whole_on_a_small_phone(page, trained):
    page.execute_script(
        "document.documentElement.toggleAttribute('data-trained', arguments[0]);"
        "document.querySelector('[name=val_accuracy]').textContent = '97,5 %'",
        trained,
    )
    try:
        for width in (320, 360):
            screen.resize(page, width, 640)
            assert page.execute_script(CUT) == [], width
    finally:
        screen.restore(page)


def enter(page, field, text):
    field.clear()
    field.send_keys(text, Keys.TAB)
    return field.get_attribute("aria-invalid") == "true"


def test_numbers_are_typed_as_german_writes_them_in_whichever_browser(page):
    page.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    assert not page.find_elements(By.CSS_SELECTOR, "input[type=number]"), "the browser's language"
    penalty = page.find_element(By.ID, "option-l2")
    assert not enter(page, penalty, "0,05")
    page.until("location.hash.includes('l2=0.05')")
    penalty.send_keys(Keys.ARROW_UP)
    page.until("location.hash.includes('l2=0.0501')")
    assert penalty.get_attribute("value") == "0,0501"
    for wrong in ("0.05", "5,1", "0,0,5", "1.000,5"):
        assert enter(page, penalty, wrong), wrong
        page.until(
            lambda: (
                "L2-Strafe: eine Zahl von 0 bis 0,1. Verwendet wird 0,0501."
                in page.execute_script(
                    "return document.getElementById('option-l2-wrong').innerText"
                )
            )
        )
    for wrong in ("5,1", "1.000"):
        assert enter(page, page.find_element(By.ID, "option-seed"), wrong), wrong
    layers = "Dropout,rate:0.25;Flatten;Dense,units:10,activation:softmax"
    page.execute_script(f"location.hash = 'layers={layers}&lang=de'")
    page.until("document.querySelectorAll('#layers [inputmode]').length === 2")
    rate = page.find_element(By.CSS_SELECTOR, "#layers [inputmode]")
    assert rate.get_attribute("value") == "0,25"
    assert enter(page, rate, "0.5")
    rate.clear()
    rate.send_keys("0,5", Keys.TAB)
    page.until("location.hash.includes('rate:0.5')")
    page.execute_script("location.hash = 'preset=small&subset=500&lang=de'")


def test_the_playground_is_german_from_a_link_of_the_page(page):
    page.execute_script("document.querySelector('a[href*=playground]').click()")
    page.until("location.pathname.endsWith('playground.html')")
    page.wait_for_phase("ready")
    assert page.execute_script("return document.documentElement.lang") == "de"
    page.until(lambda: english(page) == [])
    page.click("Schritt")
    page.until(lambda: "Epoche 1:" in page.text)
    assert english(page) == []


def test_a_press_in_the_footer_changes_the_language_and_keeps_the_options(page):
    page.execute_script("location.hash = 'seed=7&lang=de'")
    page.until("document.documentElement.dataset.phase === 'ready'")
    for language, link, word in (
        ("en", "#seed=7", "Train"),
        ("de", "#seed=7&lang=de", "Trainieren"),
    ):
        page.click(language.upper())
        page.until(f"document.documentElement.lang === '{language}'")
        page.until(f"document.getElementById('train')?.textContent === '{word}'")
        assert page.execute_script("return location.hash") == link
