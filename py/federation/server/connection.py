"""A connection of the gateway: uvicorn's by h11, which reads 64 KiB of a request's head at most
(by httptools it reads heads of any size), with an end to what comes, or is read, drop by drop or
not at all.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["Connection"]


class Connection(H11Protocol):
    """One connection; it is closed when no head of a request came in `seconds`, or when the rest of
    a body did not that was answered before, and cut when an answer, or 64 KiB of a longer one, was
    not read in `reading` seconds. Whoever answers limits how long a body may take.
    """

    seconds, reading = 30.0, 180.0
    _end: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        super().connection_lost(exc)
        self._forget()
        self._forget_unread()

    def pause_writing(self) -> None:
        """Begin to wait for the reader: the transport holds as much as it may."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.reading, self.transport.abort)

    def resume_writing(self) -> None:
        """Most of it was read."""
        super().resume_writing()
        self._forget_unread()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._wait()

    def _wait(self) -> None:
        self._forget()
        self._end = self.loop.call_later(self.seconds, self._look)

    def _look(self) -> None:
        if not self.cycle or self.cycle.response_complete:
            self.transport.close()  # once all is read
            self._end = self.loop.call_later(self.reading, self.transport.abort)

    def _forget_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()

    def _forget(self) -> None:
        if self._end is not None:
            self._end.cancel()
