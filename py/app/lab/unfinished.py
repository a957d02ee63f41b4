"""Checkpoints of a run: a reload, a crash or a closed tab loses nothing but the last seconds.

A checkpoint is saved after every epoch, and every `PERIOD` seconds of a long one. It has the
weights, the optimizer's state, every random generator and the place in the run (`nn.training`), so
the run continues from that batch exactly as if it had not been interrupted.

Two tabs may train at the same time. A checkpoint names the lock that its worker holds while it
lives; a checkpoint whose lock is free belongs to a run that was cut short.
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

from app.lab.browser import indexed_db
from app.lab.training import Training

PERIOD = 10.0  # seconds: what a crash may cost; a checkpoint of the largest preset takes 0.05


def _name() -> str:
    return workers.host.lock if workers.host is not None else "run"


class Checkpoints(Callback):
    """Saves the model during training; deletes it when the run ends, by itself or by Stop.

    Args:
        about: what the page needs in order to continue the run, as JSON can hold it.
        rows: the epochs that are done already, as the page lists them.
        refused: called once with the reason if the browser stores nothing; the run goes on.
        rate: returns the learning rate that is set, which may change during a run.
        replaces: name of the checkpoint that this run continues from.
    """

    comes_last = True  # a checkpoint includes what the other callbacks remember of its batch

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
        """Save the model when the last checkpoint is PERIOD old."""
        if not self._works or time.monotonic() - self._last < PERIOD:
            return None
        return self._save(batch + 1)

    async def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not self.model.epoch_finished:
            return  # cut short by Stop or by a loss that is not a number
        row = {name: float(value) for name, value in (logs or {}).items()}
        self.rows.append(row | {"epoch": epoch + 1, "seconds": time.monotonic() - self._began})
        if self._works:
            await self._save(0)

    async def on_train_end(self, logs: Any = None) -> None:
        if not self._works or not (self.model.epoch_finished or self.model.stop_training):
            return  # what was saved stays if an error ended the run
        try:
            await _forget(_name())
            await self._forget_former()
        except indexed_db.StorageError as error:  # stopped before the first one was saved
            self._refuse(error)

    async def _forget_former(self) -> None:
        if self.replaces is not None:
            await _forget(self.replaces)
            self.replaces = None

    async def _save(self, batch: int) -> None:
        """Save the model after so many batches of an epoch."""
        self._last = time.monotonic()
        about = dict(self.about, rows=self.rows, batch=batch, exact=True, rate=self.rate())
        words = {"saved": indexed_db.now(), "lock": _name(), "text": json.dumps(about)}
        try:
            await indexed_db.put(_name(), nn.io.save(self.model), words, indexed_db.CHECKPOINTS)
            await self._forget_former()
        except (indexed_db.StorageError, MemoryError) as error:
            self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        self._works = False
        self.refused(str(error))


class Unfinished:
    """Served as `lab.unfinished`.

    Args:
        training: gets the optimizer of a model from a checkpoint, and has the learning rate.
    """

    def __init__(self, training: Training) -> None:
        self._training = training

    def checkpoints(
        self,
        about: dict[str, Any],
        rows: list[Any],
        refused: Callable[[str], Any],
        replaces: str | None = None,
    ) -> Checkpoints:
        """Return the callback that saves a run's network; see Checkpoints for the arguments."""
        return Checkpoints(about, rows, refused, lambda: self._training.rate, replaces)

    async def find(self) -> dict[str, Any] | None:
        """Return what is known of the run that was cut short last, or None; delete older ones.

        `about` of its Checkpoints, and rows, batch (of the epoch), rate (None if unknown), exact
        (whether it continues at that very batch), name, saved.
        """
        held = await _held()
        left = [
            row
            for row in await indexed_db.listing(indexed_db.CHECKPOINTS)
            if row.get("lock") not in held
        ]
        for row in left[1:]:
            await self.forget(row["name"])
        if not left:
            return None
        about: dict[str, Any] = json.loads(left[0]["text"])
        # Checkpoints of former versions of the page have a mean accuracy in place of `exact`, or
        # know no place in an epoch: then the epoch is repeated.
        about["exact"] = "exact" in about or "mean" in about
        if not about["exact"]:
            about |= {"batch": 0, "rate": None}
        return dict(about, name=left[0]["name"], saved=left[0]["saved"])

    async def take(self, name: str) -> Any:
        """Return the model of a checkpoint, with its optimizer, ready to continue."""
        content, _ = await indexed_db.get(name, indexed_db.CHECKPOINTS)
        model = nn.io.load(content)
        self._training.adopt(model)
        return model

    async def forget(self, name: str) -> None:
        """Delete a checkpoint."""
        await _forget(name)


async def _held() -> set[str]:
    """Return the names of the locks that are held; none where the browser has no locks."""
    if not getattr(js.navigator, "locks", None):
        return set()
    found = await js.navigator.locks.query()
    return {lock.name for lock in found.held}


async def _forget(name: str) -> None:
    await indexed_db.delete(name, indexed_db.CHECKPOINTS)
