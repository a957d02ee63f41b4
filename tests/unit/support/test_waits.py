"""After an action that takes a page time, a test waits for the state: it does not ask once."""

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

BROWSER = Path(__file__).resolve().parents[2] / "browser"
ACTIONS = ("click(", ".send_keys(", "location.hash =", "dispatchEvent(")
QUESTIONS = ("page.execute_script(", "page.check(", "page.output(", "page.number(", "page.text")


def asked_once(source: str) -> Iterator[int]:
    """Lines with an assertion about the page directly after an action on it."""
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        for before, after in pairwise(body if isinstance(body, list) else []):
            acts = holds(before, ACTIONS) and not holds(before, (".until(",))
            if acts and isinstance(after, ast.Assert) and holds(after, QUESTIONS):
                yield after.lineno


def holds(node: ast.AST, words: tuple[str, ...]) -> bool:
    return any(word in ast.unparse(node) for word in words)


def test_no_test_asks_once_after_an_action() -> None:
    found = [
        f"{path.name}:{line}"
        for path in sorted(BROWSER.glob("test_*.py"))
        for line in asked_once(path.read_text())
    ]
    assert found == []
