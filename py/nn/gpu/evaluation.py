"""`evaluate` and validation on a GPU: forward and losses, in blocks of steps.

Weights are sent when an evaluation begins: they were at home. The first batch is computed on both,
and the loss must be the same within rounding. What the device does not take is the CPU's: batches
larger than the first, and all when it is lost, has no room, or computes something else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from nn.data.source import Batch
from nn.errors import ConfigError, DeviceLostError, TooLargeError
from nn.gpu import devices, reports
from nn.gpu.blocks import AT_ONCE, Block, Pace
from nn.gpu.samples import Item, Samples
from nn.gpu.session import Session
from nn.gpu.trial import NEAR
from nn.types import Array


class GpuEvaluation:
    """What evaluates a model on a device.

    Args:
        training: the compiled step of the model.
        source: the data.

    Raises:
        ConfigError: no GPU was opened.
    """

    def __init__(self, training: Any, source: Any) -> None:
        self.trainer, self.samples = training, Samples(training, source)
        self._adapter = devices.opened()
        self._session: Session | None = None
        self._tried = self._refused = False
        self._pace = Pace()

    async def evaluation(self, source: Any, each: bool) -> GpuEvaluation:
        """Return what evaluates: this."""
        return self

    def takes(self, index: int) -> bool:
        """Return whether the CPU is to compute a batch: those that `batches` yields are done."""
        return False

    async def sum(self, batches: int) -> None:
        """Agree on the running means with others: there are none."""

    async def batches(self, rng: None) -> AsyncIterator[Batch]:
        """Yield the batches after they were evaluated."""
        under_way: deque[Block] = deque()
        async for block in self._blocks():
            if block is not None:
                under_way.append(block)
            while under_way and (block is None or len(under_way) >= AT_ONCE):
                landed = under_way.popleft()
                rows = await self._results(landed)
                for item, row in zip(landed.items, rows, strict=True):
                    yield self._counted(item, row)

    async def _blocks(self) -> AsyncIterator[Block | None]:
        """Yield blocks that were started, and None at the end."""
        items: list[Item] = []
        begun = False
        async for item in self.samples.epoch(None, 0, 0):
            if not begun:
                begun = True
                await self._begin(item)
            items.append(self.samples.kept(item))
            if not self.samples.resident or len(items) >= self._pace.steps:
                yield self._started(items)
                items = []
        if items:
            yield self._started(items)
        yield None

    async def _begin(self, first: Item) -> None:
        """Bring plan, data and weights to the device."""
        if self._adapter is not devices.opened():
            self.close()
        try:
            if self._session is None and not self._refused:
                await self._open(first)
            if self._session is not None:
                self._session.send()
        except DeviceLostError:
            self.close()
        except (ConfigError, TooLargeError):  # it has no room
            self._refuse()

    async def _open(self, first: Item) -> None:
        samples, adapter = self.samples, devices.opened()
        size, layout = samples.layout(first)
        session = Session(samples.model, size, layout, training=False, emulated=adapter.emulated)
        session.attach(await adapter.record(session.plan))
        self._adapter, self._session = adapter, session
        if samples.resident:
            samples.send_data(session)
            session.write("order", samples.order)

    def _started(self, items: list[Item]) -> Block:
        """Start a block, unless it is the CPU's."""
        block, session, samples = Block(items), self._session, self.samples
        if session is None or not (samples.resident or items[0].size <= session.batch):
            return block
        if not samples.resident:
            samples.send_batch(session, items[0])
        block.start(session.steps([samples.places(item) for item in items]))
        return block

    async def _results(self, block: Block) -> list[Array | None]:
        """Return a row of results for each item; None where it is the CPU's."""
        if block.results is not None and self._session is not None:
            try:
                rows = await block.results
            except DeviceLostError:
                self.close()
            else:
                if self.samples.resident:
                    self._pace.follow(block)
                return list(rows)
        return [None] * len(block.items)

    def _counted(self, item: Item, row: Array | None) -> Batch:
        """Count a batch in the running means."""
        trainer, samples, session = self.trainer, self.samples, self._session
        if row is None or session is None or not self._tried:
            batch = samples.whole(item)
            loss = trainer.test_step(*batch)
            if row is not None and not self._tried:
                self._tried = True
                self._try(row, loss)
            return batch
        reported = session.source.reported
        batch = samples.without_inputs(item, any(reported))
        loss = reports.report(trainer, batch, row, session.batch, reported, training=False)
        trainer.test_tracker.add(loss * batch.size, batch.size)
        return batch

    def _try(self, row: Array, loss: float) -> None:
        """Leave the rest to the CPU if the device's loss of a batch is another than the CPU's."""
        outputs = self.trainer.outputs
        found = sum(o.weight * float(row[2 * n]) for n, o in enumerate(outputs))
        if loss == loss and not abs(found - loss) <= NEAR * abs(loss) + 1e-6:
            self._refuse()

    def _refuse(self) -> None:
        self._refused = True
        self.close()

    def close(self) -> None:
        """Release the device's memory."""
        if self._session is not None:
            self._session.close()
            self._session = None
