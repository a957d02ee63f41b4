"""The address says everything that decides a curve."""

import pytest
from app.state import settings
from selenium.webdriver.common.by import By

from tests.support import screen

pytestmark = pytest.mark.light

LINK = "preset=small&subset=2500&optimizer=SGD&lr=0.05&schedule=cosine&batch=64&epochs=2&seed=77"
LINK += "&l2=0.001&patience=4&smoothing=0.5"


@pytest.fixture(scope="module")
def page(module_site, open_module_page):
    page = open_module_page(module_site.url + "#" + LINK)
    page.wait_for_phase("ready")
    return page


def trained(page):
    """The figures of both epochs, the loss curve's picture and the numbers of the last batch."""
    count = "document.querySelectorAll('#epochs tbody tr:not(.empty)').length"
    before = page.execute_script(f"return {count}")
    page.click("Train")
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    page.until(f"{count} >= {before + 2}")
    rows = page.execute_script(
        "return [...document.querySelectorAll('#epochs tbody tr')].slice(-2)"
        ".map((row) => [...row.children].slice(1, 6).map((cell) => cell.textContent))"
    )
    return rows, screen.picture(page, "#loss-chart canvas")


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "All options in the address, by one table; what makes no sense is ignored; a link is a curve",
)
def test_the_same_link_gives_the_same_curve_in_another_browser(page, module_site, open_page):
    first = trained(page)
    page = open_page(f"{module_site.url}#{LINK}")
    page.wait_for_phase("ready")
    second = trained(page)
    assert first == second
    page.execute_script("location.hash = arguments[0]", LINK.replace("seed=77", "seed=78"))
    page.until(lambda: value(page, "seed") == "78")
    page.until(lambda: not page.execute_script(LEARNED), what="a link begins afresh in a page too")
    other = trained(page)
    assert other[0] != first[0]
    assert other[1] != first[1]
    leave_a_model_and_a_run(page)
    page.execute_script("history.replaceState(null, '', '#' + arguments[0])", LINK)
    page.refresh()
    page.wait_for_phase("ready")
    page.until(lambda: "is saved: open it under Models." in page.text)
    page.until(lambda: OFFER in page.text)
    assert not page.execute_script(LEARNED)
    assert trained(page) == first
    assert OFFER in page.text, "what was kept is offered still"
    page.execute_script("for (let press = 0; press < 2; press++) arguments[0].click()",
                        page.button("Discard it"))  # fmt: skip
    page.until(lambda: OFFER not in page.text)
    assert not page.find_element("id", "failure").is_displayed()
    assert page.execute_script("return location.hash") == "#" + LINK
    assert page.execute_script(LEARNED), "the network in use is another"


LEARNED = "return document.documentElement.hasAttribute('data-trained')"
OFFER = "A run was cut short"


def leave_a_model_and_a_run(page):
    """Save the network, and train another one with other options, which is not over."""
    page.click("Save")
    page.until(lambda: "Saved as" in page.text)
    page.execute_script("location.hash = 'epochs=100&subset=500&preset=mlp'")
    page.until("document.getElementById('total-params').textContent === '397,510'")
    page.click("Train")
    page.until("document.querySelectorAll('#epochs tr[data-run=\"3\"]').length > 1")


def value(page, name):
    return page.execute_script(f"return document.getElementById('option-{name}').value")


@pytest.mark.promise(
    "The page: everybody, any screen, any failure", "Links to its documents, and to itself"
)
def test_the_link_can_be_copied_and_the_documents_opened(page, module_site):
    page.execute_cdp_cmd(
        "Browser.grantPermissions",
        {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]},
    )
    page.execute_script("document.getElementById('copy-link').click()")
    page.until("document.getElementById('status').innerText === 'The link is copied.'")
    read = "const done = arguments[0]; navigator.clipboard.readText().then(done)"
    assert page.execute_async_script(read) == page.current_url
    page.execute_script("location.hash = ''")
    page.until(lambda: value(page, "seed") == "1")
    page.execute_script("document.getElementById('copy-link').click()")
    page.until(f"document.getElementById('link').textContent === '{module_site.url}#preset=seed'")
    page.execute_script("location.hash = arguments[0]", LINK)
    page.until(lambda: value(page, "seed") == "77")
    names = (
        "return [...document.querySelectorAll('footer summary, footer a')].map((e) => e.innerText)"
    )
    found = ["About", "Playground", "Docs", "What are these numbers?", "Embed"]
    assert page.execute_script(names) == found
    statuses = (
        "const done = arguments[0]; Promise.all([...document.links].filter((a) => !a.hash)"
        ".map((a) => fetch(a.href).then((answer) => answer.status))).then(done)"
    )
    assert set(page.execute_async_script(statuses)) == {200}


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "All options in the address, by one table; what makes no sense is ignored; a link is a curve",
)
def test_a_link_fills_the_form(page):
    names = ("optimizer", "batch", "epochs", "schedule", "l2", "patience", "seed", "smoothing")
    shown = {name: value(page, name) for name in names}
    assert shown == {
        "optimizer": "SGD", "batch": "64", "epochs": "2", "schedule": "cosine",
        "l2": "0.001", "patience": "4", "seed": "77", "smoothing": "0.5",
    }  # fmt: skip
    assert page.execute_script("return document.getElementById('preset').value") == "small"
    assert page.output("eta") == "–"
    subset = page.execute_script("return document.getElementById('subset-value').textContent")
    assert subset == "2,500"


def test_a_link_may_have_a_batch_size_that_the_list_has_not(page):
    page.execute_script("location.hash = 'batch=48'")
    page.until(lambda: value(page, "batch") == "48")
    page.execute_script("location.hash = ''")
    page.until(lambda: value(page, "batch") == "128")


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "All options in the address, by one table; what makes no sense is ignored; a link is a curve",
)
def test_values_that_make_no_sense_are_ignored(page):
    nonsense = "#lr=fast&batch=0&epochs=1e9&optimizer=Magic&colour=red&seed=12&hide=moon"
    page.execute_script("location.hash = arguments[0]", nonsense)
    page.until(lambda: value(page, "seed") == "12")
    assert value(page, "optimizer") == "Adam"
    assert value(page, "batch") == "128"
    assert value(page, "epochs") == "5"
    assert page.phase == "ready"


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "All options in the address, by one table; what makes no sense is ignored; a link is a curve",
)
@pytest.mark.parametrize("panel", settings.PANELS)
def test_every_panel_can_be_hidden_by_the_link(page, panel):
    page.execute_script("location.hash = arguments[0]", f"hide={panel}")
    shown = "pad" if panel == "draw" else panel  # the picture stays without the pad
    page.until(lambda: not page.find_element(By.ID, shown).is_displayed())
    page.execute_script("location.hash = ''")
    page.until(f"!document.getElementById({panel!r}).hidden")
