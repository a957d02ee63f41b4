"""A reload, a full disk, no storage, a hidden tab: each has an answer."""

import base64
import json

import nn
import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys

from tests.support.pad import answered, draw

pytestmark = pytest.mark.light


def said(page):
    return page.execute_script("return document.getElementById('status').textContent")


def rows(page):
    """The table of epochs without its times, exact enough to tell two runs apart."""
    return page.execute_script(
        "return [...document.querySelectorAll('#epochs tbody tr:not(.empty)')]"
        ".map((row) => [...row.children].slice(0, 6).map((cell) => cell.textContent))"
    )


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "A reload while training, bit for bit; a run that an older page kept",
)
@pytest.mark.soak
def test_a_reload_while_training_goes_on_as_if_there_had_been_none(site, open_page):
    site.replace("py/app/worker.py", lambda text: AFTER_EACH_EPOCH + text)
    page = open_page(site.url + "#epochs=6&subset=1000&batch=64&schedule=cosine")
    page.wait_for_phase("ready")
    page.button("Train").click()
    page.until(lambda: len(rows(page)) == 6)
    page.wait_for_phase("ready")
    page.button("Reset").click()
    page.until(lambda: "not trained yet" in said(page))
    page.button("Train").click()
    # Four epochs before its end, for a busy page reloads later than it is asked to.
    reloaded_when(page, "document.querySelectorAll('#epochs tbody tr:not(.empty)').length >= 8")
    page.until(lambda: "Run 2 had done" in page.text)
    page.button("Continue the run").click()
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    runs = rows(page)
    assert [row[0] for row in runs] == ["1"] * 6 + ["2"] * 6
    assert [row[1:] for row in runs[6:]] == [row[1:] for row in runs[:6]]


def test_a_network_that_was_not_saved_is_as_it_was_after_a_reload(site, open_page):
    page = open_page(site.url + "#epochs=1&subset=500")
    page.wait_for_phase("ready")
    page.button("Train").click()
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    before = answer(page)
    page.execute_script("history.replaceState(null, '', location.href)")  # a link, not its own
    page.refresh()
    page.wait_for_phase("ready")
    page.until(lambda: "Run 1 had done epoch 1 of 1" in page.text)
    page.click("Open it")
    page.until(lambda: "What it had learned is back." in page.text)
    assert answer(page) == before
    page.click("Save it")
    page.until("document.getElementById('unfinished').hidden")
    assert page.execute_script("return document.querySelectorAll('#saved li').length") == 1


def answer(page):
    """The exact probabilities of a drawing, once they rest."""
    draw(page)
    return answered(page)


def reloaded_when(page, condition):
    """Reload as soon as a JavaScript expression is true, far down on the page.

    In the page, because the epoch may end before a driver's next question arrives.
    """
    page.execute_script(RELOADS % condition)
    page.until("!globalThis.former && document.documentElement.dataset.phase")
    page.wait_for_phase("ready")


RELOADS = """
globalThis.former = true;
const shown = (name) => document.querySelector(`output[name=${name}]`).innerText;
const again = setInterval(() => {
    if (!(%s)) return;
    clearInterval(again);
    scrollTo(0, 300);
    location.reload();
}, 10);
"""
AFTER_EACH_EPOCH = """
from app.lab import unfinished
unfinished.PERIOD, unfinished.SPARING = 1e9, 0
"""
OFTEN = """
from app.lab import unfinished
unfinished.PERIOD = 0.1
"""
# All that draws or remembers: changed images, dropout, Adam, a schedule, early stopping.
LAYERS = "Flatten;Dense,units:32,activation:relu;Dropout,rate:0.3;Dense,units:10,activation:softmax"
DRAWING = f"preset=custom&layers={LAYERS}&batch=64&subset=5000&epochs=2"
DRAWING += "&schedule=cosine&patience=5&l2=0.0001"
DRAWING += "&shift=2&rotate=10&zoom=10&noise=10"


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "A reload while training, bit for bit; a run that an older page kept",
)
def test_a_reload_in_the_middle_of_an_epoch_goes_on_at_that_batch_to_the_bit(site, open_page):
    site.replace("py/app/worker.py", lambda text: OFTEN + text)
    page = open_page(f"{site.url}#{DRAWING}")
    page.wait_for_phase("ready")
    page.button("Train").click()
    page.until(lambda: len(rows(page)) == 2)
    page.wait_for_phase("ready")
    page.button("Reset").click()
    page.until(lambda: "not trained yet" in said(page))
    page.button("Train").click()
    reloaded_when(page, "shown('epoch') === '2/2' && parseInt(shown('batch')) > 10")
    words = page.execute_script("return document.getElementById('unfinished-what').textContent")
    assert words.startswith("Run 2 was in epoch 2 of 2, at batch "), words
    batch = int(words.split("at batch ")[1].split(",")[0])
    place = page.execute_script(
        "const box = document.getElementById('unfinished').getBoundingClientRect();"
        "return [scrollY, box.top, innerHeight - box.bottom]"
    )
    assert min(place) >= 0, "the offer is in view wherever the page was scrolled to"
    page.button("Continue the run").click()
    page.wait_for_phase("training")
    page.until(lambda: page.number("batch") > batch)
    page.wait_for_phase("ready")
    assert [row[:2] for row in rows(page)] == [["1", "1"], ["1", "2"], ["2", "1"], ["2", "2"]]
    whole, resumed = json.loads(page.execute_async_script(EXPORTED))
    for one, other in zip(whole["epochs"], resumed["epochs"], strict=True):
        assert one | {"seconds": 0} == other | {"seconds": 0}
    page.until("document.querySelector('#loss-chart canvas')")
    chart = page.find_element("id", "loss-chart")
    chart.send_keys(Keys.HOME)
    words = page.until("document.getElementById('point').textContent")
    assert words.startswith("Step 1, Batch "), "the curve begins where the run began"


# The runs as the button hands them out: every figure in full.
EXPORTED = """
const [done] = arguments, make = URL.createObjectURL;
URL.createObjectURL = (blob) => { blob.text().then(done); return make.call(URL, blob); };
document.getElementById("export-json").click();
URL.createObjectURL = make;
"""


# The database of a former page, with a run as it was kept before a page knew a run's place in an
# epoch: no mean, no rate, no course.
OLD = """
const [about, text, done] = arguments, request = indexedDB.open("farcall", 2);
request.onupgradeneeded = () => {
  for (const name of ["models", "checkpoints", "runs"])
    request.result.createObjectStore(name, { keyPath: "name" });
};
request.onsuccess = () => {
  const kept = request.result.transaction("checkpoints", "readwrite");
  const octets = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  kept.objectStore("checkpoints").put({ name: "old", about, octets });
  kept.oncomplete = () => { request.result.close(); done(true); };
};
"""


def old_checkpoint():
    model = nn.Sequential([nn.Input((28, 28, 1)), nn.Flatten(), nn.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.train_on_batch(np.zeros((2, 28, 28, 1), np.float32), np.array([0, 1]))
    row = {"loss": 2.0, "accuracy": 0.3, "val_loss": 1.9, "val_accuracy": 0.35}
    layers = "Flatten;Dense,activation:softmax,units:10"
    about = {
        "number": 4, "epochs": 3, "trained": 0, "loaded": False, "data": "MNIST", "images": 10000,
        "hash": f"preset=custom&layers={layers}&epochs=3&subset=2500&lr=0.005",
        "rows": [row | {"epoch": 1, "seconds": 1.5}], "batch": 7,
    }  # fmt: skip
    words = {"saved": "2026-11-20T10:00:00+00:00", "lock": "old", "text": json.dumps(about)}
    return json.dumps(words), base64.b64encode(nn.io.save(model)).decode()


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "A reload while training, bit for bit; a run that an older page kept",
)
def test_a_run_that_an_older_page_kept_goes_on_with_its_epoch(site, open_page):
    site.replace("former.html", "<!doctype html><link rel=icon href=data:,>")
    page = open_page(site.url + "former.html")
    assert page.execute_async_script(OLD, *old_checkpoint())
    page.get(site.url)
    page.wait_for_phase("ready")
    words = page.until("document.getElementById('unfinished-what').textContent")
    assert words.startswith("Run 4 had done epoch 1 of 3, 35.0 % of the test images right.")
    assert words.endswith("The page is a newer one: epoch 2 begins again.")
    assert "lr=0.005" in page.current_url
    page.button("Continue the run").click()
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    assert "Done: epoch 3 of 3" in said(page)
    assert [row[:2] for row in rows(page)] == [["4", "1"], ["4", "2"], ["4", "3"]]
    assert page.number("val_accuracy") > 60, "more than it had"


TELLS_OF_CHECKPOINTS = """
import js
js.eval('''{
  const { put } = IDBObjectStore.prototype, channel = new BroadcastChannel("kept");
  IDBObjectStore.prototype.put = function (row) {
    if (this.name === "checkpoints") channel.postMessage(JSON.parse(JSON.parse(row.about).text));
    return put.call(this, row);
  };
}''')
"""
HEARS_OF_CHECKPOINTS = """
globalThis.kept = [];
new BroadcastChannel("kept").onmessage = ({ data }) => kept.push([data.rows.length, data.finished]);
"""


SMALL = "Flatten;Dense,units:10,activation:softmax"


def test_short_epochs_do_not_wait_for_a_checkpoint_each(site, open_page):
    site.replace("py/app/worker.py", lambda text: TELLS_OF_CHECKPOINTS + text)
    page = open_page(site.url + f"#preset=custom&layers={SMALL}&epochs=30&subset=100")
    page.wait_for_phase("ready")
    page.execute_script(HEARS_OF_CHECKPOINTS)
    page.button("Train").click()
    page.until(lambda: len(rows(page)) == 30)
    page.wait_for_phase("ready")
    kept = page.until("kept.at(-1)?.[1] && kept")
    assert kept[0] == [1, False]
    assert kept[-1] == [30, True]
    assert len(kept) < 15


COUNT = "document.getElementById('drawn-count').textContent"


def unfold(page):
    page.execute_script("document.getElementById('drop').closest('details').open = true")


def labelled(page, digit):
    page.click("Clear")
    draw(page)
    page.until(lambda: page.output("prediction").strip().isdigit())
    before = int(page.execute_script(f"return {COUNT}"))
    page.click(f"It was a {digit}")
    page.until(f"{COUNT} === '{before + 1}'")


def buckets(page):
    return page.execute_script(
        "return [...document.querySelectorAll('#buckets li')]"
        ".map((item) => item.querySelectorAll('canvas').length)"
    )


def picture(page, digit):
    return page.execute_script(
        "return document.querySelectorAll('#buckets li')[arguments[0]]"
        ".querySelector('canvas').toDataURL()",
        digit,
    )


@pytest.mark.promise(
    "The page: data",
    "Drawn digits in a bucket for each, deleted, added to the training set, there after a reload",
)
def test_drawings_outlive_the_page_until_they_are_deleted(site, open_page):
    page = open_page(site.url + "#epochs=100&subset=500")
    page.wait_for_phase("ready")
    unfold(page)
    for digit in (7, 7, 3):
        labelled(page, digit)
    before = picture(page, 3)
    page.refresh()
    page.until(lambda: sum(buckets(page)) == 3)
    unfold(page)
    assert (buckets(page)[3], buckets(page)[7]) == (1, 2)
    assert picture(page, 3) == before
    page.click("Delete drawing 1 of a 3")
    page.until(f"{COUNT} === '2'")
    page.click("Add to training set")
    page.until(lambda: "10,002 training images" in said(page))
    assert sum(buckets(page)) == 0
    page.click("Train")
    page.until(lambda: len(rows(page)) >= 2)
    page.refresh()  # the training set is MNIST again, and the drawings wait
    page.until(lambda: sum(buckets(page)) == 2)
    unfold(page)
    assert buckets(page)[7] == 2
    page.click("Continue the run")
    page.until(lambda: said(page) == "It learns from MNIST, 10,002 images: "
               "add your drawings again first.")  # fmt: skip
    page.click("Add to training set")
    page.until(lambda: "10,002 training images" in said(page))
    page.click("Continue the run")
    page.wait_for_phase("training")
    page.button("Stop").click()
    page.wait_for_phase("ready")


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "A full disk; a private window; a hidden tab",
)
def test_a_full_disk_ends_nothing_and_is_said_once(site, open_page):
    page = open_page(site.url + "#epochs=2&subset=2500")
    page.wait_for_phase("ready")
    page.execute_cdp_cmd("Storage.overrideQuotaForOrigin", {"origin": site.url, "quotaSize": 1000})
    page.button("Train").click()
    page.until("!document.getElementById('failure').hidden")
    assert "storage is full" in page.text
    page.button("Dismiss").click()
    page.wait_for_phase("ready")
    assert "Done: epoch 2 of 2" in said(page)
    page.button("Train").click()
    page.until(lambda: len(rows(page)) == 4)
    page.wait_for_phase("ready")
    assert not page.find_element("id", "failure").is_displayed()
    page.button("Save").click()
    page.until("!document.getElementById('failure').hidden")
    assert "delete a saved model or free disk space" in page.text
    page.button("Dismiss").click()


LEAVES = """
const event = new Event("beforeunload", { cancelable: true });
dispatchEvent(event);
return event.defaultPrevented;
"""
WITHOUT_STORAGE = """
import js
js.eval("Object.defineProperty(globalThis, 'indexedDB', { value: undefined })")
"""
REFUSES_LOCAL_STORAGE = """
Object.defineProperty(window, "localStorage", {
    get() { throw new DOMException("denied", "SecurityError") },
});
"""


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "A full disk; a private window; a hidden tab",
)
@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "A reload while training, bit for bit; a run that an older page kept",
)
def test_a_private_window_without_storage_trains_and_draws_and_is_not_left_by_mistake(
    site, open_page
):
    site.replace("py/app/worker.py", lambda text: WITHOUT_STORAGE + text)
    page = open_page()
    page.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": REFUSES_LOCAL_STORAGE})
    page.get(site.url + "#epochs=1&subset=2500")
    page.wait_for_phase("ready")
    assert "Models cannot be saved in this browser" in page.text
    assert "private window" in page.text
    page.button("Dismiss").click()
    page.button("Train").click()
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    assert "Done: epoch 1 of 1" in said(page)
    draw(page)
    page.until(lambda: page.output("prediction").strip().isdigit())
    page.button("Theme: Auto").click()
    page.until("document.documentElement.dataset.theme === 'light'")
    labelled(page, 7)
    page.until("!document.getElementById('failure').hidden")
    assert "Your drawings end with this page" in page.text
    page.click("Dismiss")
    labelled(page, 3)
    assert not page.find_element("id", "failure").is_displayed(), "said once"
    assert sum(buckets(page)) == 2
    page.execute_script("location.hash = 'epochs=100&subset=500'")
    page.button("Train").click()
    page.until(lambda: len(rows(page)) >= 3)
    assert page.execute_script(LEAVES) is True
    page.button("Stop").click()
    page.wait_for_phase("ready")
    assert page.execute_script(LEAVES) is False


TITLES = """
globalThis.titles = [];
new MutationObserver(() => titles.push(document.title)).observe(document.head, {
    childList: true, characterData: true, subtree: true,
});
"""
THROTTLED = [
    "!--disable-background-timer-throttling",
    "!--disable-renderer-backgrounding",
    "!--disable-backgrounding-occluded-windows",
]


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "A full disk; a private window; a hidden tab",
)
@pytest.mark.light(15_000)
def test_a_hidden_tab_goes_on_training_tells_its_title_and_is_whole_when_seen_again(
    site, open_page
):
    page = open_page(site.url + "#epochs=2&subset=15000", *THROTTLED)
    page.wait_for_phase("ready")
    title = page.title
    page.button("Train").click()
    page.execute_script(TITLES)
    page.until(lambda: page.number("batch") > 5)
    page.execute_cdp_cmd("Target.createTarget", {"url": "about:blank"})
    page.until("document.visibilityState === 'hidden'")
    page.until(lambda: "Done: epoch 2 of 2" in page.title, timeout=60)
    assert page.execute_script("return titles.some((title) => title.includes(' % · '))")
    page.execute_cdp_cmd("Page.bringToFront", {})
    page.until("document.visibilityState === 'visible'")
    assert page.title == title
    page.until(lambda: len(rows(page)) == 2)
    assert page.output("epoch") == "2/2"
    assert page.output("batch") == "118/118"
    assert page.number("val_accuracy") > 90
