"""Seconds that the tests of each module took, as a pytest plugin that writes them to a file."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

# tools/check.py names a file in this variable of the environment.
VARIABLE = "FARCALL_TEST_SECONDS"


class Seconds:
    """Sums the reports of one pytest, its workers' included.

    Args:
        target: where to write {module: [tests, seconds]} as JSON.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.tests: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        module = report.nodeid.split("::")[0]
        self.tests[module] += report.when == "call"
        self.seconds[module] += report.duration  # type: ignore[assignment]

    def pytest_sessionfinish(self) -> None:
        rows = {name: [self.tests[name], self.seconds[name]] for name in self.seconds}
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self.target.write_text(json.dumps(rows))
