"""`make check`: every linter, the structure's figures, and the unit tests of what changed.

The linters run side by side; `tools.check` runs them too, before all tests. Changed is what git
sees since the branch left main, and what is not committed yet; the tests are those of the folders
that mirror a changed one: py/nn/optimizers/base.py has them in tests/unit/nn/optimizers and, where
Keras is the reference, in tests/unit/nn/against_keras/optimizers; a document has them in
tests/unit/documents. The folders inside such a folder mirror other sources, and all of them
together take longer than a minute: py/nn/fitting.py has its tests in the modules of tests/unit/nn
itself and in those of tests/unit/nn/against_keras that import it, and a line says which folders
are left for `make test`.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from tools import check

ROOT = check.ROOT
UNIT = Path("tests/unit")
KERAS = UNIT / "nn" / "against_keras"
DOCUMENTS = (UNIT / "documents", UNIT / "tools" / "test_words.py")


def mirrored(changed: Iterable[str], root: Path = ROOT) -> list[str]:
    """Folders and files of tests/unit for these changed paths, none inside another."""
    found = {tests for path in changed for tests in mirrors(Path(path), root)}
    return sorted(str(path) for path in found if not found.intersection(path.parents))


def left(changed: Iterable[str], root: Path = ROOT) -> list[str]:
    """Folders inside those whose own modules are chosen, and of which nothing is chosen."""
    edited = {Path(path) for path in changed}
    paths = [Path(path) for path in mirrored(map(str, edited), root)]
    beside = {path.parent for path in paths if path.suffix == ".py" and path not in edited}
    used = {folder for path in paths for folder in (path, *path.parents)}
    inside = {folder for above in beside for folder in with_tests(above, root)}
    return sorted(str(folder) for folder in inside - used)


def mirrors(path: Path, root: Path) -> list[Path]:
    """Folders and modules of tests/unit with the tests of a changed path; a module is its own."""
    if path.suffix == ".md":
        return [*DOCUMENTS]
    if path.is_relative_to(UNIT):
        own = path.name.startswith("test_") and (root / path).is_file()
        return [path] if own else alone(nearest(path.parent, root), root)
    if path.parts[0] == "py":
        folder = Path(*path.parent.parts[1:])
        ours = UNIT / folder
        tests = alone([ours] if (root / ours).is_dir() else [], root) + compared(path, root)
        return tests or alone(nearest(ours, root), root)
    return [UNIT / "tools"] if path.parts[0] == "tools" else []


def compared(path: Path, root: Path) -> list[Path]:
    """The comparisons with Keras of a source; of one in py/nn itself those that import it."""
    folder = Path(*path.parent.parts[1:])
    if not folder.is_relative_to("nn"):
        return []
    twin = KERAS / folder.relative_to("nn")
    found = alone([twin] if (root / twin).is_dir() else [], root)
    if twin != KERAS:
        return found
    name = "nn" if path.stem == "__init__" else f"nn.{path.stem}"
    return [test for test in found if test.suffix == ".py" and name in imported(root / test)]


def imported(source: Path) -> set[str]:
    """Names of the modules that a source imports; of `from nn import x` both nn and nn.x."""
    names = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def alone(folders: Iterable[Path], root: Path) -> list[Path]:
    """The folders; instead of one with folders of tests inside, its own modules."""
    found: list[Path] = []
    for folder in folders:
        modules = sorted((root / folder).glob("test_*.py"))
        found += (
            [module.relative_to(root) for module in modules]
            if with_tests(folder, root)
            else [folder]
        )
    return found


def with_tests(folder: Path, root: Path) -> list[Path]:
    """Folders directly inside this one that have tests, at any depth."""
    inside = (path for path in (root / folder).iterdir() if path.is_dir())
    return [path.relative_to(root) for path in inside if any(path.rglob("test_*.py"))]


def nearest(folder: Path, root: Path) -> list[Path]:
    """The folder, or the nearest one above it that exists, but never all of tests/unit."""
    while not (root / folder).is_dir():
        folder = folder.parent
    return [folder] if len(folder.parts) > 2 else []


def changed() -> list[str]:
    """Paths that differ from where this branch left main, untracked ones too."""
    base = git("merge-base", "HEAD", "main") or ["HEAD"]
    return [
        *git("diff", "--name-only", base[0]),
        *git("ls-files", "--others", "--exclude-standard"),
    ]


def git(*arguments: str) -> list[str]:
    run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return run.stdout.split("\n")[:-1] if run.returncode == 0 else []


def main() -> None:
    start = time.monotonic()
    paths = changed()
    folders = mirrored(paths)
    stages = [check.LINTERS, {"figures of the structure": [sys.executable, "-m", "tools.house"]}]
    if folders:
        options = ["-n", "2", "-p", "no:cacheprovider"]
        check.say(f"what changed has its tests in {', '.join(folders)}")
        if others := left(paths):
            check.say(f"left for `make test`: {', '.join(others)}")
        stages.append({"tests of what changed": [*check.PYTEST, *options, *folders]})
    failed = [name for stage in stages for name in check.failures(stage)]
    if failed:
        raise SystemExit(f"check: failed: {', '.join(failed)}")
    check.say(f"all well, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
