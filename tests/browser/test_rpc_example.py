"""farcall on a page that has nothing to do with this repository's, and what it weighs."""

import gzip
import re
from pathlib import Path

import pytest

from tests.support.interpreters import farcall_files

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "py" / "farcall"
EXAMPLE = ROOT / "tests" / "browser" / "example"
PAGES = (*sorted((ROOT / "tests" / "browser" / "rpc").glob("*.toml")), *EXAMPLE.glob("*.toml"))


def modules() -> set[str]:
    """Modules that `import farcall` loads: all but the Comlink dialect and CPython's tools."""
    return {name for name in farcall_files() if not name.startswith(("comlink/", "stubs"))}


@pytest.mark.promise("farcall: features", "On any page")
def test_a_page_of_twenty_lines_calls_a_class_in_its_worker(site, open_page):
    page = open_page(site.url + "tests/browser/example/index.html")
    page.wait_for_phase("ready")
    items = page.execute_script(
        "return [...document.querySelectorAll('#found li')].map((item) => item.textContent)"
    )
    assert items == ["Sense and Sensibility", "Sanditon"]
    progress = "return document.getElementById('progress').textContent"
    assert page.execute_script(progress) == "100%"


def test_the_example_s_page_side_has_at_most_twenty_lines_of_code():
    code = (EXAMPLE / "main.py").read_text().split("\n")
    assert len([line for line in code if line.strip()]) <= 20


def test_the_pages_list_every_module_of_the_core():
    for path in PAGES:
        listed = set(re.findall(r'= "farcall/([\w/]+\.py)"', path.read_text()))
        assert listed >= modules(), path.name


def test_the_docs_state_the_core_s_size():
    """Gzipped as one stream, as a wheel or an HTTP/2 connection sends it, within 1 kB."""
    text = b"".join((PACKAGE / name).read_bytes() for name in sorted(modules()))
    stated = re.search(r"core is ([\d.]+) kB gzipped", (ROOT / "docs" / "farcall.md").read_text())
    assert stated is not None
    assert abs(float(stated[1]) - len(gzip.compress(text, 9)) / 1000) < 1
