"""The documentation names tests; they must exist."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DOCS = (ROOT / "docs" / "farcall.md").read_text()


def existing() -> set[str]:
    """Names of all test functions and conformance cases."""
    sources = [
        p.read_text() for p in (ROOT / "tests").rglob("*.py") if "node_modules" not in p.parts
    ]
    return {name for text in sources for name in re.findall(r"def (\w+)\(", text)}


def test_every_test_that_the_docs_name_exists() -> None:
    named = set(re.findall(r"`((?:test_)?[a-z]+(?:_[a-z0-9]+){3,})`", DOCS))
    assert len(named) > 70
    assert named - existing() == set()


def test_every_row_of_the_tables_names_a_test() -> None:
    rows = [line for line in DOCS.split("\n") if line.startswith("| ") and "---" not in line]
    assert [row for row in rows if "`" not in row.rsplit("|", 2)[1] and "Test" not in row] == []
