"""A run's network, kept while it learns: what a reload, a crash or a closed tab cannot take away.

A checkpoint is written after every epoch, and every `PERIOD` seconds of a long one. It has the
weights, the optimizer's state, every generator and the place in the run (`nn.training.run_state`),
so that the run goes on from that batch as if nothing had happened, to the bit.

Two tabs may train at once. A checkpoint names the lock that its worker holds for life, and only
one whose lock nobody holds belongs to a run that was cut short.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Coroutine
from typing import Any

import js
import nn
from farcall import workers
from nn.callbacks import Callback

from app.lab import indexed_db

PERIOD = 10.0  # seconds: what a crash may cost; a checkpoint of the largest preset takes 0.05


def _name() -> str:
    return workers.host.lock if workers.host is not None else "run"


class Checkpoints(Callback):
    """Keeps the model in training; forgets it when the run ends by itself or by Stop.

    Args:
        about: what the page wants to know when it goes on: JSON-ready.
        rows: the epochs that are done already, as the page lists them.
        refused: called once with the reason when the browser stores nothing; the run goes on.
        rate: tells the learning rate that is set, which may change in a run.
        replaces: name of the checkpoint that this run goes on from.
    """

    comes_last = True  # what the others remember of a batch belongs into its checkpoint

    def __init__(
        self,
        about: dict[str, Any],
        rows: list[Any],
        refused: Callable[[str], Any],
        rate: Callable[[], float],
        replaces: str | None = None,
    ) -> None:
        super().__init__()
        self.rate = rate
        self.about = about
        self.rows = list(rows)
        self.replaces = replaces
        self.refused = refused
        self._works = True
        self._last = self._began = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._began = time.monotonic()

    def on_batch_end(self, batch: int, logs: Any = None) -> Coroutine[Any, Any, None] | None:
        """Keep the model when the last time is PERIOD ago; nothing to wait for otherwise."""
        if not self._works or time.monotonic() - self._last < PERIOD:
            return None
        return self._keep(batch + 1, float((logs or {}).get("accuracy", 0.0)))

    async def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.model.progress.stopping and "val_loss" not in (logs or {}):
            return  # cut short by Stop
        row = {name: float(value) for name, value in (logs or {}).items()}
        self.rows.append(row | {"epoch": epoch + 1, "seconds": time.monotonic() - self._began})
        if self._works:
            await self._keep(0)

    async def on_train_end(self, logs: Any = None) -> None:
        if not self._works:
            return
        try:
            await forget(_name())
            await self._forget_former()
        except indexed_db.StorageError as error:  # stopped before the first one was to be kept
            self._refuse(error)

    async def _forget_former(self) -> None:
        if self.replaces is not None:
            await forget(self.replaces)
            self.replaces = None

    async def _keep(self, batch: int, accuracy: float = 0.0) -> None:
        """Keep the model after so many batches of an epoch, whose mean accuracy is known."""
        self._last = time.monotonic()
        about = dict(self.about, rows=self.rows, batch=batch, mean=accuracy, rate=self.rate())
        words = {"saved": indexed_db.now(), "lock": _name(), "text": json.dumps(about)}
        try:
            await indexed_db.put(_name(), nn.io.save(self.model), words, indexed_db.CHECKPOINTS)
            await self._forget_former()
        except (indexed_db.StorageError, MemoryError) as error:
            self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        self._works = False
        self.refused(str(error))


async def _held() -> set[str]:
    """Names of the locks that somebody holds; none where the browser has no locks."""
    if not getattr(js.navigator, "locks", None):
        return set()
    found = await js.navigator.locks.query()
    return {lock.name for lock in found.held}


async def unfinished() -> dict[str, Any] | None:
    """What is known of the run that was cut short last, or None; older ones are forgotten."""
    held = await _held()
    left = [
        row
        for row in await indexed_db.listing(indexed_db.CHECKPOINTS)
        if row.get("lock") not in held
    ]
    for row in left[1:]:
        await forget(row["name"])
    if not left:
        return None
    about: dict[str, Any] = json.loads(left[0]["text"])
    about["exact"] = "mean" in about
    if not about["exact"]:  # of a page that knew no place in an epoch: that epoch begins anew
        about |= {"batch": 0, "mean": 0.0, "rate": None}
    return dict(about, name=left[0]["name"], saved=left[0]["saved"])


async def take(name: str) -> Any:
    """The model of a checkpoint, ready to go on."""
    octets, _ = await indexed_db.get(name, indexed_db.CHECKPOINTS)
    return nn.io.load(octets)


async def forget(name: str) -> None:
    await indexed_db.delete(name, indexed_db.CHECKPOINTS)
