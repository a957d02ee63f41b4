"""Files and folders dragged from the desktop, as a hand drops them on a page."""

from pathlib import Path

from selenium.webdriver.remote.webelement import WebElement

from tests.support.chromium import Page

MIDDLE = """
arguments[0].scrollIntoView({ block: "center", behavior: "instant" });
const box = arguments[0].getBoundingClientRect();
return [box.x + box.width / 2, box.y + box.height / 2];
"""


def drop_paths(page: Page, place: WebElement, *paths: Path) -> None:
    """Drop files and folders on an element: a script makes no folder that a page can look into."""
    x, y = page.execute_script(MIDDLE, place)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        event = {"type": kind, "x": x, "y": y, "data": data}
        page.execute_cdp_cmd("Input.dispatchDragEvent", event)
