"""Read the lessons of docs/lessons and write them as the page shows them, a file a language.

    static/vendor/lessons-de.json   [{id, language, title, link, text, choices, look, ...}, ...]

A lesson is a Markdown file, its place in the menu is the number in the file's name:

    # Title
    `lr=0.1&epochs=1`                what the link sets, after the page's address and `#`
    Some sentences.
    ## What do you expect?           a list of answers
    ## What to look at
    ## What happened

Paragraphs, lists, **bold**, *italics*, `code` and links are known. A file of the same name in
docs/lessons/de is the lesson in German; a lesson without one is shown in English.
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
TARGET = "static/vendor/lessons-{language}.json"
NAME = re.compile(r"\d+-([a-z-]+)\.md")
SECTIONS = {
    "en": ("What do you expect?", "What to look at", "What happened"),
    "de": ("Was erwarten Sie?", "Worauf zu achten ist", "Was geschah"),
}
_MARKS = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<b>\1</b>"),
    (re.compile(r"\*([^*]+)\*"), r"<em>\1</em>"),
    (re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)"), r'<a href="\2">\1</a>'),
)


class LessonError(ValueError):
    """A file is no lesson; the message names it and says what was expected."""


def read(path: Path, language: str = "en") -> dict[str, Any]:
    """Return a lesson that is written in a language.

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
    sections = SECTIONS[language]
    if tuple(found) != sections:
        raise LessonError(f"{path}: expected the sections {sections}, received {tuple(found)}")
    choices = [inline(item) for item in items(found[sections[0]])]
    if len(choices) < 2:
        raise LessonError(f"{path}: {sections[0]}: expected a list of two answers or more")
    return {
        "id": name[1],
        "language": language,
        "title": top[1],
        "link": top[2],
        "text": blocks(top[3]),
        "choices": choices,
        "look": blocks(found[sections[1]]),
        "happened": blocks(found[sections[2]]),
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


def lessons(root: Path = ROOT, language: str = "en") -> list[dict[str, Any]]:
    """Return all lessons in the menu's order."""
    paths = sorted((root / FOLDER).glob("*.md"))
    return [translated(path, language) or read(path) for path in paths]


def translated(path: Path, language: str) -> dict[str, Any] | None:
    """Return a lesson in another language, or None where it has not been translated.

    Raises:
        LessonError: it sets other options than the English one, or has more or fewer answers.
    """
    theirs = path.parent / language / path.name
    if not theirs.is_file():
        return None
    found, english = read(theirs, language), read(path)
    if found["link"] != english["link"]:
        raise LessonError(f"{theirs}: expected `{english['link']}`, received `{found['link']}`")
    if len(found["choices"]) != len(english["choices"]):
        raise LessonError(
            f"{theirs}: expected {len(english['choices'])} answers, "
            f"received {len(found['choices'])}"
        )
    return found


def build(root: Path = ROOT) -> list[str]:
    """Write the file of each language, unless it is so already; return those written."""
    written = []
    for language in SECTIONS:
        found = lessons(root, language)
        body = json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()
        name = TARGET.format(language=language)
        if not (root / name).is_file() or (root / name).read_bytes() != body:
            write(root / name, body)
            written.append(name)
    return written


def main() -> None:
    try:
        for name in build():
            sys.stdout.write(f"lessons: {name}\n")
    except LessonError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
