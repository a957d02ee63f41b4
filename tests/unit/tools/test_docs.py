"""The documents say what is true: promises, links, limits, docstrings."""

import inspect
import re
from pathlib import Path

import nn
import pytest

from tests.conformance import suite
from tests.conformance.promises import PROMISES
from tools import promises

ROOT = Path(__file__).resolve().parents[3]
DOCS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
BY_HAND = [path for path in DOCS if path != promises.TARGET]
FOUND = promises.promises()


def test_the_list_of_promises_is_that_of_the_tests():
    listed = promises.TARGET.read_text()
    assert listed == promises.document(FOUND), "run: python -m tools.promises"


def stated(text):
    """What a document promises: its list items and rows, as markers state them."""
    for line in re.split(r"\n## (?:Soak|What is promised)", text)[0].split("\n"):
        if line.startswith("- "):
            yield line[2:].removeprefix("**C** ")
        elif line.startswith("| ") and not re.match(r"\| (When|What happens|Limit) \|", line):
            first, *others = line[2:-2].split(" | ")
            yield (
                f"{first}; beyond it: {others[-1]}" if len(others) > 1 else f"{first}: {others[0]}"
            )


@pytest.mark.parametrize("name", ["before", "farcall", "guarantees", "page"])
def test_every_promise_of_a_document_is_held_by_a_test(name):
    held = {promise.text.removeprefix("Comlink: ") for promise in FOUND}
    lines = set(stated((ROOT / "docs" / f"{name}.md").read_text()))
    assert len(lines) > 30
    assert [line for line in lines - held if "`make bench`" not in line] == []


def test_more_than_four_hundred_promises_are_held():
    assert len(FOUND) > 400


def test_every_behaviour_that_promises_something_exists():
    transports = (ROOT / "tests/browser/test_rpc_transports.py").read_text()
    existing = set(suite.CASES) | set(re.findall(r'^    "(\w+)":', transports, re.MULTILINE))
    assert set(PROMISES) - existing == set()


def test_every_section_has_a_promise():
    assert {promise.section for promise in FOUND} == set(promises.SECTIONS)


@pytest.mark.parametrize("path", BY_HAND, ids=lambda path: path.name)
def test_no_document_for_users_names_a_test(path):
    names = {promise.test for promise in FOUND}
    quoted = re.findall(r"`(\w+)`", path.read_text())
    assert [name for name in quoted if name in names or name.startswith("test_")] == []


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_file_that_a_document_links_to_exists(path):
    linked = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text())
    local = [link for link in linked if "://" not in link]
    assert [link for link in local if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", BY_HAND, ids=lambda path: path.name)
def test_every_path_that_a_document_quotes_exists(path):
    quoted = re.findall(r"`((?:py|tests|tools|static|examples|docs)/[\w./-]+)`", path.read_text())
    made = ("static/vendor/",)
    assert [
        name for name in quoted if not name.startswith(made) and not (ROOT / name).exists()
    ] == []


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
