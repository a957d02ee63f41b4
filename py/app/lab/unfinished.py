"""Checkpoints of a run: a reload, a crash or a closed tab loses nothing but the last seconds.

A checkpoint is saved after an epoch, every `PERIOD` seconds of a long one, and at the end, until
the network is saved as a model. Of short epochs not each has one: saving takes a tenth of a run's
time at most. It has the weights, the optimizer's state, every random generator and the place in the
run (`nn.training`), so the run continues from that batch exactly as if it had not been interrupted.

Two tabs may train at the same time. A checkpoint names the lock that its worker holds while it
lives; a checkpoint whose lock is free belongs to a run that was cut short.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Coroutine
from typing import Any
from weakref import WeakKeyDictionary

import js
import nn
import numpy as np
from farcall import workers
from nn.callbacks import Callback

from app.lab.browser import indexed_db
from app.lab.training import Training

KEPT = 3  # checkpoints of runs that are over; the newest
PERIOD = 10.0  # seconds: what a crash may cost
# Of what the last checkpoint took, between two: 0.16 s in Chromium, of a network of one dense layer
# that learned 20 epochs of nine pictures in 4 s when each epoch had one, and learns them in 1.3.
SPARING = 9


def _name() -> str:
    return workers.host.lock if workers.host is not None else "run"


class Checkpoints(Callback):
    """Saves the model during training and when the run ends, by itself or by Stop.

    Args:
        about: what the page needs in order to continue the run, as JSON can hold it.
        rows: the epochs that are done already, as the page lists them.
        refused: called once with the reason if the browser stores nothing; the run goes on.
        rate: returns the learning rate that is set, which may change during a run.
        kept: name of the checkpoint that each model has; a run's takes the place of that.
    """

    comes_last = True  # a checkpoint includes what the other callbacks remember of its batch

    def __init__(
        self,
        about: dict[str, Any],
        rows: list[Any],
        refused: Callable[[str], Any],
        rate: Callable[[], float],
        kept: WeakKeyDictionary[Any, str],
    ) -> None:
        super().__init__()
        self.rate = rate
        self.about = about
        self.rows = list(rows)
        self.kept = kept
        self.refused = refused
        self._works = True
        self._last = self._began = time.monotonic()
        self._took = 0.0  # seconds, the last checkpoint

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
        if self._works and time.monotonic() - self._last >= min(SPARING * self._took, PERIOD):
            await self._save(0)

    async def on_train_end(self, logs: Any = None) -> None:
        if not self._works or not (self.model.epoch_finished or self.model.stop_training):
            return  # what was saved stays if an error ended the run
        if all(np.isfinite(tensor).all() for tensor in self.model.get_weights()):
            await self._save(0, finished=True)
            return
        try:
            await _forget(_name())
        except indexed_db.StorageError as error:
            self._refuse(error)

    async def _save(self, batch: int, finished: bool = False) -> None:
        """Save the model after so many batches of an epoch, or of a run that has ended."""
        began = time.monotonic()
        about = dict(self.about, rows=self.rows, batch=batch, exact=True, rate=self.rate())
        text = json.dumps(about | {"finished": finished})
        words = {"saved": indexed_db.now(), "lock": _name(), "text": text}
        former = self.kept.get(self.model, _name())
        try:
            await indexed_db.put(_name(), nn.io.save(self.model), words, indexed_db.CHECKPOINTS)
            if former != _name():
                await _forget(former)
        except (indexed_db.StorageError, MemoryError) as error:
            self._refuse(error)
            return
        _drop(self.kept, _name())
        self.kept[self.model] = _name()
        self._last = time.monotonic()
        self._took = self._last - began

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
        self._kept: WeakKeyDictionary[Any, str] = WeakKeyDictionary()

    def checkpoints(
        self,
        about: dict[str, Any],
        rows: list[Any],
        refused: Callable[[str], Any],
    ) -> Checkpoints:
        """Return the callback that saves a run's network; see Checkpoints for the arguments."""
        return Checkpoints(about, rows, refused, lambda: self._training.rate, self._kept)

    async def listing(self) -> list[dict[str, Any]]:
        """Return what is known of the KEPT last runs of earlier pages; delete older ones.

        `about` of each one's Checkpoints, and rows, batch (of the epoch), rate (None if unknown),
        exact (whether it continues at that very batch), finished (whether it had ended), name,
        saved. The newest is the first.
        """
        held = await _held()
        left = [
            row
            for row in await indexed_db.listing(indexed_db.CHECKPOINTS)
            if row.get("lock") not in held
        ]
        for row in left[KEPT:]:
            await self.forget(row["name"])
        return [_known(row) for row in left[:KEPT]]

    async def take(self, name: str) -> Any:
        """Return the model of a checkpoint, with its optimizer, ready to continue."""
        content, _ = await indexed_db.get(name, indexed_db.CHECKPOINTS)
        model = nn.io.load(content)
        self._training.adopt(model)
        self._kept[model] = name
        return model

    async def forget(self, name: str) -> None:
        """Delete a checkpoint."""
        _drop(self._kept, name)
        await _forget(name)

    async def saved(self, model: Any) -> None:
        """Delete the checkpoint of a network that was saved as a model."""
        if model in self._kept:
            await self.forget(self._kept[model])


def _known(row: dict[str, Any]) -> dict[str, Any]:
    about: dict[str, Any] = json.loads(row["text"])
    # Checkpoints of former versions of the page have a mean accuracy in place of `exact`, or know
    # no place in an epoch: then the epoch is repeated. They are deleted when their run ends.
    about["exact"] = "exact" in about or "mean" in about
    if not about["exact"]:
        about |= {"batch": 0, "rate": None}
    return {"finished": False, **about, "name": row["name"], "saved": row["saved"]}


def _drop(kept: WeakKeyDictionary[Any, str], name: str) -> None:
    """Forget whose checkpoint has this name."""
    for model in [model for model, found in kept.items() if found == name]:
        del kept[model]


async def _held() -> set[str]:
    """Return the names of the locks that are held; none where the browser has no locks."""
    if not getattr(js.navigator, "locks", None):
        return set()
    found = await js.navigator.locks.query()
    return {lock.name for lock in found.held}


async def _forget(name: str) -> None:
    await indexed_db.delete(name, indexed_db.CHECKPOINTS)
