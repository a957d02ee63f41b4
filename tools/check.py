"""Run every check and every test; the last line is pytest's.

Tests share the cores, but for those that measure time in a browser: these run one by one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

PYTEST = [str(BIN / "pytest"), "-q"]
BROWSER = [*PYTEST, "tests/conformance", "tests/browser"]
STEPS = {
    "ruff": [str(BIN / "ruff"), "check", "."],
    "mypy": [str(BIN / "mypy"), "py", "tools", "tests/support"],
    "import-linter": [str(BIN / "lint-imports")],
    "unit tests": [*PYTEST, "-n", "2", "tests/unit"],
    "conformance and browser tests": [*BROWSER, "-n", "2", "--dist", "loadfile", "-m", "not timed"],
    "timed browser tests": [*BROWSER, "-m", "timed"],
}


def main() -> None:
    failed = [name for name, command in STEPS.items() if not passes(name, command)]
    if failed:
        raise SystemExit(f"check: failed: {', '.join(failed)}")


def passes(name: str, command: list[str]) -> bool:
    say(f"{name} ...")
    start = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": "py", "PYTHONUNBUFFERED": "1"}
    status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    if status:
        say(f"{name}: exit status {status} after {time.monotonic() - start:.0f} s")
    return status == 0


def say(text: str) -> None:
    sys.stdout.write(f"check: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
