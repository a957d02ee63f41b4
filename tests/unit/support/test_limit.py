"""Time limits that grow with what the machine grants."""

import multiprocessing
import os
import re
from pathlib import Path

import pytest

from tests.support.limit import MOST, Limit, granted, slowness


def test_a_limit_ends_on_a_machine_that_is_as_fast_as_before() -> None:
    limit = Limit(0.0, measure=lambda: 1.0)
    assert limit.over()


def test_a_limit_that_runs_out_grows_with_a_machine_that_became_slower() -> None:
    limit = Limit(0.001, measure=lambda: 1e6)
    while limit.granted < 1000:
        assert not limit.over()
    assert limit.granted == pytest.approx(1000)
    assert limit.left() > 900


def test_a_limit_never_shrinks() -> None:
    limit = Limit(100.0)
    before = limit.granted
    assert before >= 100
    slowness()
    assert limit.left() <= limit.granted == before


def _spin() -> None:
    while True:
        pass


def test_a_machine_that_serves_others_counts_as_slow() -> None:
    """Six busy processes a core: each gets a seventh of it."""
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_spin, daemon=True) for _ in range(6 * (os.cpu_count() or 1))]
    for other in others:
        other.start()
    try:
        tries = 0
        while (seen := slowness()) <= 1.5 and tries < 20:  # the processes take a while to start
            tries += 1
    finally:
        for other in others:
            other.kill()
    assert 1.5 < seen <= MOST
    assert granted(10) >= 10 * seen


def test_every_process_gives_a_test_the_same_time_out() -> None:
    """pytest-xdist wants one order of tests; what the machine grants is measured by each process,
    and multiplies a time-out when it is set."""
    tests = Path(__file__).resolve().parents[2]
    given = re.compile(r"mark\.timeout\((?!\d+\))")
    assert [path.name for path in tests.rglob("test_*.py") if given.search(path.read_text())] == []
