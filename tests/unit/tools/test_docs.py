"""Whatever test a document names exists, and so does whatever file it links to."""

import inspect
import re
from pathlib import Path

import nn
import pytest

ROOT = Path(__file__).resolve().parents[3]
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def existing():
    """Names of all test functions."""
    paths = (p for p in (ROOT / "tests").rglob("*.py") if "node_modules" not in p.parts)
    return {name for path in paths for name in re.findall(r"def (test_\w+)\(", path.read_text())}


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_test_that_a_document_names_exists(path):
    named = set(re.findall(r"`(test_\w+)`", path.read_text()))
    assert named <= existing(), sorted(named - existing())


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_file_that_a_document_links_to_exists(path):
    linked = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text())
    local = [link for link in linked if "://" not in link]
    assert [link for link in local if not (path.parent / link).exists()] == []


def test_every_row_on_the_works_before_names_a_test():
    rows = [
        line for line in (ROOT / "docs" / "before.md").read_text().split("\n") if line[:2] == "| "
    ]
    assert [row for row in rows if "`" not in row.split("|")[2] and "What" not in row] == []


DEFINED = ("activations", "constraints", "initializers", "layers", "losses", "metrics",
           "optimizers", "regularizers", "schedules")  # fmt: skip


@pytest.mark.parametrize("name", DEFINED)
def test_every_package_says_what_its_definitions_follow(name):
    package = getattr(nn, name)
    assert "Keras 3 (`keras." in package.__doc__.split("\n\n")[0]
    bare = [c for c, cls in getattr(package, "CLASSES", {}).items() if not vars(cls).get("__doc__")]
    assert bare == []


def test_every_public_name_of_the_engine_says_what_it_is():
    members = [
        (f"{name}.{member}", getattr(cls, member))
        for name, cls in ((name, getattr(nn, name)) for name in nn.__all__)
        if isinstance(cls, type)
        for member, value in vars(cls).items()
        if member[0] != "_" and callable(value)
    ]
    assert len(members) > 150
    named = [(name, getattr(nn, name)) for name in nn.__all__]
    assert [name for name, value in named + members if not inspect.getdoc(value)] == []
