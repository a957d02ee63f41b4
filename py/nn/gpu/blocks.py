"""Blocks of steps that are under way on a device."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable

from nn.gpu.plan import SLOTS
from nn.gpu.samples import Item
from nn.types import Array

AT_ONCE = 2
"""Blocks that are under way at most."""
LONGEST = 0.05
"""Seconds that a block may take: browsers and drivers end longer work."""


class Block:
    """Steps that are started together.

    Attributes:
        results: a future of their results, or None: the device does not take them.
    """

    def __init__(self, items: list[Item]) -> None:
        self.items = items
        self.results: asyncio.Future[Array] | None = None
        self.started = 0.0

    def start(self, results: Awaitable[Array]) -> None:
        self.started = time.perf_counter()
        self.results = asyncio.ensure_future(results)
        self.results.add_done_callback(_seen)


def _seen(task: asyncio.Future[Array]) -> None:
    """See an error, which a block before this one raised too."""
    if not task.cancelled():
        task.exception()


class Pace:
    """How many steps the next block has: they grow to half of the longest time that it may take."""

    def __init__(self) -> None:
        self.steps = 1

    def follow(self, block: Block) -> None:
        """Adapt to the time that a block took."""
        took = (time.perf_counter() - block.started) / AT_ONCE
        if took < LONGEST / 2:
            self.steps = min(SLOTS, 2 * self.steps)
        elif took > LONGEST:
            self.steps = max(1, self.steps // 2)
