"""`fit` in a team: every member runs it alike, and they end each batch together."""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np

from nn.data.source import Batch, each
from nn.distribution.sums import Sums
from nn.errors import ConfigError
from nn.layers.base import walk
from nn.types import Array


class TeamTraining:
    """What takes the steps of one `fit` on one member.

    Args:
        training: the compiled step of a model.
        source: the data of `fit`: the same on every member.

    Raises:
        ConfigError: a layer carries states from batch to batch.
    """

    def __init__(self, training: Any, source: Any) -> None:
        self.training, self.model, self.source = training, training.model, source
        self.group = training.distribution.group
        self._loss = 0.0
        for layer in walk(self.model.layers):
            if getattr(layer, "stateful", False):
                raise ConfigError(
                    f"{layer.name}: expected a layer without states from batch to batch, received "
                    "stateful=True, which several workers can't share"
                )

    async def batches(
        self, rng: np.random.Generator | None, skip: int, before: int
    ) -> AsyncIterator[Batch]:
        """Yield the epoch's batches after they were trained on; `loss` then tells of each.

        The arguments are those of a source's `batches`.
        """
        async for batch in each(self.source.batches(rng, skip, before)):
            self._loss = await self.training.program.step_awaiting(batch)
            yield batch

    def loss(self, batch: Batch) -> float:
        """Return the loss of the latest batch."""
        return self._loss

    async def gate(self) -> bool:
        """Yield to the event loop, wait while paused, and return whether to continue.

        A wish to stop travels with the next batch, after which all members stop.
        """
        progress, program = self.model.progress, self.training.program
        going = bool(await progress.gate())
        if self.group.size == 1:
            return going
        program.wish = not going
        progress.stopping = progress.stopping or program.stops
        return not program.stops

    async def sync(self) -> None:
        """Bring weights home: they are there."""

    async def begin(self) -> None:
        """Take over the leader's generators, and where a member has others, weights and slots."""
        model, optimizer, group = self.model, self.training.optimizer, self.group
        program = self.training.program
        generators = [model.rng, *(r for x in walk(model.layers) if (r := getattr(x, "rng", None)))]
        numbers = {
            "iterations": optimizer.iterations,
            "generators": [g.bit_generator.state for g in generators],
        }
        text = np.frombuffer(json.dumps(numbers).encode(), np.uint8)
        arrays = [*(v.value for v in model.variables), *optimizer.state.values()]
        found = np.zeros(group.size + 1)
        found[group.rank] = _checksum(arrays)
        found[-1] = 0 if group.rank else len(text)
        *checksums, length = await summed(group, found)
        if len(set(checksums)) > 1:
            await self._take_over(arrays)
        codes = np.zeros(int(length))
        if not group.rank:
            codes[:] = text
        await self._from_leader(codes)
        taken = json.loads(codes.astype(np.uint8).tobytes())
        optimizer.iterations = taken["iterations"]
        for rng, state in zip(generators, taken["generators"], strict=True):
            rng.bit_generator.state = state
        program.wish = program.stops = False

    async def _take_over(self, arrays: Sequence[Array]) -> None:
        """Take over the leader's weights and slots."""
        flat = np.concatenate([np.ravel(a).astype(np.float64) for a in arrays])
        await self._from_leader(flat)
        at = 0
        for array in arrays:
            array[...] = flat[at : at + array.size].reshape(array.shape)
            at += array.size
        for variable in self.model.variables:
            variable.mark_written()
        self.training.program.parameters.mark_written()

    async def _from_leader(self, array: Array) -> None:
        if self.group.rank:
            array.fill(0)
        await summed(self.group, array)

    async def agree(self) -> None:
        """Stop if any member wishes to, after an epoch."""
        progress = self.model.progress
        wishes = np.array([float(progress.stopping)])
        await summed(self.group, wishes)
        progress.stopping = bool(wishes[0] > 0)

    def close(self) -> None:
        """Nothing is held."""


def _checksum(arrays: Sequence[Array]) -> int:
    """Return a number that is the same for the same bits."""
    found = 0
    for array in arrays:
        found = zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data, found)
    return found


async def summed(group: Any, array: Array) -> Array:
    """Sum an array over the members, in place; returns it."""
    waiting = group.all_reduce(array)
    if waiting is not None:
        await waiting
    return array


class SharedEvaluation:
    """An evaluation of which each member computes some of the batches, the same for every number
    of members.

    Args:
        training: the compiled step of a model.
    """

    def __init__(self, training: Any) -> None:
        self.training, self.group = training, training.distribution.group
        self._sums: Sums | None = None
        self._rows: dict[int, Array] = {}

    def takes(self, index: int) -> bool:
        """Return whether this member computes a batch. All compute the first, to know how many
        numbers there are."""
        return not index or index % self.group.size == self.group.rank

    def count(self, index: int) -> None:
        """Keep what a batch added."""
        if self._sums is None:
            found = [self.training.test_tracker]
            for output in self.training.outputs:
                found += [output.test_tracker, *(metric for metric, _ in output.test)]
            self._sums = Sums([(metric, metric) for metric in found])
        row = np.zeros(self._sums.size)
        self._sums.write(row)
        self._sums.clear()
        if index % self.group.size == self.group.rank:
            self._rows[index] = row

    async def sum(self, batches: int) -> None:
        """Let the running means be those of the batches that all members came to."""
        group, sums = self.group, self._sums
        if sums is None:
            return
        counts = np.zeros(group.size)
        counts[group.rank] = batches
        batches = int((await summed(group, counts)).min())
        rows = np.zeros((batches, sums.size))
        for index, row in self._rows.items():
            if index < batches:
                rows[index] = row
        await summed(group, rows)
        for row in rows:
            sums.begin()
            sums.add(row)
