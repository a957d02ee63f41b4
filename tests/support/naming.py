"""Whether two modules are the same but for the names of functions' own variables."""

from __future__ import annotations

import ast

from tools.naming import outermost


def compare(found: ast.Module, source: ast.Module) -> None:
    """Compare two modules name by name, and give the first one the names of the second.

    Raises:
        AssertionError: a name stands for several, or several for one, or what others may see has
            another name.
    """
    for one, other in zip(outermost(found), outermost(source), strict=True):
        pairs = list(zip(ast.walk(one), ast.walk(other), strict=True))
        kept = {n.arg for _, n in pairs if isinstance(n, ast.arg | ast.keyword)}
        stored = {
            n.id for _, n in pairs if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
        names: dict[str, str] = {}
        for a, b in pairs:
            if isinstance(a, ast.Name) and isinstance(b, ast.Name):
                assert names.setdefault(b.id, a.id) == a.id, (b.id, a.id)
                assert a.id == b.id or b.id in stored - kept, b.id
                a.id = b.id
        others = {n.arg for _, n in pairs if isinstance(n, ast.arg)}
        assert len({*names.values(), *others}) == len({*names, *others}), names
