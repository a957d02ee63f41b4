"""After an action that takes a page time, a test waits for the state: it does not ask once."""

import ast
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

BROWSER = Path(__file__).resolve().parents[2] / "browser"
ACTIONS = ("click(", ".send_keys(", "location.hash =", "dispatchEvent(")
QUESTIONS = ("page.execute_script(", "page.check(", "page.output(", "page.number(", "page.text")
BEGINS = ("click('Train')", "button('Train')", "button('Continue the run')")
WAITS = (".until(", ".execute_async_script(", ".wait_for_phase('training'")


def asked_once(source: str) -> Iterator[int]:
    """Lines with an assertion about the page directly after an action on it."""
    for body in bodies(ast.parse(source)):
        for before, after in pairwise(body):
            acts = holds(before, ACTIONS) and not holds(before, WAITS)
            if acts and isinstance(after, ast.Assert) and holds(after, QUESTIONS):
                yield after.lineno


def asked_after_a_reload(source: str) -> Iterator[int]:
    """Lines that ask a page once after a reload, before the test has waited for anything of it.

    The page is ready before all that it has kept is there again.
    """
    tree = ast.parse(source)
    patient = tuple(f"{name}(" for name in patient_functions(tree))
    for body in bodies(tree):
        pages: set[str] = set()
        for line in body:
            if pages and holds(line, (*WAITS, *patient)):
                pages.clear()
            if isinstance(line, (ast.Assert, ast.Assign)) and names(line) & pages:
                yield line.lineno
            pages |= reloaded(line)


def ready_before_a_run(source: str) -> Iterator[int]:
    """Lines that wait for 'ready' directly after a press that begins a run: the page still is."""
    for body in bodies(ast.parse(source)):
        for before, after in pairwise(body):
            if not (isinstance(before, ast.Expr) and isinstance(after, ast.Expr)):
                continue
            begins = holds(before, BEGINS) and not holds(before, WAITS)
            if begins and holds(after, (".wait_for_phase('ready'", "phase == 'ready'")):
                yield after.lineno


def bodies(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            yield body


def patient_functions(tree: ast.AST) -> set[str]:
    """Functions of a module that wait for something of a page, themselves or in another one."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    patient: set[str] = set()
    words = WAITS
    while found := {each.name for each in functions if holds(each, words)} - patient:
        patient |= found
        words = tuple(f"{name}(" for name in found)
    return patient


def names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def reloaded(node: ast.AST) -> set[str]:
    """Names of the pages that a line reloads."""
    return {
        part.value.id
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute) and part.attr == "refresh"
        if isinstance(part.value, ast.Name)
    }


def holds(node: ast.AST, words: tuple[str, ...]) -> bool:
    return any(word in written(node) for word in words)


@cache
def written(node: ast.AST) -> str:
    return ast.unparse(node)


@pytest.mark.parametrize("rule", [asked_once, asked_after_a_reload, ready_before_a_run])
def test_no_test_asks_once_where_a_page_takes_time(rule) -> None:
    found = [
        f"{path.name}:{line}"
        for path in sorted(BROWSER.glob("test_*.py"))
        for line in rule(path.read_text())
    ]
    assert found == []


def test_a_wait_for_a_page_that_is_ready_still_is_found() -> None:
    lines = [
        "page.click('Train')",
        "page.wait_for_phase('training')",
        "page.wait_for_phase('ready')",
    ]
    function = "def test(page):\n    "
    assert list(ready_before_a_run(function + "\n    ".join(lines))) == []
    assert list(ready_before_a_run(function + "\n    ".join(lines[::2]))) == [3]


ASKED = [
    "assert page.text",
    "assert listed(page) == before",
    "words = page.execute_script('return 1')",
    "assert not page.find_element('id', 'failure').is_displayed()",
]
WAITED = ["page.until('window.there')", "assert rests(page)", "page.until(lambda: listed(page))"]
HELPERS = """
def listed(page):
    return page.execute_script("return []")

def rests(page):
    return page.until("window.rests")

def test(page):
    page.refresh()
    page.wait_for_phase('ready')
    """


@pytest.mark.parametrize("asked", ASKED)
def test_a_question_that_is_asked_once_after_a_reload_is_found(asked) -> None:
    lines = HELPERS.count("\n") + 1
    assert list(asked_after_a_reload(HELPERS + asked)) == [lines]
    assert list(asked_after_a_reload(HELPERS + f"page.click('Open')\n    {asked}")) == [lines + 1]


@pytest.mark.parametrize("waited", WAITED)
@pytest.mark.parametrize("asked", ASKED)
def test_a_question_that_is_asked_after_a_wait_is_none(waited, asked) -> None:
    assert list(asked_after_a_reload(HELPERS + f"{waited}\n    {asked}")) == []
