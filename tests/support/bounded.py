"""A bound on the time and memory that a test's code may take: what a hostile peer aims at."""

from __future__ import annotations

import contextlib
import faulthandler
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.limit import granted

MEMORY = 3 * 2**29  # bytes more than the process has


class TooLong(BaseException):
    """The time is over; no `except Exception` catches it."""


@contextlib.contextmanager
def bounded(seconds: float = 4) -> Iterator[None]:
    """Raise TooLong after so many seconds of processor time, which other programs do not lengthen,
    and MemoryError for what takes more than MEMORY."""

    def late(*_: Any) -> None:
        raise TooLong(f"took more than {seconds} s of processor time")

    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGPROF, late)
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, hard))
    # Of C code, which no signal ends.
    faulthandler.dump_traceback_later(granted(10 * seconds), exit=True)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGPROF, before)
