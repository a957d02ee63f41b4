"""A bound on the time and memory that a test's code may take: what a hostile peer aims at."""

from __future__ import annotations

import contextlib
import faulthandler
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MEMORY = 3 * 2**29  # bytes more than the process has


class TooLong(BaseException):
    """The time is over; no `except Exception` catches it."""


@contextlib.contextmanager
def bounded(seconds: float = 4) -> Iterator[None]:
    """Raise TooLong after so many seconds, and MemoryError for what takes more than MEMORY."""

    def late(*_: Any) -> None:
        raise TooLong(f"took more than {seconds} s")

    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, late)
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, hard))
    faulthandler.dump_traceback_later(10 * seconds, exit=True)  # of C code, which no signal ends
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGALRM, before)
