"""A team whose leader alone runs `fit`: it tells the others what to compute, batch by batch.

The group has three methods more: `send(rank, message, task)`, `receive()` and `form()`; it may have
a fourth, `reserve(bytes)`. The leader draws the batches, and each member is sent its rows;
callbacks, validation, stop and pause are the leader's alone. A member that is lost leaves the batch
to those who remain.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import numpy as np

from nn import io
from nn.data.source import ArraySource, Batch, each
from nn.distribution.data_parallel import Alone, DataParallel, initialize
from nn.distribution.rows import share
from nn.distribution.training import TeamTraining
from nn.training.step import distribution, set_distribution
from nn.types import Array
from nn.variables import writes

ROOM = 65536
"""Bytes for what is exchanged beside the gradients: sums of losses and metrics, statistics."""

_following: set[asyncio.Task[None]] = set()


def join(group: Any) -> None:
    """Take the place in a team that `group` gives: the first member leads, others follow it."""
    initialize(group)
    if group.rank:
        task = asyncio.ensure_future(follow(group))
        _following.add(task)
        task.add_done_callback(_following.discard)


class LedTraining(TeamTraining):
    """The leader's half: see the module.

    While the members' gradients are on their way, the leader draws the next batch and sends its
    rows, where drawing changes nothing that a callback could see: so the others need not wait for
    its callbacks.
    """

    _written = -1
    _next: Batch | None = None
    _drawn: Iterator[Batch] = iter(())

    async def begin(self) -> None:
        """Send the model to the others; where it can't be sent, train alone."""
        try:
            model = np.frombuffer(io.save(self.model), np.uint8)
        except Exception as error:
            self.training.distribution = DataParallel(Alone(f"{type(error).__name__}: {error}"))
            self.training.prepare_again()
            self.group = self.training.distribution.group
            return
        settings = self.training.distribution
        self._reserve()
        self._tell({"model": model, "shards": settings.shards, "whole": settings.synchronized})

    def _reserve(self) -> None:
        """Let the group share memory for what a batch exchanges, if it can."""
        if hasattr(self.group, "reserve"):
            program = self.training.program
            rows = program.places if self.training.distribution.shards else 1
            self.group.reserve(rows * program.parameters.values.nbytes + ROOM)

    def _tell(self, message: Any) -> None:
        for rank in range(1, self.group.size):
            self.group.send(rank, message)

    async def batches(
        self, rng: np.random.Generator | None, skip: int, before: int
    ) -> AsyncIterator[Batch]:
        """As `TeamTraining`; every epoch begins with the leader's weights for all."""
        self._written, self._next, self._drawn = -1, None, iter(())
        source = self.source
        batches = source.batches(rng, skip, before)
        if isinstance(source, ArraySource) and source.get_state() is None:
            source.depth, self._drawn = 2, batches
            while (batch := self._next or next(self._drawn, None)) is not None:
                yield await self._trained(batch)
            return
        async for batch in each(batches):
            yield await self._trained(batch)

    async def _trained(self, batch: Batch) -> Batch:
        """Train on a batch with all members."""
        program, group = self.training.program, self.group
        sent, self._next = self._next is batch, None
        equal = writes() != self._written  # an epoch begins, or a callback wrote weights
        while True:
            try:
                if sent and equal:
                    group.form()
                    sent = False
                if equal and group.size > 1:
                    self._tell({"equal": True})
                    await super().begin()
                if not sent:
                    self._send_rows(batch)
                self._loss = await program.step_once(batch, self._send_next)
                break
            except ConnectionError:
                program.cancel()
                if group.size == 1:
                    raise
                group.form()
                equal, sent = True, False
        self._written = writes()
        return batch

    def _send_next(self) -> None:
        """Draw the batch that follows, and let the others begin with it."""
        if self._next is None:
            self._next = next(self._drawn, None)
        if self._next is not None:
            self._send_rows(self._next)

    def _send_rows(self, batch: Batch) -> None:
        inputs, targets, weights, size = batch
        group, places = self.group, self.training.program.places_for(self.group.size)
        for rank in range(1, group.size):
            own = range(*share(rank, group.size, places))
            start, _ = share(own[0], places, size)
            _, stop = share(own[-1], places, size)
            start = min(start, size - 1)
            rows = slice(start, max(stop, start + 1))
            task = {
                "first": start,
                "size": size,
                "inputs": [np.ascontiguousarray(x[rows]) for x in inputs],
                "row": [np.ascontiguousarray(x[:1]) for x in inputs],
                "targets": targets,
                "weights": weights,
            }
            group.send(rank, task, True)

    async def gate(self) -> bool:
        """Yield to the event loop, wait while paused, and return whether to continue."""
        return bool(await self.model.progress.gate())

    async def agree(self) -> None:
        """The leader's wish is enough."""

    def close(self) -> None:
        """Let the others wait for the next `fit`."""
        self._next, self._drawn = None, iter(())
        if self.group.size > 1:
            self.group.form()  # they may have begun with a batch that is not trained
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
