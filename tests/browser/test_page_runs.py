"""What a run leaves: curves to read, to compare, to keep and to take away."""

import csv
import io
import json
import struct

import nn
import numpy as np
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.support import screen

pytestmark = pytest.mark.light


@pytest.fixture(scope="module")
def downloads(tmp_path_factory):
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def page(module_site, open_module_page, downloads):
    """A page that has done two runs of two epochs, with different seeds."""
    page = open_module_page(module_site.url + "#epochs=2&subset=2500")
    page.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads)}
    )
    for seed in (1, 2):
        page.wait_for_phase("ready")
        page.execute_script(
            "const field = document.getElementById('option-seed'); field.value = arguments[0];"
            "field.dispatchEvent(new Event('change'))",
            seed,
        )
        page.click("Train")
        page.until(lambda: len(lines(page)) == 2 * seed)  # noqa: B023
        page.wait_for_phase("ready")
    page.execute_script(UNFOLD)
    return page


UNFOLD = "for (const fold of document.querySelectorAll('#history details')) fold.open = true"
NAMES = ["1 · usual options", "2 · seed 2, continues run 1"]


def listed(page):
    """Name, epochs and test error of each run, from the top of the table."""
    return page.execute_script(
        "return [...document.querySelectorAll('#runs tbody tr')]"
        ".map((row) => [...row.children].slice(0, 3).map((cell) => cell.textContent))"
    )


def error(line):
    return f"{100 - float(line[5].split()[0]):.1f} %"


def lines(page):
    return page.execute_script(
        "return [...document.querySelectorAll('#epochs tbody tr:not(.empty)')]"
        ".map((row) => [...row.children].map((cell) => cell.textContent))"
    )


def legend(page, chart):
    """Label and value of each curve, as the legend below a chart has them."""
    pairs = page.execute_script(
        "return [...document.querySelectorAll(`#${arguments[0]} .u-series`)].map((row) =>"
        "[row.querySelector('.u-label').textContent, row.querySelector('.u-value').textContent])",
        chart,
    )
    return dict(pairs)


def hovered(page, chart, share, condition):
    """Put the mouse over a chart, at a share of its width, until its legend is as it should be.

    The page may still make the chart, or move it.
    """

    def fulfilled():
        return hover(page, chart, share) and condition(legend(page, chart))

    page.until(fulfilled, what=f"the legend of {chart}")


def hover(page, chart, share):
    """Put the mouse over a chart; return whether there is one."""
    place = page.execute_script(
        "const over = document.querySelector(`#${arguments[0]} .u-over`);"
        "if (!over) return null;"
        "over.scrollIntoView({ block: 'center' });"
        "const box = over.getBoundingClientRect();"
        "return [box.left, box.top, box.width, box.height]",
        chart,
    )
    left, top, width, height = place or (0, 0, 0, 0)
    for x in (0.5, share) if place else ():
        page.execute_cdp_cmd(
            "Input.dispatchMouseEvent",
            {"type": "mouseMoved", "x": left + x * width, "y": top + height / 2},
        )
    return bool(place)


@pytest.mark.promise(
    "The page: training",
    "Loss and accuracy by batch and by epoch, of training and of test images",
)
def test_hovering_reads_the_batch_and_its_smooth_value(page):
    hovered(page, "loss-chart", 0.25, lambda values: values["Batch"] not in ("", "--"))
    values = legend(page, "loss-chart")
    assert 7 <= float(values["Step"]) <= 13
    assert float(values["Batch"]) > 0
    assert float(values["Smooth"]) > 0
    assert legend(page, "accuracy-chart")["Batch"].endswith("%"), "both charts show one step"


@pytest.mark.promise(
    "The page: training",
    "Loss and accuracy by batch and by epoch, of training and of test images",
)
def test_hovering_an_epochs_end_reads_the_test_value(page):
    hovered(page, "accuracy-chart", 0.9999, lambda values: values["Test"].endswith("%"))
    error = float(legend(page, "accuracy-chart")["Test"].split()[0])
    assert error == pytest.approx(100 - float(lines(page)[-1][5].split()[0]), abs=0.11)


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Announcements; charts read by arrow keys and as tables",
)
def test_arrow_keys_read_a_chart_aloud(page):
    chart = page.find_element(By.ID, "loss-chart")
    chart.send_keys(Keys.HOME)
    words = page.until("document.getElementById('point').textContent")
    assert words.startswith("Step 1, Batch ")
    chart.send_keys(Keys.ARROW_RIGHT)
    page.until(
        lambda: page.execute_script("return document.getElementById('point').textContent") != words
    )
    chart.send_keys(Keys.END)
    page.until("document.getElementById('point').textContent.includes('Test ')")


def picture(page, chart="loss-chart"):
    return page.execute_script(
        "return document.querySelector(`#${arguments[0]} canvas`)?.toDataURL()", chart
    )


@pytest.mark.promise("The page: training", "Log scale, smoothing")
def test_the_log_scale_draws_another_picture_and_back(page):
    before = screen.picture(page, "#loss-chart canvas")
    page.find_element(By.ID, "option-log").click()
    page.until(lambda: picture(page) not in (None, before))
    assert "log=1" in page.execute_script("return location.hash")
    page.find_element(By.ID, "option-log").click()
    page.until(lambda: picture(page) == before)


@pytest.mark.promise("The page: training", "Log scale, smoothing")
def test_smoothing_acts_on_what_is_drawn(page):
    slider = page.find_element(By.ID, "option-smoothing")
    slider.send_keys(Keys.HOME)
    hovered(page, "loss-chart", 0.3, lambda values: values["Batch"] == values["Smooth"] != "--")
    slider.send_keys(Keys.END)
    hovered(page, "loss-chart", 0.3, lambda values: values["Batch"] != values["Smooth"])


@pytest.mark.promise(
    "The page: training",
    "Loss and accuracy by batch and by epoch, of training and of test images",
)
@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Loss and accuracy of batches and epochs, live",
)
def test_the_table_has_train_and_test_figures_of_every_epoch(page):
    table = lines(page)
    assert [line[:2] for line in table] == [["1", "1"], ["1", "2"], ["2", "1"], ["2", "2"]]
    for line in table:
        assert float(line[2]) > 0
        assert line[3].endswith("%")
        assert float(line[4]) > 0
        assert line[5].endswith("%")


def test_the_network_in_work_says_how_long_it_was_trained(page):
    note = page.find_element(By.ID, "model-note")
    assert note.text == "Trained for 4 epochs."


def taken(page, downloads, name, button):
    page.click(button)
    target = downloads / name
    page.until(lambda: target.exists() and target.stat().st_size)
    return target.read_bytes()


@pytest.mark.promise("The page: training", "CSV, JSON, PNG")
@pytest.mark.promise("Earlier work: a network trained in a worker", "Export of the run")
def test_the_csv_has_a_line_for_every_epoch(page, downloads):
    text = taken(page, downloads, "runs.csv", "CSV").decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["run"], row["epoch"]) for row in rows] == [
        ("1", "1"), ("1", "2"), ("2", "1"), ("2", "2"),
    ]  # fmt: skip
    for row, line in zip(rows, lines(page), strict=True):
        assert f"{100 * float(row['val_accuracy']):.1f} %" == line[5]


@pytest.mark.promise("The page: training", "CSV, JSON, PNG")
@pytest.mark.promise("Earlier work: a network trained in a worker", "Export of the run")
def test_the_json_has_the_options_and_the_link_of_every_run(page, downloads):
    runs = json.loads(taken(page, downloads, "runs.json", "JSON"))
    assert [run["number"] for run in runs] == [1, 2]
    assert [run["options"]["seed"] for run in runs] == [1, 2]
    assert runs[1]["link"] == "subset=2500&epochs=2&seed=2"
    assert len(runs[0]["epochs"]) == 2


@pytest.mark.promise("The page: training", "CSV, JSON, PNG")
def test_the_png_is_a_picture_of_every_chart(page, downloads):
    octets = taken(page, downloads, "curves.png", "PNG")
    assert octets.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", octets[16:24])
    widths = page.execute_script(
        "return [...document.querySelectorAll('#training .uplot canvas')].map((c) => c.width)"
    )
    assert len(widths) == 3
    assert width == sum(widths)
    assert height > 100


@pytest.mark.promise("The page: training", "Runs overlaid, by any figure, kept, forgotten")
@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Options editable, in the link, runs overlaid and kept",
)
def test_the_runs_are_overlaid_and_kept_over_a_reload(page):
    page.until(lambda: set(legend(page, "runs-chart")) == {"Step", *NAMES})
    before = lines(page)
    page.refresh()
    page.wait_for_phase("ready")
    page.execute_script(UNFOLD)
    page.until(lambda: lines(page) == before)
    assert listed(page) == [
        [f"{NAMES[1]}, best", "2", error(before[3])], [NAMES[0], "2", error(before[1])]
    ]  # fmt: skip
    page.until(lambda: set(legend(page, "runs-chart")) == {"Step", *NAMES})
    hovered(page, "runs-chart", 0.98, lambda values: values[NAMES[1]] == before[-1][5])


METRICS = {"loss": 2, "accuracy": 3, "val_loss": 4, "val_accuracy": 5}


@pytest.mark.promise("The page: training", "Runs overlaid, by any figure, kept, forgotten")
@pytest.mark.parametrize("metric", METRICS)
def test_the_overlay_compares_any_figure_of_the_runs(page, metric):
    Select(page.find_element(By.ID, "runs-metric")).select_by_value(metric)
    wanted = {
        NAMES[int(line[0]) - 1]: line[METRICS[metric]] for line in lines(page) if line[1] == "2"
    }

    hovered(page, "runs-chart", 0.98, lambda values: wanted.items() <= values.items())
    assert (f"metric={metric}" in page.current_url) == (metric != "val_accuracy")


ROWS_WHEN_READY = """
const [done] = arguments, opening = indexedDB.open("farcall");
opening.onsuccess = () => {
    new MutationObserver((_, watch) => {
        if (document.documentElement.dataset.phase !== "ready") return;
        watch.disconnect();
        opening.result.transaction("runs").objectStore("runs").count().onsuccess = (event) => {
            opening.result.close();
            globalThis.rowsWhenReady = event.target.result;
        };
    }).observe(document.documentElement, { attributeFilter: ["data-phase"] });
    done();
};
"""


AS_BEFORE = """
const [done] = arguments, opening = indexedDB.open("farcall");
opening.onsuccess = () => {
    const rows = opening.result.transaction("runs", "readwrite").objectStore("runs");
    const write = (name, runs) => rows.put(
        { name, about: "{}", octets: new TextEncoder().encode(JSON.stringify(runs)) });
    rows.getAll().onsuccess = (event) => {
        rows.clear();
        const all = event.target.result.map((row) => new TextDecoder().decode(row.octets));
        write("record", all.flatMap((text) => JSON.parse(text)));
        rows.transaction.oncomplete = () => { opening.result.close(); done(all.length); };
    };
};
"""


@pytest.mark.promise("The page: training", "Runs overlaid, by any figure, kept, forgotten")
def test_runs_of_two_tabs_are_kept_beside_each_other_and_beside_those_of_an_older_page(page):
    def numbers():
        return [name.split(" ")[0] for name, _, _ in listed(page)]

    def train_the_third():
        page.wait_for_phase("ready")
        page.until(lambda: numbers() == ["2", "1"])
        page.execute_async_script(ROWS_WHEN_READY)
        page.click("Train")
        page.wait_for_phase("training")
        page.wait_for_phase("ready")
        assert numbers() == ["3", "2", "1"]
        return page.until("globalThis.rowsWhenReady")

    address = page.current_url.split("#")[0] + "#epochs=1&subset=1000"
    assert page.execute_async_script(AS_BEFORE) == 2  # all runs in one row
    first = page.current_window_handle
    page.get("about:blank")
    page.get(address)
    page.wait_for_phase("ready")
    page.until(lambda: numbers() == ["2", "1"])
    page.switch_to.window(page.new_tab())
    page.prepare()  # what notes the phases: this run is short
    page.get(address)
    assert train_the_third() == 3
    page.close()
    page.switch_to.window(first)
    assert train_the_third() == 4
    page.refresh()
    page.wait_for_phase("ready")
    page.until(lambda: numbers() == ["4", "3", "2", "1"])
    page.execute_script(UNFOLD)


@pytest.mark.promise("The page: training", "Runs overlaid, by any figure, kept, forgotten")
def test_runs_can_be_forgotten_for_good(page):
    page.click("Forget runs")
    page.until(lambda: lines(page) == [])
    page.refresh()
    page.wait_for_phase("ready")
    page.until(lambda: lines(page) == [])
    assert not page.find_element(By.ID, "export-csv").is_enabled()


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Reduced motion; dark and light; 320 pixels to 4K",
)
def test_a_theme_colours_the_charts_and_is_kept(page):
    page.execute_script("location.hash = 'epochs=1&subset=1000'")
    page.click("Train")
    page.until(lambda: len(lines(page)) == 1)
    page.wait_for_phase("ready")
    page.button("Theme: Auto").click()
    light = picture(page)
    page.button("Theme: Light").click()
    page.until(lambda: picture(page) not in (None, light))
    page.refresh()
    page.wait_for_phase("ready")
    page.until("document.documentElement.dataset.theme === 'dark'")
    assert page.button("Theme: Dark").is_displayed()
    page.button("Theme: Dark").click()


def changes(page, folder):
    """What makes findings those of another network or of other data, by name: how to do it, and
    what the page says at its end."""
    rows = np.random.default_rng(0).integers(0, 256, (70, 785))
    rows[:, 0] = np.arange(70) % 10
    np.savetxt(folder / "own.csv", rows, fmt="%d", delimiter=",")
    model = nn.Sequential([nn.Input((28, 28, 1)), nn.Flatten(), nn.Dense(10, activation="softmax")])
    (folder / "other.npz").write_bytes(nn.io.save(model))
    return {
        "a step": (lambda: page.click("Step"), "One batch of"),
        "a run": (lambda: page.click("Train"), "Done"),
        "fresh weights": (lambda: page.click("Reset"), "not trained yet"),
        "another architecture": (
            lambda: page.execute_script("location.hash = 'preset=mlp'"),
            "not trained yet",
        ),
        "another model": (lambda: give(page, "model-file", folder / "other.npz"), "in use now"),
        "other data": (
            lambda: give(page, "data-files", folder / "own.csv"),
            "images to train on",
        ),
        "the usual data": (lambda: page.click("Back to MNIST"), "The data are MNIST again"),
    }


def give(page, field, path):
    page.find_element(By.ID, field).send_keys(str(path))


FOUND = "!document.getElementById('findings').hidden"


@pytest.mark.promise("The page: analysis", "Cleared when the network or its data change")
def test_findings_and_precisions_end_with_the_network_or_the_data_that_they_are_of(page, tmp_path):
    page.execute_script("document.getElementById('quantise').closest('details').open = true")
    for field, value in (("option-epochs", 1), ("subset", 0)):  # a link would bring another network
        page.change(field, value)
    for name, (change, end) in changes(page, tmp_path).items():
        page.click("Analyse")
        page.until(f"{FOUND} && !document.getElementById('analyse').disabled")
        page.click("Compare precisions")
        page.until("document.getElementById('precisions').checkVisibility()")
        change()
        page.until(f"!({FOUND})", what=f"the findings to end with {name}")
        page.until("!document.getElementById('precisions').checkVisibility()", what=name)
        page.until(f"document.getElementById('status').textContent.includes('{end}')", what=name)
        page.wait_for_phase("ready")
    assert "analyse again" in page.text
