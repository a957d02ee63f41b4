"""What changes a page's size or theme waits until the page has followed."""

import re
from pathlib import Path

BROWSER = Path(__file__).resolve().parents[2] / "browser"
DIRECT = re.compile(r"setDeviceMetricsOverride|setEmulatedMedia|set_window_size")


def test_no_test_resizes_a_page_or_turns_its_theme_but_by_what_waits_for_it() -> None:
    found = [path.name for path in BROWSER.rglob("*.py") if DIRECT.search(path.read_text())]
    assert found == []
