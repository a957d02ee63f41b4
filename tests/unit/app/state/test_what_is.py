"""Every number of the page has its line."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from app.state import settings, what_is

ROOT = Path(__file__).resolve().parents[4]
# Outputs that panels make, by the element that they are for or are named after.
MADE = {f"option-{name}" for name in settings.CHANGES} | {
    "option-lr-value",
    "option-smoothing-value",
}


class Numbers(HTMLParser):
    """Collects the names of outputs, and the heads of columns of numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs: set[str] = set()
        self.heads: set[str] = set()
        self._in_head = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        words = {name: value or "" for name, value in attrs}
        if tag == "output" or words.get("id") == "total-params":
            self.outputs.add(words.get("name") or words["id"])
        self._in_head = tag == "th" and "number" in words.get("class", "")

    def handle_data(self, data: str) -> None:
        if self._in_head:
            self.heads.add(data)
        self._in_head = False


def numbers() -> set[str]:
    found = Numbers()
    found.feed((ROOT / "index.html").read_text())
    made = re.findall(r"table\.heading\((.*)\)\]", (ROOT / "py/app/panels/analysis.py").read_text())
    heads = {head for names in made for head in re.findall(r'"([^"]+)"', names)[1:]}
    assert len(found.outputs) > 12
    assert len(found.heads) > 12
    assert len(heads) > 5
    return found.outputs | found.heads | heads | MADE


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "Each number says what it is, in a line, when it is pressed; all are listed in the footer",
)
@pytest.mark.parametrize("name", sorted(numbers()))
def test_each_number_has_one_line(name: str) -> None:
    line = what_is.line(name)
    assert 20 < len(line) <= 110
    assert line[0].isupper()
    assert re.fullmatch(r"[^.]+(\d\.\d[^.]*)*\.", line), "one sentence"


def test_no_line_is_of_a_number_that_is_not_there() -> None:
    assert set(what_is.FIGURES) | set(what_is.ALSO) == numbers()
    assert set(what_is.ALSO.values()) <= set(what_is.FIGURES)
    labels = [label for label, _ in what_is.FIGURES.values()]
    assert len(labels) == len(set(labels))
    assert what_is.line("nothing") == ""
