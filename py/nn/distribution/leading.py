"""A team whose leader alone runs `fit`: it tells the others what to compute, batch by batch.

The group has three methods more: `send(rank, message)`, `receive()` and `form()`. The leader draws
the batches, and each member is sent its rows; callbacks, validation, stop and pause are the
leader's alone. A member that is lost leaves the batch to those who remain.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np

from nn import io
from nn.data.source import Batch, each
from nn.distribution.data_parallel import Alone, DataParallel, initialize
from nn.distribution.rows import share
from nn.distribution.training import TeamTraining
from nn.training.step import distribution, set_distribution
from nn.types import Array
from nn.variables import writes

_following: set[asyncio.Task[None]] = set()


def join(group: Any) -> None:
    """Take the place in a team that `group` gives: the first member leads, others follow it."""
    initialize(group)
    if group.rank:
        task = asyncio.ensure_future(follow(group))
        _following.add(task)
        task.add_done_callback(_following.discard)


class LedTraining(TeamTraining):
    """The leader's half: see the module."""

    async def begin(self) -> None:
        """Send the model to the others; where it can't be sent, train alone."""
        try:
            model = io.save(self.model)
        except Exception as error:
            self.training.distribution = DataParallel(Alone(f"{type(error).__name__}: {error}"))
            self.training.prepare_again()
            self.group = self.training.distribution.group
            return
        settings = self.training.distribution
        self._tell({"model": model, "shards": settings.shards, "whole": settings.synchronized})

    def _tell(self, message: Any) -> None:
        for rank in range(1, self.group.size):
            self.group.send(rank, message)

    async def batches(
        self, rng: np.random.Generator | None, skip: int, before: int
    ) -> AsyncIterator[Batch]:
        """As `TeamTraining`; every epoch begins with the leader's weights for all."""
        written = -1
        async for batch in each(self.source.batches(rng, skip, before)):
            self._loss = await self._step(batch, writes() != written)
            written = writes()  # a callback may write the weights
            yield batch

    async def _step(self, batch: Batch, equal: bool) -> float:
        """Train on a batch with all members; with `equal`, after making them equal."""
        program, group = self.training.program, self.group
        while True:
            try:
                if equal and group.size > 1:
                    self._tell({"equal": True})
                    await super().begin()
                self._send_rows(batch)
                return float(await program.step_once(batch))
            except ConnectionError:
                program.cancel()
                if group.size == 1:
                    raise
                group.form()
                equal = True

    def _send_rows(self, batch: Batch) -> None:
        inputs, targets, weights, size = batch
        group, places = self.group, self.training.program.places_for(self.group.size)
        rate = self.training.optimizer.learning_rate
        for rank in range(1, group.size):
            own = range(*share(rank, group.size, places))
            start, _ = share(own[0], places, size)
            _, stop = share(own[-1], places, size)
            start = min(start, size - 1)
            rows = slice(start, max(stop, start + 1))
            group.send(
                rank,
                {
                    "rate": None if callable(rate) else float(rate),
                    "first": start,
                    "size": size,
                    "inputs": [np.ascontiguousarray(x[rows]) for x in inputs],
                    "row": [np.ascontiguousarray(x[:1]) for x in inputs],
                    "targets": targets,
                    "weights": weights,
                },
            )

    async def gate(self) -> bool:
        """Yield to the event loop, wait while paused, and return whether to continue."""
        return bool(await self.model.progress.gate())

    async def agree(self) -> None:
        """The leader's wish is enough."""

    def close(self) -> None:
        """Let the others wait for the next `fit`."""
        self._tell({"end": True})


async def follow(group: Any) -> None:
    """Do what the leader says until it is gone."""
    member: _Follower | None = None
    while True:
        try:
            message = await group.receive()
        except ConnectionError:
            return
        if "model" in message:
            member = _Follower(group, message)
        elif "end" in message:
            member = None
        elif member is not None:
            await member.take(message)


class _Follower:
    """A member that follows: the leader's model, and steps on the rows that it sends."""

    def __init__(self, group: Any, message: Any) -> None:
        before = distribution()
        settings = {"shards": message["shards"], "synchronized": message["whole"]}
        set_distribution(DataParallel(group, **settings))
        try:
            self.model = io.load(bytes(message["model"]))
        finally:
            set_distribution(before)
        trainer: Any = self.model.trainer
        trainer.prepare()
        self.training = trainer

    async def take(self, message: Any) -> None:
        """Become equal to the leader, or train on a batch."""
        program = self.training.program
        try:
            if "equal" in message:
                await TeamTraining(self.training, None).begin()
                return
            if message["rate"] is not None:
                self.training.optimizer.learning_rate = message["rate"]
            pairs = zip(message["inputs"], message["row"], strict=True)
            inputs = [_Part(rows, message["first"], row) for rows, row in pairs]
            batch = (inputs, message["targets"], message["weights"], message["size"])
            await program.step_once(batch)
        except ConnectionError:
            program.cancel()  # the leader says how it goes on


class _Part:
    """The rows of a batch that this member was sent, at their places in the batch."""

    def __init__(self, rows: Array, first: int, row: Array) -> None:
        self._rows, self._first, self._row = rows, first, row

    def __getitem__(self, place: slice) -> Array:
        if place == slice(0, 1) and self._first:
            return self._row
        found: Array = self._rows[place.start - self._first : place.stop - self._first]
        return found


__all__: Sequence[str] = ["LedTraining", "follow", "join"]
