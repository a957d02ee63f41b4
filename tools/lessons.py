"""Read the lessons of docs/lessons and write them as the page shows them.

    static/vendor/lessons.json   [{id, title, link, text, choices, look, happened}, ...]

A lesson is a Markdown file, its place in the menu is the number in the file's name:

    # Title
    `lr=0.1&epochs=1`                what the link sets, after the page's address and `#`
    Some sentences.
    ## What do you expect?           a list of answers
    ## What to look at
    ## What happened

Paragraphs, lists, **bold**, *italics*, `code` and links are known.
"""

from __future__ import annotations

import html
import json
import re
import sys
from pathlib import Path
from typing import Any

from tools.vendor import write

ROOT = Path(__file__).resolve().parent.parent
FOLDER = "docs/lessons"
TARGET = "static/vendor/lessons.json"
NAME = re.compile(r"\d+-([a-z-]+)\.md")
SECTIONS = ("What do you expect?", "What to look at", "What happened")
_MARKS = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<b>\1</b>"),
    (re.compile(r"\*([^*]+)\*"), r"<em>\1</em>"),
    (re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)"), r'<a href="\2">\1</a>'),
)


class LessonError(ValueError):
    """A file is no lesson; the message names it and says what was expected."""


def read(path: Path) -> dict[str, Any]:
    """Return a lesson.

    Raises:
        LessonError: the file lacks a part, or has one that is not known.
    """
    name = NAME.fullmatch(path.name)
    head, *parts = re.split(r"^## ", path.read_text(), flags=re.MULTILINE)
    found = {title.strip(): body for title, _, body in (part.partition("\n") for part in parts)}
    top = re.fullmatch(r"# ([^\n]+)\n+`([^`\n]*)`\n+(.+)", head.strip(), re.DOTALL)
    if name is None:
        raise LessonError(f"{path}: expected a name such as 02-learning-rate.md")
    if top is None:
        raise LessonError(
            f"{path}: expected '# Title', then the link's options in `...`, then text"
        )
    if tuple(found) != SECTIONS:
        raise LessonError(f"{path}: expected the sections {SECTIONS}, received {tuple(found)}")
    choices = [inline(item) for item in items(found[SECTIONS[0]])]
    if len(choices) < 2:
        raise LessonError(f"{path}: {SECTIONS[0]}: expected a list of two answers or more")
    return {
        "id": name[1],
        "title": top[1],
        "link": top[2],
        "text": blocks(top[3]),
        "choices": choices,
        "look": blocks(found[SECTIONS[1]]),
        "happened": blocks(found[SECTIONS[2]]),
    }


def blocks(text: str) -> str:
    """Return paragraphs and lists as HTML."""
    found = []
    for block in re.split(r"\n\s*\n", text.strip()):
        if block.startswith("- "):
            found.append("<ul>" + "".join(f"<li>{inline(i)}</li>" for i in items(block)) + "</ul>")
        else:
            found.append(f"<p>{inline(block)}</p>")
    return "".join(found)


def items(text: str) -> list[str]:
    """Return the items of a list."""
    return [item.strip() for item in re.split(r"^- ", text.strip(), flags=re.MULTILINE)[1:]]


def inline(text: str) -> str:
    """Return a text as HTML, in one line."""
    words = html.escape(" ".join(text.split()), quote=True)
    for mark, instead in _MARKS:
        words = mark.sub(instead, words)
    return words


def lessons(root: Path = ROOT) -> list[dict[str, Any]]:
    """Return all lessons in the menu's order."""
    return [read(path) for path in sorted((root / FOLDER).glob("*.md"))]


def build(root: Path = ROOT) -> bool:
    """Write the file of all lessons, unless it is so already."""
    body = json.dumps(lessons(root), ensure_ascii=False, separators=(",", ":")).encode()
    target = root / TARGET
    if target.is_file() and target.read_bytes() == body:
        return False
    write(target, body)
    return True


def main() -> None:
    try:
        if build():
            sys.stdout.write(f"lessons: {TARGET}\n")
    except LessonError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
