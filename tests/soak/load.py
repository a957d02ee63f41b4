"""Every check and every test beside busy processes: a slow machine must not fail one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tools.check import ROOT

PROCESSES = 6


@contextmanager
def busy(count: int = PROCESSES) -> Iterator[None]:
    """Keep so many processes computing meanwhile."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def check(minutes: float) -> bool:
    """Run `python -m tools.check` beside them; whether it passed within so many minutes."""
    with busy():
        process = subprocess.Popen(
            [sys.executable, "-m", "tools.check"], cwd=ROOT, start_new_session=True
        )
        try:
            return process.wait(minutes * 60) == 0
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 15)
            return False


def left_out() -> bool:
    """Run the tests that are marked `soak`; whether they passed."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "soak"]
    return subprocess.run(command, cwd=ROOT).returncode == 0
