"""How `make soak ONLY=team` shares its time."""

import time

import pytest

from tests.soak.teams import halves


def test_the_second_part_ends_with_the_minutes_however_long_the_first_took() -> None:
    ends = []

    def part(until: float) -> bool:
        ends.append(until)
        while time.monotonic() < until:
            pass
        return True

    assert halves(0.002, part, part)
    assert ends[1] - ends[0] == pytest.approx(0.06, abs=1e-6)
