"""Every control of the training panel does what it says, while training where it says so."""

import re

import pytest
from selenium.webdriver.common.by import By


@pytest.fixture(scope="module")
def page(module_site, open_module_page):
    page = open_module_page(module_site.url)
    page.wait_for_phase("ready")
    return page


@pytest.fixture(autouse=True)
def at_rest(page):
    """Each test begins with a fresh network, the default options and nothing running."""
    yield
    if page.phase != "ready":
        page.click("Stop")
        page.wait_for_phase("ready")
    options(page)
    page.click("Reset")
    page.until("document.querySelector('output[name=loss]').innerText === '–'")


def options(page, text=""):
    page.execute_script("location.hash = arguments[0]", text)
    page.until(lambda: page.execute_script("return location.hash") == ("#" + text if text else ""))


def train(page, text):
    """A whole run with these options; its last words."""
    options(page, text)
    page.click("Train")
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    return said(page)


def said(page):
    return page.execute_script("return document.getElementById('status').textContent")


def started(page, text, batch=5):
    options(page, text)
    page.click("Train")
    page.until(lambda: page.phase == "training" and page.number("batch") > batch)


def test_a_run_that_is_stopped_in_its_first_epoch_has_done_none(page):
    started(page, "epochs=5")
    page.click("Stop")
    page.wait_for_phase("ready")
    assert re.search(r"Stopped in epoch 1 of 5, at batch \d+ of 469", said(page))
    rows = page.find_elements(By.CSS_SELECTOR, "#epochs tbody tr:not(.empty)")
    assert rows == []


def test_a_run_says_how_it_ended(page):
    assert "Done: 2 of 2 epochs" in train(page, "subset=500&epochs=2")


def test_the_table_has_every_epoch_however_short(page):
    train(page, "subset=500&batch=512&epochs=12")
    run = page.execute_script(
        "return [...document.querySelectorAll('#epochs tbody tr')]"
        ".map((row) => [...row.children].map((cell) => cell.textContent))"
        ".filter((row, _, all) => row[0] === all.at(-1)[0]).map((row) => row[1])"
    )
    assert run == [str(number) for number in range(1, 13)]
