"""States of a training run: idle, training, paused, stopping."""

from __future__ import annotations

import asyncio
import time

from nn.errors import BusyError

GIVE_WAY = 0.008
"""Seconds after which the event loop has a turn between two batches: half a frame of a page.

In a worker a turn takes 0.1 ms, and 0.4 between two batches, which have emptied the caches.
"""

IDLE, TRAINING, PAUSED, STOPPING = "idle", "training", "paused", "stopping"


class Progress:
    """The state of a run: IDLE -> TRAINING <-> PAUSED -> STOPPING -> IDLE.

    Attributes:
        epoch_finished: whether the latest epoch ran all its batches; False while it runs and
            after `stop` ended it early.
    """

    def __init__(self) -> None:
        self.epoch_finished = False
        self.running = False
        self.stopping = False
        self._go: asyncio.Event | None = None
        self._due = 0  # batches that a paused run may still train
        self._gave_way = 0.0  # when the event loop had its latest turn
        self._predicted = 0.0  # seconds of predictions since it had one
        self._since = 0.0  # when the latest of them were counted

    @property
    def state(self) -> str:
        if not self.running:
            return IDLE
        if self.stopping:
            return STOPPING
        return PAUSED if self._go is not None else TRAINING

    def start(self, model: str) -> None:
        """Change to TRAINING.

        Raises:
            BusyError: another run is in progress.
        """
        if self.running:
            raise BusyError(f"{model}: a fit is under way; stop() it first")
        self.running, self.stopping, self._go = True, False, None

    def begin_epoch(self) -> None:
        """Note that an epoch runs; after its first batch the event loop has a turn."""
        self.epoch_finished, self._gave_way = False, 0.0

    def finish(self) -> None:
        """Change to IDLE."""
        self.running, self.stopping, self._go = False, False, None

    def stop(self) -> None:
        """End the run after the current batch."""
        self.stopping = self.running
        self.resume()

    def pause(self) -> None:
        """Pause the run after the current batch."""
        if self.running and self._go is None:
            self._go, self._due = asyncio.Event(), 0

    def advance(self) -> None:
        """Let a paused run train one more batch, after which it is paused as before."""
        if self._go is not None:
            self._due += 1
            self._go.set()

    def resume(self) -> None:
        """Continue a paused run."""
        if self._go is not None:
            self._go.set()
            self._go = None

    def begin_predictions(self) -> None:
        """Note that predictions begin: `give_way` counts their time from here on."""
        self._since = time.perf_counter()

    async def give_way(self) -> None:
        """Yield to the event loop after 8 ms of predictions, of several calls too: one image alone
        waits for no turn, and a loop over images lets others in."""
        now = time.perf_counter()
        self._predicted += now - self._since
        self._since = now
        if self._predicted >= GIVE_WAY:
            await asyncio.sleep(0)
            self._predicted, self._since = 0.0, time.perf_counter()

    async def gate(self, every: float = GIVE_WAY) -> bool:
        """Yield to the event loop now and then, wait while paused; returns whether to continue.

        Args:
            every: seconds after which the event loop must have a turn.
        """
        if time.perf_counter() - self._gave_way >= every:
            await asyncio.sleep(0)
            self._gave_way = time.perf_counter()
        while self._go is not None:
            if self._due:
                self._due -= 1
                break
            self._go.clear()
            await self._go.wait()
        return not self.stopping
