"""Crash, reload, full memory, full disk, no storage, a hidden tab: each has an answer."""

from tests.support.pad import draw


def said(page):
    return page.execute_script("return document.getElementById('status').textContent")


def rows(page):
    """The table of epochs without its times, exact enough to tell two runs apart."""
    return page.execute_script(
        "return [...document.querySelectorAll('#epochs tbody tr:not(.empty)')]"
        ".map((row) => [...row.children].slice(0, 6).map((cell) => cell.textContent))"
    )


def kill(page):
    page.execute_script(
        "[...document.querySelectorAll('script[type=py]')].forEach((s) => s.xworker.terminate())"
    )


def test_a_worker_that_died_is_restarted_and_the_run_continued(site, open_page):
    page = open_page(site.url + "#epochs=3&subset=5000")
    page.wait_for_phase("ready")
    page.button("Train").click()
    page.until(lambda: len(rows(page)) >= 2)
    kill(page)
    page.wait_for_phase("error")
    page.button("Restart the worker").click()
    page.wait_for_phase("ready")
    assert "A run was cut short" in page.text
    page.button("Continue the run").click()
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    assert "Done: 3 of 3 epochs" in said(page)
    assert page.output("epoch") == "3/3"
    draw(page)
    page.until(lambda: page.output("prediction").strip().isdigit())


def test_a_reload_while_training_goes_on_as_if_there_had_been_none(site, open_page):
    page = open_page(site.url + "#epochs=3&subset=5000&schedule=cosine")
    page.wait_for_phase("ready")
    page.button("Train").click()
    page.until(lambda: len(rows(page)) == 3)
    page.wait_for_phase("ready")
    page.button("Reset").click()
    page.until(lambda: "not trained yet" in said(page))
    page.button("Train").click()
    page.until(lambda: len(rows(page)) >= 4)
    page.refresh()
    page.wait_for_phase("ready")
    assert "Run 2 had done" in page.text
    page.button("Continue the run").click()
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    page.refresh()
    page.wait_for_phase("ready")
    assert not page.find_element("id", "unfinished").is_displayed()
    runs = rows(page)
    assert [row[0] for row in runs] == ["1"] * 3 + ["2"] * 3
    assert [row[1:] for row in runs[3:]] == [row[1:] for row in runs[:3]]
