"""Every file that a document links to, or names, exists, and merges are done."""

import re
from pathlib import Path

import pytest

from tools import promises
from tools.docs import pages

ROOT = Path(__file__).resolve().parents[3]
DOCS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
BY_HAND = [path for path in DOCS if path != promises.TARGET]


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_file_that_a_document_links_to_exists(path):
    linked = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text())
    local = [link for link in linked if "://" not in link]
    assert [link for link in local if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_no_document_has_a_mark_of_a_merge(path):
    assert re.findall(r"^(?:<<<<<<<|=======|>>>>>>>)(?: |$)", path.read_text(), re.MULTILINE) == []


@pytest.mark.parametrize("path", BY_HAND, ids=lambda path: path.name)
def test_every_path_that_a_document_quotes_exists(path):
    quoted = re.findall(r"`((?:py|tests|tools|static|examples|docs)/[\w./-]+)`", path.read_text())
    made = ("static/vendor/",)
    assert [
        name for name in quoted if not name.startswith(made) and not (ROOT / name).exists()
    ] == []


@pytest.mark.parametrize("module", pages.modules())
def test_a_page_of_the_reference_links_to_pages_of_the_reference(module):
    linked = re.findall(r"\]\((nn\.[\w.]+|farcall\.[\w.]+)\.md\)", pages.reference(module))
    assert set(linked) <= set(pages.modules())
