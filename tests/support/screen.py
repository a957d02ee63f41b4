"""The screen and the theme of a page in Chromium, the wait until it has followed, its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.chromium import SIZE, Page

SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"

# What follows the window in later frames: charts, each in a frame of its own, and the network's
# picture, which the worker draws again (`aria-busy` meanwhile). A timer begun in a frame runs after
# that frame's observers, and after what they began at once.
SETTLED = """
const [width, patience] = arguments;
const root = document.documentElement;
const drawn = () => {
    const picture = document.getElementById("picture");
    return !picture?.checkVisibility() || picture.getAttribute("aria-busy") === "false";
};
const sizes = () => JSON.stringify([root.scrollWidth,
    ...[...document.querySelectorAll("canvas")].map((e) => [e.clientWidth, e.clientHeight])]);
const end = performance.now() + patience;
let before = "", still = 0;
return new Promise((resolve) => {
    const frame = () => requestAnimationFrame(() => setTimeout(look));
    const look = () => {
        const ready = drawn() && (width === null || Math.abs(root.clientWidth - width) < 20);
        const now = ready ? sizes() : "";
        still = now && now === before ? still + 1 : 0;
        before = now;
        if (still === 3 || performance.now() > end) resolve(still === 3);
        else frame();
    };
    frame();
});
"""
# Elements that reach beyond the page's width and are not inside something that scrolls by itself.
TOO_WIDE = """
const width = document.documentElement.clientWidth;
const inScroller = (e) => {
    for (let p = e.parentElement; p; p = p.parentElement)
        if (p !== document.body && getComputedStyle(p).overflowX !== "visible") return true;
    return false;
};
return [...document.querySelectorAll("body *")]
    .filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > width + 0.5)
    .filter((e) => !inScroller(e) && !e.closest(".visually-hidden"))
    .map((e) => `${e.tagName}#${e.id}.${e.className} ${e.getBoundingClientRect().right}`);
"""
# Charts are drawn in one of the next frames after what they show has come: a busy page does a job a
# frame, and has no more than so many.
FRAMES = 8
PICTURE = """
const [selector, frames] = arguments;
let before = null, still = 0;
return new Promise((resolve) => {
    const look = () => {
        const now = document.querySelector(selector).toDataURL();
        still = now === before ? still + 1 : 0;
        before = now;
        if (still === frames) resolve(now);
        else requestAnimationFrame(look);
    };
    look();
});
"""
DRAWN = """
let left = arguments[0];
return new Promise((resolve) => {
    const frame = () => (left-- ? requestAnimationFrame(frame) : resolve());
    frame();
});
"""
SLICE = 400  # ms that one script waits


def resize(page: Page, width: int, height: int, zoom: float = 1) -> None:
    """Give a page a screen of so many CSS pixels, a phone's if it is narrow, and wait for it."""
    screen = {"width": width, "height": height, "deviceScaleFactor": zoom, "mobile": width < 600}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    settle(page, width)


def restore(page: Page) -> None:
    """Give a page the browser's window again, and wait for it."""
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    settle(page, SIZE[0])


def wear(page: Page, theme: str, *, media: str = "", **preferences: str) -> None:
    """Let the browser prefer "light" or "dark", and no motion, which blurs what is measured.

    Args:
        page: a page of ours, or one that frames it.
        theme: for `prefers-color-scheme`.
        media: "print" shows the page as paper has it.
        preferences: values of other media features, such as forced_colors="active".
    """
    wanted = {"prefers-color-scheme": theme, "prefers-reduced-motion": "reduce"}
    wanted |= {name.replace("_", "-"): value for name, value in preferences.items()}
    features = [{"name": name, "value": value} for name, value in wanted.items()]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    settle(page)


def settle(page: Page, width: int | None = None) -> None:
    """Wait until page, charts and picture have the sizes that they will keep.

    Args:
        page: a page, or a frame that the driver is in.
        width: what the page is to be as wide as, but for a scroll bar.
    """

    def settled() -> Any:
        return page.execute_script(SETTLED, width, SLICE)

    page.until(settled, 10, f"a page that is laid out, {width or 'any number of'} pixels wide")


def picture(page: Page, selector: str) -> str:
    """What is drawn on a canvas, once some frames have left it as it is: a PNG as data."""
    return str(page.execute_script(PICTURE, selector, FRAMES))


def keep(name: str, picture: bytes) -> None:
    """Write a picture of a page to build/screenshots/, which no other test need have made."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    (SCREENSHOTS / name).write_bytes(picture)


def drawn(page: Page) -> None:
    """Wait until the page has drawn what has come to it."""
    page.execute_script(DRAWN, FRAMES)
