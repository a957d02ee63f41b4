"""Comparison of two modules that may differ in the names of functions' own variables."""

from __future__ import annotations

import ast

from tools.naming import outermost


def compare(found: ast.Module, source: ast.Module) -> None:
    """Compare two modules name by name, and give the first one the names of the second.

    Raises:
        AssertionError: a name has several others, several have the same one, or what others may
            see has another name.
    """
    asked = {node.arg for node in ast.walk(source) if isinstance(node, ast.keyword)}
    for one, other in zip(outermost(found), outermost(source), strict=True):
        kept = asked | {"self", "cls"}
        if not other.name.startswith("_") or other.name.startswith("__"):
            kept |= {node.arg for node in ast.walk(other.args) if isinstance(node, ast.arg)}
        pairs = list(zip(ast.walk(one), ast.walk(other), strict=True))
        own = {
            n.arg if isinstance(n, ast.arg) else n.id
            for _, n in pairs
            if isinstance(n, ast.arg) or (isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
        }
        names: dict[str, str] = {}
        for a, b in pairs:
            field = {ast.Name: "id", ast.arg: "arg"}.get(type(b), "")
            if field:
                new, old = getattr(a, field), getattr(b, field)
                assert names.setdefault(old, new) == new, (old, new)
                assert new == old or old in own - kept, old
                setattr(a, field, old)
        assert len({*names.values()}) == len(names), names
