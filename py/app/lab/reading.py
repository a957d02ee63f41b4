"""How far the reading of pictures is, which the page shows and may end."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from app.lab.images.import_data import OwnDataError

SECOND = 1.0  # between two reports: a screen reader speaks each


class Reading:
    """Tells whoever follows how many pictures are read.

    Args:
        clock: returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._on_read: Callable[[int, int], Awaitable[bool]] | None = None
        self._told = 0.0

    def follow(self, on_read: Callable[[int, int], Awaitable[bool]]) -> None:
        """Call `await on_read(done, count)` from now on; it returns whether to go on."""
        self._on_read = on_read

    async def tell(self, done: int, count: int) -> None:
        """Report the first and the last picture, and in between one a second.

        Raises:
            OwnDataError: whoever follows does not want the rest.
        """
        now = self._clock()
        if self._on_read is None or (0 < done < count and now - self._told < SECOND):
            return
        self._told = now
        if not await self._on_read(done, count):
            raise OwnDataError(f"stopped after {done} of {count} pictures")
