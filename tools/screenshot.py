"""Photograph the page at work for the README: it trains for real, and reads a drawn 7."""

from __future__ import annotations

import argparse
import sys
from itertools import pairwise
from pathlib import Path

from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By

from tests.support.chromium import Page
from tests.support.site import Site

ROOT = Path(__file__).resolve().parent.parent
SEVEN = ((-60, -70), (0, -72), (62, -68), (40, -20), (15, 30), (-5, 80))  # pixels from the middle


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", type=Path, default=ROOT / "docs" / "images" / "page.png")
    target: Path = parser.parse_args(arguments).target
    site = Site()
    page = Page("--window-size=1440,1100")
    try:
        page.get(site.url)
        page.wait_for_phase("ready")
        page.button("Train").click()
        page.until(lambda: page.output("val_accuracy").strip("–"), 120, "the first epoch")
        page.until(lambda: page.number("batch") > 200)
        draw(page)
        page.until(lambda: page.output("prediction").strip() == "7", 20, "the drawn 7 to be read")
        page.execute_script("scrollTo(0, 0)")
        target.parent.mkdir(parents=True, exist_ok=True)
        page.get_screenshot_as_file(str(target))
    finally:
        page.quit()
        site.close()
    sys.stdout.write(f"screenshot: {target}, {target.stat().st_size:,} bytes\n")


def draw(page: Page) -> None:
    canvas = page.find_element(By.CSS_SELECTOR, "canvas#draw, canvas[aria-label^=Draw]")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    pen = ActionChains(page, duration=30)
    pen.move_to_element_with_offset(canvas, *SEVEN[0]).click_and_hold()
    for (x, y), (next_x, next_y) in pairwise(SEVEN):
        pen.move_by_offset(next_x - x, next_y - y)
    pen.release().perform()


if __name__ == "__main__":
    main()
