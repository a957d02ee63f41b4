"""Hands for the drawing pad: strokes as a mouse, a pen or a finger makes them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise

from tests.support.chromium import Page
from tests.support.firefox import Firefox
from tests.support.webkit import WebKit

Point = tuple[float, float]  # fractions of the pad's side, from its upper left corner
SEVEN: tuple[Point, ...] = ((0.25, 0.2), (0.5, 0.19), (0.75, 0.2), (0.62, 0.45), (0.52, 0.62),
                            (0.45, 0.85))  # fmt: skip
# Moves between two points: the page answers each. Half of them take a quarter less processor time
# in test_page_models; tests of how fast an answer comes run alone.
STEPS = 3 if "PYTEST_XDIST_WORKER" in os.environ else 6
# Firefox tells the compositor of a scrolled page a frame later, between two pixels: the mouse is
# then 0.37 pixels elsewhere (153 ESR, 33 events of two drawings compared), in mid-stroke at worst.
PLACE = """
const pad = document.getElementById("pad");
pad.scrollIntoView({ block: "center" });
scrollTo(scrollX, Math.round(scrollY));
const frame = () => new Promise(requestAnimationFrame);
return (async () => {
  for (let i = 0; i < 5; i++) await frame();
  const box = pad.getBoundingClientRect();
  return [box.left, box.top, box.width];
})();
"""


def draw(
    page: Page | Firefox | WebKit, points: Sequence[Point] = SEVEN, pointer: str = "mouse"
) -> None:
    """Draw one stroke; `pointer` is mouse, or in Chromium also pen or touch."""
    left, top, side = page.execute_script(PLACE)
    places = [(left + x * side, top + y * side) for x, y in finely(points)]
    if not isinstance(page, Page):
        page.draw(places)
        return
    (touch if pointer == "touch" else press)(page, places, pointer)


def finely(points: Sequence[Point]) -> list[Point]:
    fine = [points[0]]
    for (x, y), (u, v) in pairwise(points):
        fine += [(x + (u - x) * i / STEPS, y + (v - y) * i / STEPS) for i in range(1, STEPS + 1)]
    return fine


def press(page: Page, places: list[Point], pointer: str) -> None:
    def send(kind: str, place: Point, buttons: int) -> None:
        page.execute_cdp_cmd(
            "Input.dispatchMouseEvent",
            {"type": kind, "x": place[0], "y": place[1], "button": "left", "buttons": buttons,
             "clickCount": 1, "pointerType": pointer},
        )  # fmt: skip

    send("mousePressed", places[0], 1)
    for place in places[1:]:
        send("mouseMoved", place, 1)
    send("mouseReleased", places[-1], 0)


def touch(page: Page, places: list[Point], _: str) -> None:
    def send(kind: str, place: Point | None) -> None:
        points = [{"x": place[0], "y": place[1]}] if place else []
        page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", places[0])
    for place in places[1:]:
        send("touchMove", place)
    send("touchEnd", None)


# A browser hands moves of the pointer to the page with its next frame.
ANSWERED = """
const frame = () => new Promise(requestAnimationFrame);
return (async () => {
  await frame();
  await frame();
  const bars = document.getElementById("bars");
  return bars.getAttribute("aria-busy") === "false" && bars.dataset.bits;
})();
"""


def answered(page: Page | Firefox | WebKit, limit: float = 10) -> str:
    """The exact probabilities of what is on the pad, once the page has answered all of it."""
    bits: str = page.until(lambda: page.execute_script(ANSWERED), limit, "the page's answer")
    return bits
