"""The documents promise what tests hold, and name no test."""

import re
from pathlib import Path

import pytest

from tests.conformance import suite
from tests.conformance.promises import PROMISES
from tools import promises

ROOT = Path(__file__).resolve().parents[3]
DOCS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
BY_HAND = [path for path in DOCS if path != promises.TARGET]


@pytest.fixture(scope="module")
def found():
    return promises.promises()


def test_the_list_of_promises_is_that_of_the_tests(found):
    listed = promises.TARGET.read_text()
    assert listed == promises.document(found), "run: python -m tools.promises"


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
def test_every_promise_of_a_document_is_held_by_a_test(found, name):
    held = {promise.text.removeprefix("Comlink: ") for promise in found}
    lines = set(stated((ROOT / "docs" / f"{name}.md").read_text()))
    assert len(lines) > 30
    assert [line for line in lines - held if "`make bench`" not in line] == []


def test_more_than_four_hundred_promises_are_held(found):
    assert len(found) > 400


def test_every_behaviour_that_promises_something_exists():
    transports = (ROOT / "tests/browser/test_rpc_transports.py").read_text()
    existing = set(suite.CASES) | set(re.findall(r'^    "(\w+)":', transports, re.MULTILINE))
    assert set(PROMISES) - existing == set()


def test_every_section_has_a_promise(found):
    assert {promise.section for promise in found} == set(promises.SECTIONS)


@pytest.mark.parametrize("path", BY_HAND, ids=lambda path: path.name)
def test_no_document_for_users_names_a_test(found, path):
    names = {promise.test for promise in found}
    quoted = re.findall(r"`(\w+)`", path.read_text())
    assert [name for name in quoted if name in names or name.startswith("test_")] == []
