"""Minification of names: what only a function knows has a short one in modules packed as text.

This and `joining` in place of a library: with python-minifier 3.4.0, which keeps no lines for
tracebacks, gpu.tgz has 40,477 bytes, not 39,902, and 40,000 are allowed.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator

from tools.shaders import OPENED, fields, strings

NAME = re.compile(r"""[A-Za-z]*'[^']*'|[A-Za-z]*"[^"]*"|(?<![\w.!])[A-Za-z_]\w*""")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def shortened(source: str) -> str:
    """Return a module in which the variables of each function have names of one letter, and the
    arguments that no other module gives: those of private and of inner functions, where none is
    given by name. All that others see keeps its name."""
    lines, tree = source.split("\n"), ast.parse(source)
    asked = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
    for function in outermost(tree):
        first, last = function.lineno - 1, function.end_lineno or function.lineno
        text = "\n".join(lines[first:last])
        lines[first:last] = _renamed(text, function, asked).split("\n")
    return "\n".join(lines)


def outermost(tree: ast.Module) -> Iterator[Function]:
    """Yield the functions and methods that lie in no other."""
    for node in tree.body:
        for part in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(part, Function):
                yield part


def _renamed(text: str, function: Function, asked: set[str | None]) -> str:
    words = list(_words(text))
    found = Counter(text[start:stop] for start, stop in words)
    own = _own(function, asked)
    free = (x for x in "abcdefghijklmnopqrstuvwxyz" if x not in found)
    names = dict(zip((name for name, _ in found.most_common() if name in own), free, strict=False))
    for start, stop in sorted(words, reverse=True):
        text = text[:start] + names.get(text[start:stop], text[start:stop]) + text[stop:]
    return text


def _own(function: Function, asked: set[str | None]) -> set[str]:
    """Return the names that can be others: of variables, and of arguments that none gives by name.

    Args:
        function: one that lies in no other.
        asked: the names by which its module gives arguments.
    """
    made: set[str] = set()
    kept = asked | {"self", "cls"}
    if not function.name.startswith("_") or function.name.startswith("__"):
        kept |= {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            made.add(node.id)
        elif isinstance(node, ast.arg):
            made.add(node.arg)
        elif isinstance(node, Function | ast.ClassDef | ast.ExceptHandler):
            kept.add(node.name)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            kept.update(node.names)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            kept.update(alias.asname or alias.name for alias in node.names)
    return {name for name in made - kept if len(name) > 1}


def _words(text: str) -> Iterator[tuple[int, int]]:
    """Yield where names stand that are no attributes, also in the fields of strings."""
    code = text if text[:1] != " " else f"if 1:\n{text}"
    shift = len(code) - len(text)
    firsts = [-shift]
    for line in code.split("\n"):
        firsts.append(firsts[-1] + len(line) + 1)
    spans = [
        (firsts[start[0] - 1] + start[1], firsts[stop[0] - 1] + stop[1])
        for start, stop in strings(code)
    ]
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        at = firsts[token.start[0] - 1] + token.start[1]
        inside = at < 0 or any(start <= at < stop for start, stop in spans)
        if token.type == tokenize.NAME and before != "." and not inside:
            yield at, at + len(token.string)
        before = token.string or before
    for start, stop in spans:
        yield from _in_fields(text[start:stop], start)


def _in_fields(string: str, at: int) -> Iterator[tuple[int, int]]:
    """Yield the same in the fields of a string that begins at this place."""
    opened = OPENED.match(string)
    if opened is None or "f" not in opened[1].lower():
        return
    at += opened.end()
    for number, part in enumerate(fields(string[opened.end() : -len(opened[2])])):
        for word in NAME.finditer(part) if number % 2 else ():
            if word[0][-1] in "'\"":
                yield from _in_fields(word[0], at + word.start())
            else:
                yield at + word.start(), at + word.end()
        at += len(part)
