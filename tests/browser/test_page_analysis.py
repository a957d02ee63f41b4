"""Step 4: what the network learned, where it is wrong, what it costs, and where it runs."""

import pytest

from tests.support.pad import draw

pytestmark = pytest.mark.light(10_000, 10_000)

GROUPS = ["Browser and engine", "Memory", "Messages between page and worker"]
COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]  # of the published test set


@pytest.fixture(scope="module")
def page(module_site, open_module_page):
    """A page whose network has seen 10,000 images, with a drawing, analysed."""
    page = open_module_page(module_site.url + "#epochs=1&subset=10000")
    page.wait_for_phase("ready")
    page.click("Train")
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    draw(page)
    page.until(lambda: page.output("prediction").strip().isdigit())
    page.click("Analyse")
    page.until("document.querySelectorAll('#profile tr').length > 1", 60)
    page.until("!document.getElementById('analyse').disabled")
    page.brought = page.execute_script(
        "return [document.activeElement.id,"
        " document.activeElement.getBoundingClientRect().top / innerHeight]"
    )
    return page


def table(page, identifier):
    return page.execute_script(
        "return [...document.querySelectorAll(`#${arguments[0]} tr`)].map((row) =>"
        "[...row.children].map((cell) => cell.innerText.trim()))",
        identifier,
    )


def matrix(page):
    return [[int(cell or 0) for cell in row[1:]] for row in table(page, "confusion")[1:]]


def tiles(page, selector):
    return page.execute_script(
        "return [...document.querySelectorAll(arguments[0] + ' canvas')].map((c) => c.ariaLabel)",
        selector,
    )


def test_a_layer_has_one_name_in_the_table_the_weights_and_the_times(page):
    script = "return [...document.querySelectorAll(arguments[0])].map((cell) => cell.textContent)"
    rows = page.execute_script(script, "#summary tbody th")
    assert rows[:3] == ["1 Conv2D", "2 MaxPooling2D", "3 Conv2D"]
    times = [row[0] for row in table(page, "profile")[1:]]
    assert {part for name in times for part in name.split(" + ")} == set(rows)
    weights = page.execute_script(script, "#histograms > div")
    assert [words.split(":")[0] for words in weights] == [rows[n] for n in (0, 2, 5, 6)]


@pytest.mark.promise("The page: analysis", "It comes into view, and has the focus")
def test_the_analysis_is_brought_into_view_and_has_the_focus(page):
    focused, place = page.brought
    assert focused == "analysis-title"
    assert 0 <= place <= 0.8


@pytest.mark.promise(
    "The page: analysis",
    "Confusion matrix, a cell's images, precision, recall and F1, the worst mistakes",
)
def test_each_row_of_the_confusion_matrix_is_a_digit_of_the_test_set(page):
    assert [sum(row) for row in matrix(page)] == COUNTS


@pytest.mark.promise(
    "The page: analysis",
    "Confusion matrix, a cell's images, precision, recall and F1, the worst mistakes",
)
def test_precision_recall_and_f1_are_those_of_the_matrix(page):
    cells, rows = matrix(page), table(page, "per-class")[1:]
    for digit, (label, precision, recall, f1, images) in enumerate(rows):
        hits = cells[digit][digit]
        p, r = hits / sum(row[digit] for row in cells), hits / sum(cells[digit])
        assert label == str(digit)
        assert int(images.replace(",", "")) == COUNTS[digit]
        for shown, value in ((precision, p), (recall, r), (f1, 2 * p * r / (p + r))):
            assert float(shown.rstrip(" %")) == pytest.approx(100 * value, abs=0.051)


@pytest.mark.promise(
    "The page: analysis",
    "Confusion matrix, a cell's images, precision, recall and F1, the worst mistakes",
)
def test_a_cell_shows_its_images(page):
    cells = matrix(page)
    truth, answer = max(
        ((t, a) for t in range(10) for a in range(10) if t != a), key=lambda p: cells[p[0]][p[1]]
    )
    row = f"#confusion tbody tr:nth-child({truth + 1})"
    page.execute_script(f"document.querySelectorAll('{row} button')[{answer}].click()")
    page.until(f"document.getElementById('cell').innerText.startsWith('{truth} read as {answer}')")
    assert len(tiles(page, "#cell")) == min(30, cells[truth][answer])


@pytest.mark.promise(
    "The page: analysis",
    "Confusion matrix, a cell's images, precision, recall and F1, the worst mistakes",
)
def test_the_worst_mistakes_are_mistakes(page):
    words = tiles(page, "#mistakes")
    assert len(words) >= 10
    for word in words:
        truth, answer = word.removeprefix("A ").split(" read as ")
        assert truth != answer


@pytest.mark.promise("The page: analysis", "Weights, time of each layer, environment")
def test_the_weights_of_every_layer_have_a_histogram(page):
    shown = page.execute_script("return document.getElementById('histograms').innerText")
    for count in ("80", "1,168", "51,328", "1,290"):
        assert f": {count} weights from " in shown


@pytest.mark.promise("The page: analysis", "Weights, time of each layer, environment")
@pytest.mark.promise("Earlier work: models in production", "Time of each layer")
def test_the_time_of_every_layer_is_shown_and_the_shares_are_the_whole(page):
    rows = table(page, "profile")
    assert rows[0] == ["Layer", "Forward", "Backward", "Share"]
    assert len(rows) >= 6
    assert all(row[1].endswith("ms") and row[2].endswith("ms") for row in rows[1:])
    assert sum(float(row[3].rstrip(" %")) for row in rows[1:]) == pytest.approx(100, abs=4)


@pytest.mark.promise("The page: analysis", "Weights, time of each layer, environment")
@pytest.mark.promise("Earlier work: models in production", "The backend and its facts are shown")
@pytest.mark.promise(
    "Earlier work: models in production",
    "`memory()`: arrays, bytes, WebAssembly's memory",
)
def test_the_environment_says_where_everything_runs_and_what_crossed(page):
    page.execute_script("document.getElementById('environment').open = true")
    page.until("document.querySelectorAll('#facts dt').length > 10")
    facts = page.execute_script(
        "return Object.fromEntries([...document.querySelectorAll('#facts dt')].map((d) =>"
        "[d.innerText, d.nextElementSibling.innerText]))"
    )
    assert facts["Page"] == "MicroPython"
    assert facts["Worker"].startswith("CPython 3.")
    assert facts["Kernels"] == "relaxed-simd"
    assert facts["Isolated"] == "no (not needed)"
    assert facts["weights"] == "215 kB"
    assert facts["WebAssembly"].endswith("MB")
    assert int(facts["bytes received"].replace(",", "")) > 10_000
    assert facts["pending"] == "0"
    groups = page.execute_script(
        "return [...document.querySelectorAll('#facts h3')].map((head) => [head.innerText,"
        "[...head.nextElementSibling.querySelectorAll('dt')].map((d) => d.innerText)])"
    )
    assert [name for name, _ in groups] == GROUPS
    counters = dict(groups)["Messages between page and worker"]
    assert {"bytes received", "exports", "pending"} <= set(counters)
    assert "Processors" in dict(groups)["Browser and engine"]
