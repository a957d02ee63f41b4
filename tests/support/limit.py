"""Time limits that grow with what the machine grants."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

LOOPS = 2_000_000
USUAL = 0.1  # seconds for so many loops where two cores are quiet: 0.07 s measured
MOST = 15.0  # a limit must end all the same
# Chromium slows its pages' main threads so many times: what a test does not wait for shows.
SLOWED = float(os.environ.get("FARCALL_TEST_SLOWED", "1"))

_known: list[float] = []


def slowness() -> float:
    """Measure how many times longer than usual a fixed piece of work takes now, at least 1.

    The clock on the wall counts, so a slow processor and one that serves others are the same.
    """
    began = time.monotonic()
    total = 0
    for number in range(LOOPS):
        total += number & 7
    _known.append(min(MOST, max(1.0, SLOWED * (time.monotonic() - began) / USUAL)))
    return _known[-1]


def granted(seconds: float) -> float:
    """Scale seconds of a quiet machine by the slowest measurement so far."""
    if not _known:
        slowness()
    return seconds * max(_known)


class Limit:
    """A limit in seconds that begins now.

    Args:
        seconds: what suffices on a quiet machine.
        measure: gives how many times slower this machine is.
    """

    def __init__(self, seconds: float, measure: Callable[[], float] = slowness) -> None:
        self.seconds = seconds
        self.granted = granted(seconds)
        self._measure = measure
        self._began = time.monotonic()

    def left(self) -> float:
        """Return the seconds left; where none are, measure the machine again and grant more."""
        rest = self._rest()
        if rest <= 0:
            self.granted = max(self.granted, self.seconds * self._measure())
            rest = self._rest()
        return rest

    def over(self) -> bool:
        """Whether the time is over, however slow the machine has become meanwhile."""
        return self.left() <= 0

    @property
    def waited(self) -> float:
        """Seconds since the limit began."""
        return time.monotonic() - self._began

    def _rest(self) -> float:
        return self.granted - self.waited
