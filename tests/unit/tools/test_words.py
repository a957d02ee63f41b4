"""Plain English: words that docstrings, comments and documents avoid."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
AVOIDED = {
    "anew": "again",
    "octets": "bytes",
    "let go of": "released",
    "to the bit": "bit for bit",
    "stands for": "means, or refers to",
    "of one's own": "a custom ...",
    "told": "the name of what happens: called, notified, named",
    "nobody": "the name of who does not",
    "what there is": "the name of the thing",
    "what there was": "the name of the thing",
}
WORDS = re.compile(rf"\b({'|'.join(AVOIDED)})\b", re.IGNORECASE)
CLEAN = (
    "py/**/*.py", "py/nn/kernels/src/*", "tools/*.py", "tests/**/*.py", "docs/**/*.md", "*.md",
    "sw.js",
)  # fmt: skip
OTHERS = {ROOT / "docs" / "promises.md", Path(__file__).resolve()}  # generated, and the list itself
FOUND = {path for pattern in CLEAN for path in ROOT.glob(pattern)} - OTHERS
FILES = sorted(path for path in FOUND if "node_modules" not in path.parts)


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the comments and texts of a Python module, or another file's lines.

    Keys, and JavaScript that a test runs, are no prose.
    """
    source = path.read_text()
    if not WORDS.search(joined(source)):
        return  # reading a module as Python reads it takes a hundred times longer
    if path.suffix != ".py":
        yield from enumerate(source.splitlines(), 1)
        return
    for node in ast.walk(ast.parse(source)):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and " " in text and "=>" not in text:
            yield node.lineno, text
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def joined(source: str) -> str:
    """Return a source's words, those of texts and comments that go on in another line together."""
    return " ".join(re.sub(r"\\[nt]|#|\b[bfru]{0,2}[\"']|[\"']", " ", source, flags=re.I).split())


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_text_uses_an_avoided_word(path):
    found = [
        f"{path}:{line}: {word!r}; write {AVOIDED[' '.join(word.lower().split())]}"
        for line, text in prose(path)
        for word in WORDS.findall(" ".join(text.split()))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Packed anew.", ["anew"]),
        ("Let go of it.", ["Let go of"]),
        ("A toldering of tolds, renewed and anewed", []),
        ('"let " f"go\\nof"', ["let go of"]),
        ("# What it\n    # stands\n    # for.", ["stands for"]),
    ],
)
def test_words_are_found_whole_and_in_either_case(text, found):
    assert WORDS.findall(joined(text)) == found
