"""A team whose leader alone runs `fit`: it tells the others what to compute, batch by batch.

The group has more methods: `send(rank, message, task)`, `receive()`, `form()`, `dismiss(ranks,
why)`, `readmit()` and `leave(why)`; it may have `reserve(bytes)`, and `way`, which is "ports" where
the event loop has turns while an exchange waits. Arrays and data sets are held by every
member, who then goes through the epoch's batches of its own accord: what it exchanges with the
leader is all that it needs to know. Of other data, the leader draws the batches and sends each
member its rows. Callbacks, stop and pause are the leader's alone. A member that is lost leaves the
batch to those who remain; one that was silent for too long may be back in the next epoch.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from nn import config, io
from nn.data.source import Batch, each
from nn.distribution.data_parallel import Alone, DataParallel, initialize
from nn.distribution.held import Held
from nn.distribution.rows import share
from nn.distribution.training import SharedEvaluation, TeamTraining, summed
from nn.errors import TooLargeError
from nn.models.run_control import GIVE_WAY
from nn.training.step import distribution, set_distribution
from nn.types import Array, prod
from nn.variables import writes

ROOM = 65536
"""Bytes for what is exchanged beside the gradients: sums of losses and metrics, statistics."""

FRAME = 0.016
"""Seconds after which the leader's event loop has a turn of its own; it delays all members."""
RARELY = 0.05
"""The same, where waiting for the others' gradients gives the event loop its turns."""

VERSION = attrgetter("version")

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

    _held: Held | None = None
    _validated: Any = None
    _written = -1
    _ahead = False  # whether the others train on batches of their own accord

    async def begin(self) -> None:
        """Send the model and the data to the others; where a model can't be sent, train alone."""
        self._held = Held.of(self.source)
        self.group.readmit(dismissed=True)
        if await self._bring():
            self._reserve()

    async def _bring(self) -> bool:
        """Make every other member ready; returns whether the model could be sent."""
        try:
            model = np.frombuffer(io.save(self.model), np.uint8)
        except Exception as error:
            self._go_alone(f"{type(error).__name__}: {error}")
            return False
        await self._dismiss_small(len(model))
        settings, held = self.training.distribution, self._held
        self._tell(
            {
                "model": model,
                "shards": settings.shards,
                "whole": settings.synchronized,
                "data": None if held is None else held.message(),
            }
        )
        self._written, self._ahead, self._validated = -1, False, None
        return True

    def _go_alone(self, why: str) -> None:
        self.training.distribution = DataParallel(Alone(why))
        self.training.prepare_again()
        self.group = self.training.distribution.group

    async def _dismiss_small(self, model: int) -> None:
        """Go on without the members that have not the memory for what they would hold."""
        group = self.group
        while group.size > 1:
            needs = self._needs() + model
            self._tell({"needs": needs}, True)
            try:
                lacking = await summed(group, np.zeros(group.size))
            except ConnectionError:
                group.form()
                continue
            ranks = np.flatnonzero(lacking).tolist()
            if ranks:
                group.dismiss(ranks, f"no memory for the {needs:,} bytes of a member")
            return

    def _needs(self) -> int:
        """Return the bytes that a member must have: weights and what trains them, a batch's
        values and their gradients, the data."""
        values = self.training.program.parameters.values
        slots = 2 + len(self.training.optimizer.all_slots())
        graph, batch = self.model.graph, getattr(self.source, "batch_size", 1)
        sizes = sum(prod(tuple(d or 1 for d in t.shape[1:])) for t in graph.slots)
        held = 0 if self._held is None else self._held.nbytes
        rows = -(-batch // self.group.size)
        return int(slots * values.nbytes + 2 * sizes * rows * values.itemsize + held)

    def _reserve(self) -> None:
        """Let the group share memory for what a batch exchanges, if it can."""
        if hasattr(self.group, "reserve"):
            program = self.training.program
            rows = program.places if self.training.distribution.shards else 1
            self.group.reserve(rows * program.parameters.values.nbytes + ROOM)

    def _tell(self, message: Any, task: bool = False) -> None:
        for rank in range(1, self.group.size):
            self.group.send(rank, message, task)

    async def batches(
        self, rng: np.random.Generator | None, skip: int, before: int
    ) -> AsyncIterator[Batch]:
        """As `TeamTraining`; every epoch begins with the leader's weights for all."""
        if not isinstance(self.group, Alone) and self.group.readmit():
            await self._bring()
        self._written, held = -1, self._held
        if held is None:
            async for batch in each(self.source.batches(rng, skip, before)):
                yield await self._trained(batch)
            return
        held.order = held.source.order(rng)
        order = None if held.order is None else held.order.astype(np.int32)
        own = held.source.numbers(skip, before)
        self._tell({"order": order, "stop": own.stop})
        for number in own:
            yield await self._trained(held.batch(number), number)
            self._ahead = self._ahead and number + 1 < own.stop

    async def _trained(self, batch: Batch, number: int | None = None) -> Batch:
        """Train on a batch with all members."""
        program, group = self.training.program, self.group
        while True:
            try:
                # An epoch begins, a callback wrote weights, or the team has formed again.
                if self._stale():
                    await self._begin_with(number)
                if number is None:
                    self._send_rows(batch)
                self._loss = await program.step_once(batch)
                break
            except ConnectionError:
                program.cancel()
                if group.size == 1:
                    raise
                self.form()
        self._written = writes()
        return batch

    async def _begin_with(self, number: int | None) -> None:
        """Let all members be equal, and begin with a batch of the data that they hold."""
        if self.group.size > 1:
            if self._ahead:
                self.form()
            self._tell({"equal": True}, True)
            await super().begin()
            if number is not None:
                self._tell({"first": number}, True)
                self._ahead = True

    def form(self) -> None:
        """Let those who remain begin again; what is under way is void."""
        self._ahead, self._written = False, -1
        self.group.form()

    def _stale(self) -> bool:
        """Return whether a weight was written since the latest batch, or there was none."""
        if self._written == writes():
            return False
        return max(map(VERSION, self.model.variables), default=0) > self._written

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
                "at": start,
                "size": size,
                "inputs": [np.ascontiguousarray(x[rows]) for x in inputs],
                "row": [np.ascontiguousarray(x[:1]) for x in inputs],
                "targets": targets,
                "weights": weights,
            }
            group.send(rank, task, True)

    async def gate(self) -> bool:
        """As `Progress.gate`, and more rarely: see `FRAME` and `RARELY`."""
        every = RARELY if getattr(self.group, "way", "") == "ports" else FRAME
        return bool(await self.model.progress.gate(every if self.group.size > 1 else GIVE_WAY))

    async def agree(self) -> None:
        """The leader's wish is enough."""

    async def evaluation(self, source: Any, each: bool) -> _LedEvaluation | None:
        """Let every member evaluate some of the batches; None where the leader does it alone.

        Args:
            source: the batches.
            each: whether callbacks listen to each batch: they see all batches so far.
        """
        held = Held.of(source)
        if each or self.group.size == 1 or held is None:
            return None
        try:
            if self._ahead or self._stale():
                await self._begin_with(None)
        except ConnectionError:
            self.form()
            return None
        if self._validated is not source:
            self._tell({"validation": held.message()})
            self._validated = source
        self._tell({"evaluate": True}, True)
        self._written = writes()
        return _LedEvaluation(self)

    def close(self) -> None:
        """Let the others wait for the next `fit`."""
        if self.group.size > 1:
            if self._ahead:
                self.form()  # they may have begun with a batch that is not trained
            self._tell({"end": True})


class _LedEvaluation(SharedEvaluation):
    """The leader's part of an evaluation."""

    def __init__(self, leading: LedTraining) -> None:
        super().__init__(leading.training)
        self._leading = leading

    async def sum(self, batches: int) -> None:
        """As `SharedEvaluation`.

        Raises:
            ConnectionError: a member is lost, and what it found.
        """
        try:
            await super().sum(batches)
        except ConnectionError:
            self._leading.form()
            raise


async def follow(group: Any) -> None:
    """Do what the leader says until it is gone."""
    member: _Follower | None = None
    while True:
        try:
            message = await group.receive()
        except ConnectionError:
            return
        try:
            if "needs" in message:
                await _say_if_lacking(group, message["needs"])
            elif "model" in message:
                member = None  # what it holds is released first
                member = _Follower(group, message)
            elif "end" in message:
                member = None
            elif member is not None:
                await member.take(message)
        except ConnectionError:
            continue  # the leader says how it goes on
        except Exception as error:
            group.leave(f"{type(error).__name__}: {error}")
            return


async def _say_if_lacking(group: Any, size: int) -> None:
    """Tell the leader whether there is memory for so many bytes."""
    lacks = np.zeros(group.size)
    try:
        config.claim(size, "a member of a team")
        np.empty(size, np.uint8)
    except (TooLargeError, MemoryError):
        lacks[group.rank] = 1
    await summed(group, lacks)


class _Follower:
    """A member that follows: the leader's model, and steps on the rows that are its own."""

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
        self._data = message["data"] and Held.from_message(message["data"])
        self._stop = 0
        self._validation: Any = None

    async def take(self, message: Any) -> None:
        """Become equal to the leader, train, or evaluate.

        Raises:
            ConnectionError: the team has formed again; nothing is half done.
        """
        try:
            if "equal" in message:
                await TeamTraining(self.training, None).begin()
            elif "order" in message:
                order = message["order"]
                self._data.order = None if order is None else order.astype(np.intp)
                self._stop = message["stop"]
            elif "first" in message:
                for number in range(message["first"], self._stop):
                    await self.training.program.step_once(self._data.batch(number))
            elif "validation" in message:
                self._validation = Held.from_message(message["validation"]).source
            elif "evaluate" in message:
                await self._evaluate()
            else:
                await self._train_on(message)
        except ConnectionError:
            self.training.program.cancel()
            raise

    async def _train_on(self, message: Any) -> None:
        pairs = zip(message["inputs"], message["row"], strict=True)
        inputs = [_Part(rows, message["at"], row) for rows, row in pairs]
        batch = (inputs, message["targets"], message["weights"], message["size"])
        await self.training.program.step_once(batch)

    async def _evaluate(self) -> None:
        shared, training, number = SharedEvaluation(self.training), self.training, 0
        training.reset_test()
        for batch in self._validation.batches(None):
            if shared.takes(number):
                training.test_step(*batch)
                shared.count(number)
            number += 1
        await shared.sum(number)


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
