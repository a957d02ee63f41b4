"""Every control of the training panel does what it says, while training where it says so."""

import re
import time
from math import cos, pi

import pytest
from app.state import settings
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from tests.support import screen

pytestmark = pytest.mark.light(60_000)


@pytest.fixture(scope="module")
def page(module_site, open_module_page):
    page = open_module_page(module_site.url)
    page.wait_for_phase("ready")
    return page


@pytest.fixture(autouse=True)
def at_rest(page):
    """Each test begins with a fresh network, the default options and nothing running."""
    yield
    page.execute_script("document.getElementById('stop').click()")  # the run may just have ended
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


@pytest.mark.promise("The page: training", "Train, Pause, Resume, Step, Stop, Reset")
def test_a_run_that_is_stopped_in_its_first_epoch_has_done_none(page):
    started(page, "epochs=5&batch=16")  # an epoch takes longer than a driver that waits its turn
    page.click("Stop")
    page.wait_for_phase("ready")
    assert re.search(r"Stopped in epoch 1 of 5, at batch \d+ of 3750", said(page))
    rows = page.find_elements(By.CSS_SELECTOR, "#epochs tbody tr:not(.empty)")
    assert rows == []


A_WHILE = "setTimeout(arguments[0], 500, true)"


@pytest.mark.promise("The page: training", "Train, Pause, Resume, Step, Stop, Reset")
def test_a_run_is_stopped_that_the_worker_has_not_begun(page):
    options(page, "epochs=90&device=auto")  # the worker fetches a part first
    page.click_in("training", "Stop")
    page.click("Train")
    page.until(lambda: re.match("Stopped (after epoch 0|in epoch 1) of 90", said(page)))
    assert page.phase == "ready"
    rows = page.find_elements(By.CSS_SELECTOR, "#epochs tbody tr:not(.empty)")
    assert rows == []


@pytest.mark.promise("The page: training", "Train, Pause, Resume, Step, Stop, Reset")
def test_a_run_is_paused_that_the_worker_has_not_begun(page):
    options(page, "epochs=90&device=auto")
    page.click_in("training", "Pause")
    page.click("Train")
    page.wait_for_phase("paused")
    assert page.execute_async_script(A_WHILE), "batches that were done before are drawn"
    batch = page.output("batch")
    assert page.execute_async_script(A_WHILE)
    assert page.output("batch") == batch
    assert page.phase == "paused"
    page.click("Stop")
    page.wait_for_phase("ready")


def test_a_run_says_how_it_ended(page):
    assert "Done: epoch 2 of 2" in train(page, "subset=500&epochs=2")


def test_the_table_has_every_epoch_however_short(page):
    train(page, "subset=500&batch=512&epochs=12")
    assert epochs_of_the_last_run(page) == [str(number) for number in range(1, 13)]


def epochs_of_the_last_run(page):
    return page.execute_script(
        "return [...document.querySelectorAll('#epochs tbody tr')]"
        ".map((row) => [...row.children].map((cell) => cell.textContent))"
        ".filter((row, _, all) => row[0] === all.at(-1)[0]).map((row) => row[1])"
    )


# Frames that are asked for come when `release` is called.
HELD = """
const native = requestAnimationFrame, held = [];
globalThis.requestAnimationFrame = (job) => held.push(job);
globalThis.release = () => {
    globalThis.requestAnimationFrame = native;
    for (const job of held) native(job);
};
"""


def test_all_of_a_run_is_shown_when_the_page_is_ready_though_no_frame_has_come(page):
    options(page, "subset=500&batch=512&epochs=3")
    page.execute_script(HELD)
    try:
        page.click("Train")
        page.wait_for_phase("training")
        page.wait_for_phase("ready")
        assert epochs_of_the_last_run(page) == ["1", "2", "3"]
        assert (page.output("epoch"), page.output("batch")) == ("3/3", "1/1")
        assert page.number("val_accuracy") > 0
    finally:
        page.execute_script("release()")


def rates(page, text):
    """The learning rates shown while a run with these options goes on, in order."""
    options(page, text)
    page.execute_script(WATCH_RATE)
    page.click("Train")
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    return [float(rate) for rate in page.execute_script("return seenRates") if rate != "–"]


WATCH_RATE = """
globalThis.seenRates = [];
const output = document.querySelector("output[name=learning_rate]");
globalThis.rateWatcher?.disconnect();
globalThis.rateWatcher = new MutationObserver(() => seenRates.push(output.textContent));
rateWatcher.observe(output, { childList: true, characterData: true, subtree: true });
"""


@pytest.mark.promise("The page: training", "The rate on a log slider, changed in mid-run")
def test_the_learning_rate_may_be_changed_while_training(page):
    started(page, "epochs=50&lr=0.01")
    assert page.output("learning_rate") == "0.01"
    slider = page.find_element(By.ID, "option-lr")
    slider.send_keys(Keys.HOME)
    page.until(lambda: page.output("learning_rate") == "1e-05")
    assert page.phase == "training"
    slider.send_keys(Keys.END)
    page.until(lambda: page.output("learning_rate") == "1")
    assert "lr=1" in page.execute_script("return location.hash")


@pytest.mark.promise("The page: training", "The rate on a log slider, changed in mid-run")
def test_the_slider_of_the_learning_rate_is_logarithmic(page):
    slider = page.find_element(By.ID, "option-lr")
    shown = []
    for position in (0, 20, 40, 60, 80, 100):
        page.execute_script(
            "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))",
            slider, position,
        )  # fmt: skip
        shown.append(float(slider.get_attribute("aria-valuetext")))
    assert shown == pytest.approx([1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1])


@pytest.mark.promise("The page: training", "Schedules, penalty, early stopping, seed")
def test_the_cosine_schedule_falls_to_nothing(page):
    seen = rates(page, "schedule=cosine&subset=1000&batch=100&epochs=3&lr=0.01")
    falling = [float(f"{0.005 * (1 + cos(pi * step / 30)):.2g}") for step in range(30)]
    assert seen == sorted(seen, reverse=True)
    assert set(seen) <= set(falling)  # not each of them: a busy page shows fewer
    assert seen[0] > seen[-1] == falling[-1]


@pytest.mark.promise("The page: training", "Schedules, penalty, early stopping, seed")
def test_the_step_schedule_has_three_levels(page):
    seen = rates(page, "schedule=step&subset=2500&epochs=3&lr=0.01")
    assert sorted(set(seen), reverse=True) == pytest.approx([0.01, 0.001, 0.0001])


@pytest.mark.promise("The page: training", "Schedules, penalty, early stopping, seed")
def test_early_stopping_ends_a_run_that_learns_no_more(page):
    words = train(page, "subset=500&lr=0.01&epochs=100&patience=2")
    found = re.search(r"Stopped early after epoch (\d+) of 100", words)
    assert found, words
    assert int(found[1]) < 60


@pytest.mark.promise("The page: training", "NaN and over-fitting are called out")
@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "A loss that is not finite and over-fitting are called out",
)
def test_over_fitting_is_called_out(page):
    started(page, "subset=500&lr=0.003&epochs=100&batch=32", batch=1)
    page.until(lambda: "Over-fitting" in page.text, timeout=60)


@pytest.mark.promise("The page: training", "NaN and over-fitting are called out")
@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "A loss that is not finite and over-fitting are called out",
)
def test_a_loss_that_is_not_a_number_ends_the_run_and_is_called_out(page):
    layers = "Flatten" + 12 * ";Dense,units:256,activation:linear"
    text = f"preset=custom&layers={layers};Dense,units:10,activation:softmax"
    text += "&optimizer=SGD&lr=1&subset=2500"
    words = train(page, text)
    assert re.search(r"the loss is not a number since batch \d+ of epoch 1", words), words
    advice = page.find_element(By.ID, "advice")
    assert advice.is_displayed()
    assert "lower the learning rate" in advice.text
    options(page)
    page.until("document.getElementById('total-params').textContent === '53,866'")


def analysed(page):
    """Analyse, and wait for what is found now."""
    page.execute_script("document.getElementById('histograms').replaceChildren()")
    page.click("Analyse")
    page.until("document.querySelector('#histograms > div')")
    page.until("!document.getElementById('analyse').disabled")


def deviations(page):
    """The standard deviation of each layer's weights, as the analysis states it."""
    analysed(page)
    texts = page.execute_script(
        "return [...document.querySelectorAll('#histograms > div')].map((d) => d.textContent)"
    )
    return [float(re.search(r"deviation ([\d.]+)", text)[1]) for text in texts]


@pytest.mark.promise("The page: training", "Schedules, penalty, early stopping, seed")
def test_the_l2_penalty_keeps_weights_small(page):
    train(page, "subset=5000&epochs=1&batch=64&optimizer=SGD&lr=0.1")
    free = deviations(page)
    page.click("Reset")
    train(page, "subset=5000&epochs=1&batch=64&optimizer=SGD&lr=0.1&l2=0.1")
    held = deviations(page)
    assert max(held) < 0.5 * max(free), (held, free)


def curve(page):
    """What makes two runs of two epochs the same: the last run's table, the curve's picture."""
    rows = page.until(lambda: rows_of_two_epochs(page), what="both epochs in the table")
    return rows, screen.picture(page, "#loss-chart canvas")


def rows_of_two_epochs(page):
    rows = page.execute_script(
        "const rows = [...document.querySelectorAll('#epochs tbody tr')].map("
        "(row) => [...row.children].map((cell) => cell.textContent));"
        "return rows.filter((row) => row[0] === rows.at(-1)[0]).map((row) => row.slice(1, 6))"
    )
    return len(rows) == 2 and rows


@pytest.mark.promise("The page: training", "Schedules, penalty, early stopping, seed")
def test_a_seed_is_a_curve(page):
    curves = []
    page.execute_script("document.querySelector('#history details').open = true")
    for seed in (7, 7, 8):
        options(page, f"subset=1000&epochs=2&seed={seed}")
        page.click("Reset")
        page.until(lambda: "not trained yet" in said(page))
        train(page, f"subset=1000&epochs=2&seed={seed}")
        curves.append(curve(page))
    assert curves[0][0] == curves[1][0]
    assert curves[0][1] == curves[1][1]
    assert curves[0][0] != curves[2][0]
    assert curves[0][1] != curves[2][1]


@pytest.mark.promise("The page: training", "Train, Pause, Resume, Step, Stop, Reset")
def test_step_trains_one_batch_and_draws_it(page):
    losses = [page.output("loss")]
    for _ in range(3):
        page.click("Step")
        page.until(lambda: page.output("loss") not in losses)
        losses.append(page.output("loss"))
        assert said(page) == f"One batch of 128: loss {losses[-1]}."
        assert page.phase == "ready"
    page.until("document.querySelector('#loss-chart canvas')")


@pytest.mark.promise("The page: training", "Train, Pause, Resume, Step, Stop, Reset")
def test_reset_begins_with_fresh_weights_and_an_empty_chart(page):
    train(page, "subset=1000&epochs=1&lr=0.01")
    trained = deviations(page)
    page.click("Reset")
    page.until(lambda: "not trained yet" in said(page))
    for name in ("epoch", "batch", "loss", "val_accuracy", "learning_rate"):
        assert page.output(name) == "–"
    assert deviations(page) != trained


@pytest.mark.promise("The page: training", "Epoch, batch i/n, images a second, elapsed, left")
def test_progress_says_where_the_run_is_and_how_long_it_will_be(page):
    started(page, "epochs=3&batch=16", batch=100)
    page.until(lambda: re.fullmatch(r"\d+:\d\d", page.output("eta")))
    assert re.fullmatch(r"\d+/3750", page.output("batch"))
    assert re.fullmatch(r"1/3", page.output("epoch"))
    assert re.fullmatch(r"0:\d\d", page.output("elapsed"))
    page.until(lambda: page.number("images_per_second") > 0)
    value = page.execute_script("return document.getElementById('progress').value")
    assert 0 < value < 1


@pytest.mark.promise("The page: training", "Train, Pause, Resume, Step, Stop, Reset")
def test_a_pause_is_not_time_of_the_run(page):
    started(page, "epochs=50")
    page.click("Pause")
    page.wait_for_phase("paused")
    screen.drawn(page)
    before = page.output("elapsed")
    held = page.execute_async_script("setTimeout(arguments[0], 2500, true)")
    assert held
    resumed = time.monotonic()
    page.click("Resume")
    page.wait_for_phase("training")
    batch = page.output("batch")
    page.until(lambda: page.output("batch") != batch)
    minutes, seconds = before.split(":")
    now = page.output("elapsed").split(":")
    since = int(time.monotonic() - resumed) + 1  # whole seconds are shown
    assert int(now[0]) * 60 + int(now[1]) <= int(minutes) * 60 + int(seconds) + since


def choose(page, identifier, value):
    Select(page.find_element(By.ID, identifier)).select_by_value(value)


def enter(page, identifier, value):
    field = page.find_element(By.ID, identifier)
    field.clear()
    field.send_keys(value, Keys.TAB)


@pytest.mark.promise("The page: training", "Optimizers, batch size, epochs")
@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Options editable, in the link, runs overlaid and kept",
)
def test_every_control_is_in_the_address(page):
    page.execute_script("document.querySelector('#options details').open = true")
    choose(page, "option-optimizer", "SGD")
    choose(page, "option-batch", "64")
    choose(page, "option-schedule", "step")
    choose(page, "option-device", "auto")
    enter(page, "option-epochs", "7")
    enter(page, "option-seed", "42")
    enter(page, "option-l2", "0.001")
    enter(page, "option-patience", "3")
    page.find_element(By.ID, "option-lr").send_keys(Keys.END)
    page.find_element(By.ID, "option-smoothing").send_keys(Keys.HOME)
    page.find_element(By.ID, "option-log").click()
    page.execute_script("document.getElementById('augmentation').open = true")
    for name in ("shift", "rotate", "zoom", "noise"):
        page.find_element(By.ID, f"option-{name}-on").click()
    page.find_element(By.ID, "option-noise").send_keys(Keys.END)
    page.find_element(By.ID, "subset").send_keys(Keys.HOME)
    choose(page, "preset", "mlp")
    wanted = {
        "preset=mlp", "subset=500", "optimizer=SGD", "lr=1", "schedule=step", "batch=64",
        "epochs=7", "l2=0.001", "patience=3", "shift=2", "rotate=12", "zoom=10", "noise=50",
        "seed=42", "device=auto", "smoothing=0", "log=1",
    }  # fmt: skip
    page.until(lambda: set(page.execute_script("return location.hash")[1:].split("&")) == wanted)


def wrong(name):
    """Texts that are no value of an option, from its row in the table."""
    kind, _, low, high = settings.TABLE[name]
    texts = ["", "-1e9", "1e9", f"{low - 1}", f"{high + 1}", "0,1", "1,000", "nan", "one"]
    return texts + (["2.5"] if kind == "int" else [])


# A field that refuses what it holds: where it is, a text of that kind, and one that is right.
REFUSING = {
    "an option": ("#option-epochs", "0", "5"),
    "an argument of a layer": ("#layers [inputmode]", "0", "8"),
    "the height of an embed": ("#embed-form [size]", "tall", "500"),
    "the address of a federation": ("#federation-address", "www", "https://example.org"),
}


REFUSED = """
const field = document.querySelector(arguments[0]);
const words = document.getElementById(field.getAttribute("aria-describedby"));
return [field.ariaInvalid ?? "false", Boolean(words?.textContent)];
"""


@pytest.mark.parametrize("name", REFUSING)
def test_a_field_that_refuses_what_it_holds_is_marked_and_says_why(page, name):
    selector, wrong_text, right = REFUSING[name]
    page.execute_script("document.getElementById('embed-open').click()")
    page.until(f"document.querySelector('{selector}')")
    page.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    for text, marked in ((wrong_text, ["true", True]), (right, ["false", False])):
        field = page.find_element(By.CSS_SELECTOR, selector)
        field.clear()
        field.send_keys(text, Keys.TAB)
        page.until(lambda marked=marked: page.execute_script(REFUSED, selector) == marked)


# Types each text into the field; the words under it, whether it is marked, the address.
TYPED = """
const [name, texts] = arguments, field = document.getElementById(`option-${name}`);
return texts.map((text) => {
    field.value = text;
    field.dispatchEvent(new Event("change"));
    const words = document.getElementById(field.getAttribute("aria-describedby"));
    return [words.textContent, field.ariaInvalid, location.hash];
});
"""


NUMBERS = ("epochs", "seed", "l2", "patience", "cores")


def test_a_wrong_value_is_refused_under_its_field_and_the_last_good_one_trains(page):
    fields = page.execute_script(
        "return [...document.querySelectorAll('#options input[inputmode]')].map((f) => f.id)"
    )
    assert set(fields) == {f"option-{one}" for one in NUMBERS}
    for name in NUMBERS:
        wrong_values_are_refused(page, name)
    for name in NUMBERS:
        page.execute_script(TYPED, name, wrong(name))
    page.click("Train")
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    assert "Done: epoch 5 of 5" in said(page), "the last good values train"


def wrong_values_are_refused(page, name):
    """Each under the field with this name, which a link makes right again."""
    options(page)
    kind, usual, low, high = settings.TABLE[name]
    noun = {"int": "a whole number", "float": "a number"}[kind]
    for words, marked, address in page.execute_script(TYPED, name, wrong(name)):
        assert words.endswith(f": {noun} from {low:g} to {high:g}. {usual:g} is used."), words
        assert marked == "true"
        assert address == ""
    options(page, "subset=500")  # a link has good values alone
    field = f"document.getElementById('option-{name}')"
    page.until(f"parseFloat({field}.value) === {usual} && {field}.ariaInvalid === 'false'")
    assert not page.execute_script(
        f"return document.getElementById('option-{name}-wrong').textContent"
    )


@pytest.mark.promise("The page: training", "Device: the GPU, or the faster of it and the CPU")
def test_without_a_gpu_the_option_says_so_and_the_cpu_trains(page):
    assert "Done: epoch 1 of 1" in train(page, "subset=500&epochs=1&device=gpu")
    note = "document.getElementById('device-note').textContent"
    page.until(f"{note} === 'The CPU trains: the browser offers no GPU.'")


OPEN = """
return [...document.querySelectorAll("#options .field")].filter((e) => e.checkVisibility())
    .map((e) => e.htmlFor.replace("option-", ""));
"""


def test_one_action_is_primary_four_options_are_open_and_the_rest_unfold(page):
    page.execute_script("document.querySelector('#options details').open = false")
    primary = [b for b in page.find_elements(By.CSS_SELECTOR, ".primary") if b.is_displayed()]
    assert [b.get_attribute("id") for b in primary] == ["train"]
    few = ["preset", "lr", "batch", "epochs"]
    assert page.execute_script(OPEN) == few
    page.execute_script("document.querySelector('#options summary').click()")
    more = ["optimizer", "schedule", "l2", "patience", "seed", "device", "cores"]
    more += ["search-first", "search-second"]
    assert sorted(page.execute_script(OPEN)) == sorted(few + more)


@pytest.mark.promise(
    "The page: training", "Search: a run for each value of an option or two, take the best"
)
def test_a_search_is_a_run_for_each_value_and_the_best_can_be_taken(page):
    options(page, "subset=500&epochs=1")
    page.execute_script("document.querySelector('#options details').open = true")
    choose(page, "search-first", "optimizer")
    page.find_element(By.ID, "search-start").click()
    words = page.until(f"{SAID}.startsWith('The best of 4 trials: ') && {SAID}", 60)
    names = page.execute_script(
        "return [...document.querySelectorAll('#runs tbody th')].map((e) => e.textContent)"
    )
    for name, tried in zip(names, ("RMSprop", "SGD", "AdamW"), strict=False):
        assert tried in name, names
    best = re.search(r"optimizer=(\w+), [\d.]+ % right", words)[1]
    page.click("Take the best")
    page.until(f"{SAID} === 'This is the network with optimizer={best}.'")
    assert page.execute_script("return location.hash.includes('optimizer=')") == (best != "Adam")
    assert page.execute_script("return document.documentElement.hasAttribute('data-trained')")


SAID = "document.getElementById('status').textContent"


@pytest.mark.promise("The page: training", "Train, Pause, Resume, Step, Stop, Reset")
def test_step_in_a_pause_trains_one_batch_and_stays_paused(page):
    started(page, "epochs=50")
    page.click("Pause")
    page.wait_for_phase("paused")
    screen.drawn(page)  # batches that were done before
    seen = "document.querySelector('output[name=batch]').textContent"
    page.execute_script(
        "globalThis.batches = []; const output = document.querySelector('output[name=batch]');"
        "new MutationObserver(() => batches.push(parseInt(output.textContent)))"
        ".observe(output, { childList: true, characterData: true, subtree: true })"
    )
    for _ in range(3):
        before = page.execute_script(f"return {seen}")
        page.click("Step")
        page.until(f"{seen} !== {before!r}")
        assert page.phase == "paused"
    batches = page.execute_script("return batches")[-3:]
    assert batches == list(range(batches[0], batches[0] + 3))


@pytest.mark.promise("The page: training", "Train, Pause, Resume, Step, Stop, Reset")
def test_train_trains_the_network_that_was_just_chosen(page):
    page.execute_script(
        "location.hash = 'preset=mlp&subset=500&epochs=1';"
        "addEventListener('hashchange', () => setTimeout("
        "() => document.getElementById('train').click()), { once: true })"
    )
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    analysed(page)
    words = page.execute_script("return document.getElementById('histograms').textContent")
    assert "392,500 weights" in words, words


@pytest.mark.promise("The page: training", "The rate on a log slider, changed in mid-run")
def test_the_learning_rate_may_be_changed_before_the_worker_has_begun(page):
    options(page, "epochs=90&lr=0.01&device=auto")
    page.execute_script(LOWEST_RATE_IN_TRAINING)
    page.click("Train")
    page.wait_for_phase("training")
    page.until(lambda: page.output("learning_rate") == "1e-05")


LOWEST_RATE_IN_TRAINING = """
const root = document.documentElement, slider = document.getElementById("option-lr");
new MutationObserver((_, watch) => {
    if (root.dataset.phase !== "training") return;
    watch.disconnect();
    slider.value = slider.min;
    slider.dispatchEvent(new Event("input"));
    slider.dispatchEvent(new Event("change"));
}).observe(root, { attributeFilter: ["data-phase"] });
"""
