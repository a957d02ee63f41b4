"""Take the pictures of the page that others show: README's, an embed's poster, a link's card.

    make bundle && PYTHONPATH=py python -m tools.pictures

opens the page in Chromium, trains, draws a 7 and writes

    docs/images/page-light.webp, page-dark.webp      1440 x 1040
    docs/images/page.webp                            the same, half as large, moving: a training, a
                                                     drawing that is read
    static/poster-light.webp, poster-dark.webp       the plate, before an embed is started
    static/card.jpg                                  1200 x 630, as Open Graph asks

It prints the figures that the pictures show, and fails where a file is larger than it may be.
"""

from __future__ import annotations

import argparse
import base64
import io
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image

from tests.support.chromium import Page
from tests.support.pad import SEVEN, draw
from tests.support.site import Site

ROOT = Path(__file__).resolve().parent.parent
THEMES = ("light", "dark")
FIGURES = ("images_per_second", "epoch", "val_accuracy", "prediction", "confidence")
MOVING = "docs/images/page.webp"
MOST = {"docs/images": 200_000, "static": 100_000}
"""Bytes that a picture may have, by folder."""
MOST_MOVING = 1_000_000
STEP, REST = 120, 1_500
"""Milliseconds that a frame is shown, and one to look at."""
MOMENTS = 35
"""Frames of the training, at most."""
# The curves and maps follow the window in the frames that come.
FRAMES = """
const done = arguments[0];
const frame = (left) => (left ? requestAnimationFrame(() => frame(left - 1)) : done());
frame(30);
"""
PLATE = """
const box = document.querySelector(".plate").getBoundingClientRect();
return { x: box.left, y: box.top + scrollY, width: box.width, height: box.height, scale: 1 };
"""


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--epochs", type=int, default=5, help="of the training before")
    epochs: int = parser.parse_args().epochs
    site, page = Site(), Page()
    try:
        page.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        page.get(f"{site.url}#epochs={epochs}")
        page.wait_for_phase("ready")
        page.until("document.querySelector('#picture canvas')")
        _animate(page)
        for theme in THEMES:
            _wear(page, theme, 1440, 1040)
            _take(page, f"docs/images/page-{theme}.webp", {"format": "webp", "quality": 82})
            _wear(page, theme, 1120, 900)
            poster = {"format": "webp", "quality": 75, "clip": page.execute_script(PLATE)}
            _take(page, f"static/poster-{theme}.webp", poster)
        _wear(page, "light", 1200, 630)
        _take(page, "static/card.jpg", {"format": "jpeg", "quality": 62})
        shown = [f"{name} {page.output(name)}" for name in FIGURES]
        sys.stdout.write(", ".join(shown) + "\n")
    finally:
        page.quit()
        site.close()


def _animate(page: Page) -> None:
    """Train, and draw a 7; write what the page shows meanwhile."""
    _resize(page, "light", 1440, 1040)
    shown = [(_frame(page), REST)]
    page.click("Train")
    page.wait_for_phase("training")
    while page.phase == "training":
        shown.append((_frame(page), STEP))
    page.wait_for_phase("ready", timeout=300)
    shown = shown[:1] + shown[1 :: -(-len(shown) // MOMENTS)]
    shown.append((_frame(page), REST))
    page.click("Clear")
    for stroke in pairwise(SEVEN):
        draw(page, stroke)
        page.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
        shown.append((_frame(page), STEP))
    page.until(lambda: page.output("prediction") == "7")
    page.execute_async_script(FRAMES)
    shown.append((_frame(page), 2 * REST))
    (first, *others), durations = zip(*shown, strict=True)
    first.save(
        ROOT / MOVING, save_all=True, append_images=others, duration=list(durations), loop=0,
        quality=50, method=4,
    )  # fmt: skip
    _judge(MOVING, (ROOT / MOVING).stat().st_size, MOST_MOVING)


def _frame(page: Page) -> Image.Image:
    """Return what the page shows, half as large."""
    options = {"format": "png"}
    content = page.execute_cdp_cmd("Page.captureScreenshot", options)["data"]
    picture = Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB")
    return picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS)


def _wear(page: Page, theme: str, width: int, height: int) -> None:
    """Give the page a theme and a size, and draw a 7 in its ink."""
    _resize(page, theme, width, height)
    page.click("Clear")
    draw(page)
    page.until(lambda: page.output("prediction") == "7")
    page.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
    page.execute_async_script(FRAMES)


def _resize(page: Page, theme: str, width: int, height: int) -> None:
    """Give the page a theme and a size."""
    features = [{"name": "prefers-color-scheme", "value": theme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page.execute_async_script(FRAMES)


def _take(page: Page, name: str, options: dict[str, Any]) -> None:
    """Write what the page shows to a file."""
    picture = page.execute_cdp_cmd("Page.captureScreenshot", options)
    content = base64.b64decode(picture["data"])
    (ROOT / name).write_bytes(content)
    _judge(name, len(content), MOST[str(Path(name).parent)])


def _judge(name: str, size: int, most: int) -> None:
    """Print a file's size, and end where it is too large."""
    sys.stdout.write(f"{name}: {size:,} bytes\n")
    if size > most:
        raise SystemExit(f"pictures: {name} is larger than {most:,} bytes")


if __name__ == "__main__":
    main()
