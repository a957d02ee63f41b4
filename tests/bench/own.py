"""Classes made on the page: how long features of ten pictures each take, and answers to a camera.

`own.features_s` is from the press of Train until the page rests: EfficientNet-Lite0 reads thirty
pictures of three classes, and a layer learns from what it says for as many epochs as the page
offers. `own.features_first_s` is the first such press, which fetches EfficientNet-Lite0 as well.

`own.live_per_s` are the answers a second of this network, EfficientNet-Lite0 and the layer, to
Chromium's fake camera: each answer is to another picture of it, which the page reads when the
answer before is shown.
"""

from __future__ import annotations

from tests.support.chromium import Page
from tests.support.site import Site

# Runs before anything of the page: counts the pictures that are read from the camera.
WATCH = """
globalThis.grabs = 0;
const read = CanvasRenderingContext2D.prototype.getImageData;
CanvasRenderingContext2D.prototype.getImageData = function (...given) {
    if (given[2] === 96 && !this.canvas.isConnected) globalThis.grabs += 1;
    return read.apply(this, given);
};
"""
# Drops ten pictures on a class: discs of one colour, each at another place and of another size.
GIVE = """
const [index, ink, done] = arguments;
const canvas = Object.assign(document.createElement("canvas"), { width: 120, height: 120 });
const pen = canvas.getContext("2d"), data = new DataTransfer();
const pictures = async () => {
    for (let n = 0; n < 10; n++) {
        pen.fillStyle = "white"; pen.fillRect(0, 0, 120, 120);
        pen.fillStyle = ink; pen.beginPath(); pen.arc(40 + 4 * n, 80 - 3 * n, 20 + n, 0, 7);
        pen.fill();
        const blob = await new Promise((drawn) => canvas.toBlob(drawn));
        data.items.add(new File([blob], `${n}.png`));
    }
    document.querySelectorAll(".class")[index].dispatchEvent(
        new DragEvent("drop", { dataTransfer: data, cancelable: true, bubbles: true }));
};
pictures().then(done);
"""
INKS = ("crimson", "seagreen", "royalblue")
PICTURES = "document.querySelectorAll('.class .thumbs canvas').length"
# Has a network read the pictures; the classes count as changed.
CHOOSE = """
const menu = document.getElementById("own-network");
menu.value = "features";
menu.dispatchEvent(new Event("change"));
"""
# Presses Train; the seconds until the page rests.
TRAIN = """
const done = arguments[0], { dataset } = document.documentElement, began = performance.now();
let begun = false;
new MutationObserver((_, watch) => {
    begun ||= dataset.phase === "training";
    if (!begun || dataset.phase !== "ready") return;
    watch.disconnect();
    done((performance.now() - began) / 1000);
}).observe(document.documentElement, { attributes: true, attributeFilter: ["data-phase"] });
document.getElementById("train").click();
"""
ANSWERING = "/a second$/.test(document.getElementById('own-rate').textContent)"
# Waits in the page: a question of the driver's would be counted.
LIVE = """
const [seconds, done] = arguments, first = globalThis.grabs, began = performance.now();
const rate = () => 1000 * (globalThis.grabs - first) / (performance.now() - began);
setTimeout(() => done(rate()), 1000 * seconds);
"""
SECONDS = 8
LIMIT = 60


def measure() -> dict[str, float]:
    """Return the figures of a visitor with a fresh profile.

    Raises:
        AssertionError: the network does not know the pictures kept for the test.
    """
    site = Site()
    page = Page()
    try:
        page.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        page.get(site.url)
        _give(page)
        figures = {name: _train(page) for name in ("own.features_first_s", "own.features_s")}
        assert page.number("val_accuracy") == 100, "ten pictures a class were not enough"
        page.click("Start the camera")
        page.until(ANSWERING, LIMIT)
        figures["own.live_per_s"] = float(page.execute_async_script(LIVE, SECONDS))
        assert page.check(ANSWERING), "the camera is not answered any more"
        return figures
    finally:
        page.quit()
        site.close()


def _train(page: Page) -> float:
    """Train a new network on the features; return the seconds."""
    page.until("!document.getElementById('train').disabled", LIMIT)
    page.execute_script(CHOOSE)
    return float(page.execute_async_script(TRAIN))


def _give(page: Page) -> None:
    """Make three classes with ten pictures each."""
    page.wait_for_phase("ready")
    page.execute_script("document.getElementById('own-open').click()")
    page.until("document.querySelectorAll('.class').length === 2", LIMIT)
    page.click("Add a class")
    page.until("document.querySelectorAll('.class').length === 3", LIMIT)
    for index, ink in enumerate(INKS):
        page.execute_async_script(GIVE, index, ink)
        page.until(f"{PICTURES} === {10 * (index + 1)}", LIMIT)
