"""Teams in one process: members are threads that compute in turn, or tasks of one event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import nn

from tests.support.limit import granted

PATIENCE = 20.0
"""Seconds after which a member that waits for another gives up, on a quiet machine."""


class Meeting:
    """Where the arrays of all members meet."""

    def __init__(self, size: int) -> None:
        self.arrays: list[Any] = [None] * size
        self.total: Any = None
        self.barrier = threading.Barrier(size, action=self._sum)
        # One computes at a time: kernels share a workspace, and the process one recording.
        self.turn = threading.Lock()
        self.sizes: list[int] = []
        self.waiting: list[asyncio.Future[None]] = []

    def _sum(self) -> None:
        """Sum in the order of ranks."""
        first, *others = self.arrays
        self.total = first.copy()
        for other in others:
            assert (other.shape, other.dtype) == (first.shape, first.dtype)
            self.total += other
        self.sizes.append(first.size)


class Threads:
    """A group whose members are threads."""

    def __init__(self, rank: int, size: int, meeting: Meeting) -> None:
        self.rank, self.size, self.meeting = rank, size, meeting

    def all_reduce(self, array: Any) -> None:
        """Wait for the others."""
        meeting = self.meeting
        meeting.arrays[self.rank] = array
        meeting.turn.release()
        try:
            meeting.barrier.wait(granted(PATIENCE))
        finally:
            meeting.turn.acquire()
        array[...] = meeting.total


class Tasks(Threads):
    """A group whose members are tasks: its sums must be awaited."""

    async def all_reduce(self, array: Any) -> None:  # type: ignore[override]
        """Await the others."""
        meeting = self.meeting
        meeting.arrays[self.rank] = array
        here = asyncio.get_running_loop().create_future()
        meeting.waiting.append(here)
        if len(meeting.waiting) == self.size:
            meeting._sum()
            for waiter in meeting.waiting:
                waiter.set_result(None)
            meeting.waiting = []
        await here
        array[...] = meeting.total


def together(size: int, train: Callable[[Any], Any], kind: type[Threads] = Threads) -> list[Any]:
    """Return what `train(group)`, a coroutine, returns on each of `size` members."""
    meeting = Meeting(size)
    if kind is Tasks:

        async def all_members() -> list[Any]:
            members = [train(Tasks(rank, size, meeting)) for rank in range(size)]
            return await asyncio.gather(*members)

        return asyncio.run(all_members())
    found: list[Any] = [None] * size
    errors: list[BaseException] = []

    def member(rank: int) -> None:
        with meeting.turn:
            try:
                found[rank] = asyncio.run(train(kind(rank, size, meeting)))
            except BaseException as error:
                errors.append(error)
                meeting.barrier.abort()

    threads = [threading.Thread(target=member, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = [e for e in errors if not isinstance(e, threading.BrokenBarrierError)]
    if errors:
        raise (first or errors)[0]
    return found


def distributed(group: Any, build: Callable[[], nn.Model], **options: Any) -> nn.Model:
    """Return a model that is compiled for a group; None is one worker without distribution."""
    value = None if group is None else nn.distribution.DataParallel(group, **options)
    nn.distribution.set_distribution(value)
    try:
        return build()
    finally:
        nn.distribution.set_distribution(None)
