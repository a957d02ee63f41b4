"""Processes of a browser: which run, and how long its pages' threads waited for a processor."""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")


def waited(ancestor: int) -> float:
    """Milliseconds that the main threads of a browser's pages were ready to run and did not.

    Linux counts them (Documentation/scheduler/sched-stats.rst, /proc/<pid>/schedstat); elsewhere 0:
    then whatever takes long counts as the page's own.

    Args:
        ancestor: process id of the driver that started the browser.
    """
    stats = [PROC / str(pid) / "schedstat" for pid in started(ancestor) if _is_page(pid)]
    return sum(int(stat.read_text().split()[1]) for stat in stats if stat.exists()) / 1e6


def started(ancestor: int) -> list[int]:
    """Process ids of what a process started, and of what that started."""
    pids = [int(path.name) for path in PROC.glob("[0-9]*")]
    parents = {pid: _parent(pid) for pid in pids}
    return [pid for pid in pids if ancestor in _line(pid, parents)]


def runs(pid: int) -> bool:
    """Whether a process has not ended; one whose status its parent has not read has ended too."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _parent(pid: int) -> int:
    try:
        return int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:  # it has ended meanwhile
        return 0


def _is_page(pid: int) -> bool:
    try:
        return b"--type=renderer" in (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False


def _line(pid: int, parents: dict[int, int]) -> list[int]:
    """Parent, parent's parent and so on."""
    found = []
    while pid := parents.get(pid, 0):
        found.append(pid)
    return found
