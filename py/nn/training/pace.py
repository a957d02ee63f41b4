"""How fast a run of training is."""

from __future__ import annotations

import time


class Pace:
    """Samples per second, smoothed over about ten batches; pauses do not count."""

    def __init__(self) -> None:
        self.rate = 0.0
        self._pace = 0.0
        self._last = time.perf_counter()

    def tick(self, size: int) -> None:
        now = time.perf_counter()
        pace = (now - self._last) / size
        self._last = now
        self._pace = pace if not self._pace else 0.9 * self._pace + 0.1 * pace
        self.rate = 1 / self._pace if self._pace else 0.0

    def restart(self) -> None:
        self._last = time.perf_counter()
