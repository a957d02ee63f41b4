"""`fit` on a GPU: an epoch's steps in blocks, their results in order, weights home at its end.

While an epoch runs, the weights are the device's. They are sent when it begins, and fetched when it
ends, pauses or stops, and where a callback saves them, so that checkpoints, prediction and
everything else between epochs work as on the CPU. If the device is lost, steps are repeated
(`place`), and what was reported is not reported again.
"""

from __future__ import annotations

import asyncio
import copy
import math
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import numpy as np

from nn.data.source import Batch
from nn.errors import ConfigError, DeviceLostError
from nn.gpu import devices, reports
from nn.gpu.blocks import AT_ONCE, Block, Pace
from nn.gpu.compiler import Compiler, Source
from nn.gpu.evaluation import GpuEvaluation
from nn.gpu.place import Place
from nn.gpu.samples import Item, Samples
from nn.models.run_control import PAUSED, STOPPING
from nn.types import Array

REPEATABLE = 32
"""Batches of a stream after which weights come home: so many are kept, to be repeated."""


def check(training: Any) -> None:
    """Refuse a compiled model that no device can train.

    Raises:
        ConfigError: a part of it has no kernels; the message names it.
    """
    model = training.model
    outputs = (False,) * len(model.outputs)
    Compiler(model, 1, Source(0, (None,) * len(model.inputs), outputs, outputs)).run()


class GpuTraining:
    """The program that trains a model on a device, one for each `fit`.

    Args:
        training: the compiled step of a model.
        source: the data of `fit`.
        every: batches after which callbacks need the weights, or None.

    Raises:
        ConfigError: no GPU was opened, or a part of the model has no kernels for it.
    """

    def __init__(self, training: Any, source: Any, every: int | None = None) -> None:
        self.trainer, self.model = training, training.model
        self.samples, self.every = Samples(training, source), every
        adapter = devices.opened()
        if training.device == "auto" and adapter.emulated:
            raise ConfigError(f"{adapter.name} is emulated, and slower than the CPU")
        self.name = adapter.name
        check(training)  # what can't run is refused now, not in the first epoch
        self.place = Place(self.samples)
        self._under_way: deque[Block] = deque()
        self._landed: deque[tuple[Item, Array | None]] = deque()
        self._pace = Pace()
        self._evaluation: GpuEvaluation | None = None

    @property
    def pending(self) -> bool:
        """Whether batches that were started wait to be reported."""
        return bool(self._under_way or self._landed)

    # An epoch.

    async def batches(
        self, rng: np.random.Generator | None, skip: int, before: int
    ) -> AsyncIterator[Batch]:
        """Yield the epoch's batches after they were trained on; `loss` then tells of each.

        The arguments are those of a source's `batches`.
        """
        self._under_way.clear()
        self._landed.clear()
        before_order = copy.deepcopy(rng)
        drawn = self.samples.epoch(rng, skip, before)
        number, begun = before + skip, False
        async for block in self._blocks(drawn, number):
            if block is not None:
                if begun and not self.place.fits(block[0]):
                    await self.sync()
                    self.place.close()
                    begun = False
                if not begun:
                    begun = True
                    await self.place.begin(block[0], before_order)
                self._under_way.append(Block([self.samples.kept(item) for item in block]))
                self._launch(self._under_way[-1])
            while self._under_way and (block is None or len(self._under_way) >= AT_ONCE):
                await self._land()
                while self._landed:
                    number += 1
                    if self._goes_home(number):
                        await self.sync()
                    yield self._told(*self._landed[0])

    async def gate(self) -> bool:
        """Yield to the event loop, wait while paused, and return whether to continue; both wait
        until all batches that were started are reported."""
        if self.pending:
            await asyncio.sleep(0)
            return True
        progress = self.model.progress
        if progress.state != PAUSED:
            return bool(await progress.gate())
        await self.sync()
        going = bool(await progress.gate())
        if going:
            self.place.send()
        return going

    def _goes_home(self, number: int) -> bool:
        """Return whether weights come home after so many batches of the run."""
        if self.every and number % self.every == 0:
            return True
        return not self.samples.resident and number % REPEATABLE == 0

    async def _blocks(self, drawn: Any, number: int) -> AsyncIterator[list[Item] | None]:
        """Yield blocks to start, and None where those under way must land first.

        Args:
            drawn: the epoch's items.
            number: batches of the run before.
        """
        block: list[Item] = []
        async for item in drawn:
            if self.model.progress.state in (PAUSED, STOPPING) and not block:
                yield None  # the caller's gate waits once all are reported
                if not await self.gate():
                    return
            if not self.place.fits(item):
                yield None  # another plan follows
            block.append(item)
            number += 1
            home = self._goes_home(number)
            if (
                home
                or not self.samples.resident
                or self.place.here
                or len(block) >= self._pace.steps
            ):
                yield block
                block = []
                if home:
                    yield None
        if block:
            yield block
        yield None

    def _launch(self, block: Block) -> None:
        if not self.place.here:
            block.start(self.place.start(block.items))

    async def _land(self) -> None:
        """Await the oldest block."""
        block, place = self._under_way[0], self.place
        results: Any = [None] * len(block.items)
        if not place.here:
            assert block.results is not None
            try:
                results = await block.results
            except DeviceLostError as error:
                await place.recover(error, block.items[0])
                for again in self._under_way:
                    self._launch(again)
                return
            if self.samples.resident:
                self._pace.follow(block)
            place.since += block.items
        self._under_way.popleft()
        self._landed.extend(zip(block.items, results, strict=True))

    # Reports.

    def _told(self, item: Item, row: Array | None) -> Batch:
        if row is None:
            return self.samples.whole(item)
        return self.samples.without_inputs(item, any(self.place.layout.reported))

    def loss(self, batch: Batch) -> float:
        """Return the loss of a batch that was trained on; update the running means."""
        _, row = self._landed.popleft()
        if row is None:
            return float(self.trainer.train_step(*batch))
        loss = reports.report(self.trainer, batch, row, self.place.size, self.place.layout.reported)
        if not self.place.finite:
            loss = math.nan
        self.trainer.track(loss, batch.size)
        return loss

    async def begin(self) -> None:
        """Begin a run: the first epoch does what is needed."""

    async def agree(self) -> None:
        """Agree on the end with others: there are none."""

    async def evaluation(self, source: Any, each: bool) -> GpuEvaluation:
        """Return what evaluates on these data, the same after every epoch."""
        if self._evaluation is None or self._evaluation.samples.source is not source:
            self._evaluation = GpuEvaluation(self.trainer, source)
        return self._evaluation

    async def sync(self) -> None:
        """Bring the weights home, once everything that was started is done."""
        await self.place.sync()

    def close(self) -> None:
        """Release the device's memory."""
        self.place.close()
        if self._evaluation is not None:
            self._evaluation.close()
