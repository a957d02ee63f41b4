"""Reports of a training run: the newest, and so many a second at most."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from nn.callbacks import Callback

INTERVAL = 1 / 12
"""Seconds at least between two reports of a training run."""


class Reporter(Callback):
    """Sends reports while a network is trained: the newest, and never two at once.

    Args:
        changes: returns the report on a network, or None when there is nothing new.
    """

    def __init__(self, changes: Callable[[Any], dict[str, Any] | None]) -> None:
        super().__init__()
        self._changes = changes
        self._followed: Any = None
        self._on_report: Callable[[dict[str, Any]], Any] | None = None
        self._sending: asyncio.Task[None] | None = None
        self._sent = 0.0

    def follow(self, model: Any, on_report: Callable[[dict[str, Any]], Any] | None) -> None:
        """Report on a network from now on; None ends it."""
        self._followed, self._on_report = model, on_report

    def tick(self) -> None:
        """Report, unless the last report is too fresh or still on its way."""
        waited = time.perf_counter() - self._sent >= INTERVAL
        if waited and self._sending is None:
            self._begin()

    def on_train_end(self, logs: Any = None) -> None:
        """Report the last weights, whenever the last report was."""
        self._begin()
        self.model = None

    async def sent(self) -> None:
        """Wait until the last report has arrived."""
        if self._sending is not None:
            await asyncio.wait([self._sending])

    def _begin(self) -> None:
        if self._on_report is not None and self.model is self._followed:
            self._sent = time.perf_counter()
            self._sending = asyncio.ensure_future(self._send(self._sending))

    async def _send(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await before
        try:
            on_report, report = self._on_report, self._changes(self._followed)
            if on_report is not None and report is not None:
                await on_report(report)
        finally:
            if self._sending is asyncio.current_task():
                self._sending = None
