"""docs/guarantees.md promises nothing that no test holds."""

import re
from pathlib import Path

import pytest
from farcall import comlink
from farcall.connection import policy
from farcall.connection.session import LIMITS

from tests.conformance import suite

ROOT = Path(__file__).resolve().parents[4]
TEXT = (ROOT / "docs" / "guarantees.md").read_text()
PROMISED = TEXT[: TEXT.index("| Last run")]  # below are figures


def existing() -> set[str]:
    """Names of all tests, of the conformance suite's behaviours and of the transports' cases."""
    transports = (ROOT / "tests/browser/test_rpc_transports.py").read_text()
    found = set(suite.CASES) | set(re.findall(r'^    "(\w+)":', transports, re.MULTILINE))
    for path in (ROOT / "tests").rglob("test_*.py"):
        if "node_modules" not in path.parts:
            found |= set(re.findall(r"def (test_\w+)", path.read_text()))
    return found


def test_every_test_that_the_guarantees_name_exists() -> None:
    named = set(re.findall(r"`(test_\w+|\w+_\w+_\w+_\w+)`", TEXT))
    assert len(named) > 60
    assert named <= existing(), sorted(named - existing())


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda p: p.name)
def test_every_test_that_a_document_names_exists(path: Path) -> None:
    named = set(re.findall(r"`(test_\w+)`", path.read_text()))
    files = {p.stem for p in (ROOT / "tests").rglob("test_*.py")}
    assert named <= existing() | files, sorted(named - existing() - files)


def test_every_row_of_the_guarantees_names_a_test() -> None:
    known = existing()
    rows = [line for line in PROMISED.splitlines() if line.startswith("|") and "---" not in line]
    promises = [
        row for row in rows if not re.match(r"\| (Guaranteed|When|Refused|Limit|Comlink) \|", row)
    ]
    assert len(promises) > 40
    for row in promises:
        assert any(name in known for name in re.findall(r"`(\w+)`", row)), row


def test_the_limits_in_the_guarantees_are_the_code_s() -> None:
    rows = re.findall(r"^\| (.*?) \| (\d+|-) \| (\d+|-) \|", PROMISED, re.MULTILINE)
    stated: dict[str, set[tuple[int, str]]] = {"farcall": set(), "comlink": set()}
    for names, ours, theirs in rows:
        found = re.findall(r"`(\w+)`", names) or ["path"]
        stated["farcall"] |= {(int(ours), found[0])} if ours != "-" else set()
        stated["comlink"] |= {(int(theirs), found[-1])} if theirs != "-" else set()
    path = (policy.PATH_LENGTH, "path")
    assert stated["farcall"] == {(v, k) for k, v in LIMITS.items()} | {path}
    assert stated["comlink"] == {(v, k) for k, v in comlink.LIMITS.items()} | {path}
