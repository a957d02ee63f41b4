"""Minification of WGSL in the strings of Python modules: spaces that it does not need go."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

OPENED = re.compile(r"([A-Za-z]*)('''|\"\"\"|'|\")")
# No sign begins or ends with one of these, so what is beside them needs no space.
BRACKETS = "(){}[],;"
SPACES = re.compile(r"(?<=[^ \n]) +(?=[^ \n])")

Place = tuple[int, int]  # line from 1, column


def spaceless(source: str) -> str:
    """Return Python whose strings are WGSL without the spaces that part no two words and no two
    signs of it. Lines stay, and so do the messages of errors."""
    lines = source.split("\n")
    said = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Raise)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    for (first, start), (last, stop) in reversed(list(strings(source))):
        if first not in said:
            end = lines[last - 1][stop:]
            lines[last - 1] = lines[last - 1][:stop]
            lines[first - 1], before = lines[first - 1][start:], lines[first - 1][:start]
            made = _string("\n".join(lines[first - 1 : last]))
            lines[first - 1 : last] = f"{before}{made}{end}".split("\n")
    return "\n".join(lines)


def strings(source: str) -> Iterator[tuple[Place, Place]]:
    """Yield where each string begins and ends; an f-string is one, whatever its fields hold."""
    begun: list[Place] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind = tokenize.tok_name[token.type]
        if kind == "FSTRING_START":
            begun.append(token.start)
        elif kind == "FSTRING_END":
            start = begun.pop()
            if not begun:
                yield start, token.end
        elif kind == "STRING" and not begun:
            yield token.start, token.end


def _string(text: str) -> str:
    opened = OPENED.match(text)
    assert opened is not None
    prefix, quote = opened.groups()
    body = text[opened.end() : -len(quote)]
    parts = fields(body) if "f" in prefix.lower() else [body]
    parts[::2] = map(closed, parts[::2])
    return f"{prefix}{quote}{''.join(parts)}{quote}"


def fields(body: str) -> list[str]:
    """Return the texts of an f-string, and between them its fields with their braces."""
    parts, depth, at = [""], 0, 0
    while at < len(body):
        char = body[at]
        doubled = not depth and char in "{}" and body[at + 1 : at + 2] == char
        if char == "{" and not doubled:
            depth += 1
            if depth == 1:
                parts.append("")
        parts[-1] += 2 * char if doubled else char
        if char == "}" and not doubled:
            depth -= 1
            if not depth:
                parts.append("")
        at += 2 if doubled else 1
    return parts


def closed(text: str) -> str:
    """Return a part of WGSL without needless spaces; what stands before and after is unknown."""

    def needed(spaces: re.Match[str]) -> str:
        left, right = text[spaces.start() - 1], text[spaces.end()]
        words = [c.isalnum() or c in "_.\\\"'" for c in (left, right)]
        needless = left in BRACKETS or right in BRACKETS or words[0] != words[1]
        return "" if needless else " "

    made = SPACES.sub(needed, text)
    made = re.sub(rf"^ +(?=[{re.escape(BRACKETS)}])", "", made)
    return re.sub(rf"(?<=[{re.escape(BRACKETS)}]) +$", "", made)
