"""A MicroPython page with little memory: what does not fit is the error of its call."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.support.chromium import Page
from tests.support.interpreters import configuration, page
from tests.support.site import Site

FOLDER = "tests/browser/memory"
UP = "../../../"
MOST = 24  # MiB that MicroPython may have: what a device gives is its own
# The memory of a small device, for WebAssembly of the page alone.
LITTLE = f"""<script>{{
  const grow = WebAssembly.Memory.prototype.grow, most = {MOST} * 2 ** 20;
  WebAssembly.Memory.prototype.grow = function (pages) {{
    if (this.buffer.byteLength + pages * 65536 > most) throw new RangeError("no memory");
    return grow.call(this, pages);
  }};
}}</script>"""
WORKER = '<script type="py" worker name="far" src="./far.py" config="./py.toml"></script>'


@pytest.mark.promise(
    "farcall: every await ends",
    "A message for which MicroPython has no memory: MemoryError or LimitError of its calls, and "
    "the session goes on",
)
@pytest.mark.parametrize("seed", [7])
def test_what_memory_does_not_suffice_for_is_the_error_of_its_call(
    site: Site, open_page: Callable[..., Page], seed: int
) -> None:
    for kind in ("mpy", "py"):
        site.replace(f"{FOLDER}/{kind}.toml", configuration(kind, UP))
    site.replace(f"{FOLDER}/mpy.html", page("mpy", UP, "little memory", LITTLE + WORKER))
    browser = open_page(None, "--js-flags=--expose-gc")
    browser.expect_console("grow the heap|growMemory|grow heap")
    browser.get(f"{site.url}{FOLDER}/mpy.html#{seed}")
    browser.until("window.outcome", timeout=150)
    found = json.loads(browser.execute_script("return window.outcome"))
    assert found["notes"] == []
    assert found["arrived"] > 12
    assert found["refused"] > 3
