"""The code in the documents: blocks with a title, what they print, and where they come from."""

from __future__ import annotations

import ast
import builtins
import re
import types
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
HOW_TOS = sorted((DOCS / "how-to").glob("*.md"))
TEAM_GUIDES = [DOCS / "team.md", DOCS / "how-to" / "cores.md"]  # their workers need nn
GUIDES = [DOCS / "farcall.md", *(path for path in HOW_TOS if path not in TEAM_GUIDES)]
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))
BLOCK = re.compile(
    r"(?:^<!-- from (?P<source>\S+) -->\n)?^```(?P<kind>\w*)(?: title=\"(?P<title>[^\"]+)\")?\n"
    r"(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
PRINTED = re.compile(r"print\(.*\)  # (.*)$", re.MULTILINE)


class Block(NamedTuple):
    """A block of code; `title` is its file's name, `source` the repository's file that it is."""

    kind: str
    title: str
    source: str
    code: str


def blocks(path: Path) -> list[Block]:
    """Return the blocks of a document in their order."""
    found = BLOCK.finditer(path.read_text())
    return [Block(*[each[name] or "" for name in Block._fields]) for each in found]


def joined(path: Path, title: str) -> str:
    """Return a document's blocks of this title that no other file has, one after the other."""
    own = (block for block in blocks(path) if block.title == title and not block.source)
    return "\n".join(block.code for block in own)


def printed(code: str) -> list[str]:
    """Return what the comments behind `print` say that it prints."""
    return PRINTED.findall(code)


def prose(path: Path) -> list[str]:
    """Return a document's lines of text: neither code nor blank."""
    lines = BLOCK.sub("", path.read_text()).split("\n")
    return [line for line in lines if line.strip()]


async def run(block: Block, names: dict[str, Any]) -> None:
    """Run a block, which may `await` at its top, with and into these names."""
    names.setdefault("__builtins__", builtins)
    code = compile(block.code, block.title or "block", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = types.FunctionType(code, names)()
    if isinstance(result, types.CoroutineType):
        await result
