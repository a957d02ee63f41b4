"""Figures of the code's structure: import circles, large classes, `Any`, long lists.

`python -m tools.house` prints them in a second or two; it changes nothing. An arrow is an import,
wherever it stands: at the top of a module, inside a function, or under `TYPE_CHECKING`.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import grimp

from tools import bundle

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("farcall", "nn", "federation", "app")
LARGE = 200
GENERATED = "docs/promises.md"
TEST_NAME = re.compile(r"`[\w./]*(?:::)?test_\w+`")

Graph = Mapping[str, frozenset[str]]
"""Module -> the modules that it imports."""


def imports(*packages: str) -> Graph:
    """Return every direct import among the modules of these packages."""
    found = grimp.build_graph(*packages, exclude_type_checking_imports=False, cache_dir=None)
    return {m: frozenset(found.find_modules_directly_imported_by(m)) for m in found.modules}


def circles(graph: Graph) -> list[list[str]]:
    """Return the groups of modules that import each other, directly or through others.

    These are the strongly connected components of more than one module (Tarjan, 1972).
    """
    numbers: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        numbers[module] = lowest[module] = len(numbers)
        stack.append(module)
        for other in graph[module]:
            if other not in numbers:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in stack:
                lowest[module] = min(lowest[module], numbers[other])
        if lowest[module] == numbers[module]:
            start = stack.index(module)
            component = sorted(stack[start:])
            del stack[start:]
            if len(component) > 1:
                found.append(component)

    for module in sorted(graph):
        if module not in numbers:
            visit(module)
    return sorted(found)


def inside(circle: list[str], graph: Graph) -> Iterator[str]:
    """Yield the imports that make a circle, a line for each module."""
    for module in circle:
        others = sorted(graph[module] & set(circle))
        yield f"{module} -> {', '.join(others)}"


def contracts(root: Path = ROOT) -> list[dict[str, object]]:
    """Return the contracts of import-linter."""
    settings = tomllib.loads((root / "pyproject.toml").read_text())
    found: list[dict[str, object]] = settings["tool"]["importlinter"]["contracts"]
    return found


def ignored_imports(root: Path = ROOT) -> list[str]:
    """Return the imports that the contracts let pass."""
    lists = [contract.get("ignore_imports", []) for contract in contracts(root)]
    return [line for lines in lists if isinstance(lines, list) for line in lines]


def trees(*folders: str, root: Path = ROOT) -> Iterator[tuple[Path, ast.Module]]:
    """Yield path and syntax tree of every module below the folders."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            yield path.relative_to(root), ast.parse(path.read_text())


def large_classes(*folders: str, root: Path = ROOT) -> list[tuple[int, str]]:
    """Return (lines, place) of the classes above 200 lines, the largest first."""
    found = [
        ((node.end_lineno or 0) - node.lineno + 1, f"{path}: {node.name}")
        for path, tree in trees(*folders, root=root)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    ]
    return sorted((item for item in found if item[0] > LARGE), reverse=True)


def uses_of_any(*folders: str, root: Path = ROOT) -> int:
    """Count the word `Any` in the sources."""
    paths = (path for folder in folders for path in (root / folder).rglob("*.py"))
    return sum(len(re.findall(r"\bAny\b", path.read_text())) for path in paths)


def named_tests(root: Path = ROOT) -> dict[str, int]:
    """Count the names of tests in the documents by file, but for the generated list."""
    paths = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    paths.remove(root / GENERATED)
    counts = {path.name: len(TEST_NAME.findall(path.read_text())) for path in sorted(paths)}
    return {name: count for name, count in counts.items() if count}


def figures() -> Iterator[str]:
    """Yield what is printed, line by line."""
    graph = imports(*PACKAGES)
    found = circles(graph)
    yield f"modules {len(graph)}, imports among them {sum(map(len, graph.values()))}"
    yield f"circles {len(found)}"
    for circle in found:
        yield from (f"  {line}" for line in inside(circle, graph))
    ignored = ignored_imports()
    layered = sum(contract["type"] == "layers" for contract in contracts())
    yield f"layers contracts {layered}, ignored imports {len(ignored)}"
    yield from (f"  {line}" for line in ignored)
    large = large_classes("py/app", "py/farcall", "py/federation")
    yield f"classes above {LARGE} lines in py/app, py/farcall and py/federation {len(large)}"
    yield from (f"  {lines} {place}" for lines, place in large)
    yield f"Any in py/farcall {uses_of_any('py/farcall')}"
    yield f"entries of tools/bundle.py's TRAINING {len(bundle.TRAINING)}"
    named = named_tests()
    yield f"names of tests in documents {sum(named.values())}"
    yield from (f"  {count} {name}" for name, count in named.items())


def main() -> None:
    for line in figures():
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
