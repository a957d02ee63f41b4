"""`make check`: every linter, the structure's figures, and the unit tests of what changed.

The linters run side by side; `tools.check` runs them too, before all tests. Changed is what git
sees since the branch left main, and what is not committed yet; the tests are those of the folders
that mirror a changed one: py/nn/optimizers/base.py has them in tests/unit/nn/optimizers and, where
Keras is the reference, in tests/unit/nn/against_keras/optimizers; a document has them in
tests/unit/documents.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from tools import check

ROOT = check.ROOT
UNIT = Path("tests/unit")
DOCUMENTS = (UNIT / "documents", UNIT / "tools" / "test_words.py")


def mirrored(changed: Iterable[str], root: Path = ROOT) -> list[str]:
    """Folders and files of tests/unit for these changed paths, none inside another."""
    found = {tests for path in changed for tests in mirrors(Path(path), root)}
    return sorted(str(path) for path in found if not found.intersection(path.parents))


def mirrors(path: Path, root: Path) -> list[Path]:
    """Folders of tests/unit with the tests of a changed path; a test module is its own."""
    if path.suffix == ".md":
        return [*DOCUMENTS]
    if path.is_relative_to(UNIT):
        own = path.name.startswith("test_") and (root / path).is_file()
        return [path] if own else nearest(path.parent, root)
    if path.parts[0] == "py":
        folder = Path(*path.parent.parts[1:])
        twins = [UNIT / folder, UNIT / "nn" / "against_keras" / folder.relative_to(folder.parts[0])]
        alike = twins if folder.parts[0] == "nn" else twins[:1]
        return [twin for twin in alike if (root / twin).is_dir()] or nearest(twins[0], root)
    return [UNIT / "tools"] if path.parts[0] == "tools" else []


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
    folders = mirrored(changed())
    stages = [check.LINTERS, {"figures of the structure": [sys.executable, "-m", "tools.house"]}]
    if folders:
        options = ["-n", "2", "-p", "no:cacheprovider"]
        check.say(f"what changed has its tests in {', '.join(folders)}")
        stages.append({"tests of what changed": [*check.PYTEST, *options, *folders]})
    failed = [name for stage in stages for name in check.failures(stage)]
    if failed:
        raise SystemExit(f"check: failed: {', '.join(failed)}")
    check.say(f"all well, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
