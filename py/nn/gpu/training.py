"""`fit` on a GPU: an epoch's steps in blocks, their results in order, weights home at its end.

While an epoch runs, the weights are the device's. They are sent when it begins, and fetched when it
ends, pauses or stops, and where a callback saves them, so that validation, checkpoints, prediction
and everything else between epochs work as on the CPU.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import numpy as np

from nn.data.dataset import Dataset
from nn.data.numeric import numeric
from nn.data.source import ArraySource, Batch, each
from nn.gpu import devices
from nn.gpu.compiler import Compiler, Source
from nn.gpu.losses import LABELS
from nn.gpu.plan import SLOTS
from nn.gpu.session import Session
from nn.losses.base import fit_weight
from nn.metrics.accuracy import CategoricalAccuracy, SparseCategoricalAccuracy
from nn.models.run_control import PAUSED, STOPPING
from nn.types import Array

AT_ONCE = 2
"""Blocks that are under way at most."""
LONGEST = 0.05
"""Seconds that a block may take: browsers and drivers end longer work."""
COUNTED = (CategoricalAccuracy, SparseCategoricalAccuracy)
"""Metrics that the device counts."""


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
        self.source, self.every = source, every
        adapter = devices.opened()
        self.name, self.record = adapter.name, adapter.record
        # What can't run is refused now, not in the first epoch.
        outputs = len(self.model.outputs)
        inputs = (None,) * len(self.model.inputs)
        plain = Source(0, inputs, (False,) * outputs, (False,) * outputs)
        Compiler(self.model, 1, plain).run()
        self.resident = _lies_still(source)
        self.session: Session | None = None
        self._under_way: deque[_Block] = deque()
        self._landed: deque[tuple[Batch, Array]] = deque()
        self._steps = 1
        self._closing = False

    @property
    def pending(self) -> bool:
        """Whether batches that were started wait to be reported."""
        return bool(self._under_way or self._landed)

    async def open(self, batch: Batch | None) -> None:
        """Make the plan, for batches as large as the source's or as this first one."""
        outputs = self.trainer.outputs
        source = self.source
        weights = source.weights if self.resident else batch.weights  # type: ignore[union-attr]
        weighted = tuple(w is not None for w in weights)
        self._resolve(batch)
        reported = tuple(not _counts(output) for output in outputs)
        if self.resident:
            size = min(source.batch_size, source.count)
            made = Source(source.count, _scales(source), weighted, reported)
        else:
            assert batch is not None
            size = batch.size
            made = Source(0, (), weighted, reported)
        self.session = Session(self.model, size, made)
        self.session.attach(await self.record(self.session.plan))
        if self.resident:
            self._send_data()

    def _resolve(self, batch: Batch | None) -> None:
        """Make the metrics, which need the shapes of targets and outputs."""
        targets = self.source.targets if self.resident else batch.targets  # type: ignore[union-attr]
        for output, tensor, target in zip(
            self.trainer.outputs, self.model.outputs, targets, strict=True
        ):
            if not output.resolved and target is not None:
                output.resolve(target[:1], np.zeros((1, *tensor.shape[1:]), np.float32))

    def _send_data(self) -> None:
        session, source = self.session, self.source
        assert session is not None
        for number, data in enumerate(source.inputs):
            array = data.x if isinstance(data, Dataset) else data
            if array.dtype != np.uint8 or session.source.bytes[number] is None:
                array = array.astype(np.float32)
            session.write(f"data{number}", array)
        self._send_targets(source.targets, source.weights, source.count)

    def _send_targets(self, targets: list[Any], weights: list[Any], count: int) -> None:
        session = self.session
        assert session is not None
        for number, (output, tensor) in enumerate(
            zip(self.trainer.outputs, self.model.outputs, strict=True)
        ):
            if output.loss is None:
                continue
            shape = (count, *tensor.shape[1:])
            rows = shape[:-1] if len(shape) > 1 else shape
            session.write(f"targets{number}", _target(output.loss, targets[number], shape))
            if session.source.weighted[number]:
                weight = fit_weight(weights[number], rows, np.dtype(np.float32))
                session.write(f"weights{number}", np.ascontiguousarray(weight))

    # An epoch.

    async def batches(
        self, rng: np.random.Generator | None, skip: int, before: int
    ) -> AsyncIterator[Batch]:
        """Yield the epoch's batches after they were trained on; `loss` then tells of each.

        The arguments are those of a source's `batches`.
        """
        self._under_way.clear()
        self._landed.clear()
        self._closing = False
        seed = _seed(rng)
        drawn = (
            self._places(rng, skip)
            if self.resident
            else each(self.source.batches(rng, skip, before))
        )
        number, sent = before + skip, False
        async for block in self._blocks(drawn, number):
            if block is not None:
                if not sent:
                    await self._begin(block, seed)
                    sent = True
                self._start(block)
            while self._under_way and (block is None or len(self._under_way) >= AT_ONCE):
                await self._land()
                while self._landed:
                    number += 1
                    if self.every and number % self.every == 0:
                        await self.sync()
                    yield self._landed[0][0]

    async def _begin(self, block: list[Any], seed: int) -> None:
        if self.session is None:
            await self.open(None if self.resident else block[0])
        assert self.session is not None
        self.session.run_seed = seed
        self.session.send()
        if self.resident:
            self.session.write("order", self._order)

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
        if going and self.session is not None:
            self.session.send()
        return going

    def _places(self, rng: np.random.Generator | None, skip: int) -> AsyncIterator[Any]:
        source = self.source
        order = np.arange(source.count) if rng is None else rng.permutation(source.count)
        self._order = order.astype(np.uint32)

        async def places() -> AsyncIterator[Any]:
            for number in range(skip, source.steps):
                start = number * source.batch_size
                yield start, min(source.batch_size, source.count - start)

        return places()

    async def _blocks(self, drawn: Any, number: int) -> AsyncIterator[list[Any] | None]:
        """Yield blocks to start, and None where those under way must land first.

        Args:
            drawn: the batches.
            number: batches of the run before.
        """
        block: list[Any] = []
        async for item in drawn:
            if self.model.progress.state in (PAUSED, STOPPING) and not block:
                yield None  # the caller's gate waits once all are reported
                if not await self.gate():
                    return
            block.append(item)
            number += 1
            at_save = bool(self.every) and number % (self.every or 1) == 0
            if at_save or not self.resident or len(block) >= self._steps:
                yield block
                block = []
                if at_save:
                    yield None
        if block:
            yield block
        yield None

    def _start(self, block: list[Any]) -> None:
        session = self.session
        assert session is not None
        if self.resident:
            places = block
        else:
            (batch,) = block
            self._send_batch(batch)
            places = [(0, batch.size)]
        self._under_way.append(_Block(block, asyncio.ensure_future(session.steps(places))))

    def _send_batch(self, batch: Batch) -> None:
        session = self.session
        assert session is not None
        for number, array in enumerate(batch.inputs):
            session.write(
                f"x{number}", _padded(array.astype(np.float32, copy=False), session.batch)
            )
        self._send_targets(batch.targets, batch.weights, batch.size)

    async def _land(self) -> None:
        block = self._under_way.popleft()
        try:
            results = await block.results
        except Exception:  # the device is gone, and with it the blocks after this one
            while self._under_way:
                self._under_way.popleft().results.cancel()
            raise
        if self.resident:
            self._pace(block)
        for item, row in zip(block.items, results, strict=True):
            self._landed.append((self._batch(item), row))

    def _pace(self, block: _Block) -> None:
        """Let blocks grow to half of the longest time that one may take."""
        now = time.perf_counter()
        took = (now - block.started) / AT_ONCE
        if took < LONGEST / 2:
            self._steps = min(SLOTS, 2 * self._steps)
        elif took > LONGEST:
            self._steps = max(1, self._steps // 2)

    def _batch(self, item: Any) -> Batch:
        if not self.resident:
            return item  # type: ignore[no-any-return]
        first, rows = item
        places = self._order[first : first + rows]
        source = self.source
        wanted = any(self.session.source.reported)  # type: ignore[union-attr]
        return Batch(
            [],
            [t[places] if wanted and t is not None else None for t in source.targets],
            [w[places] if wanted and w is not None else None for w in source.weights],
            rows,
        )

    def loss(self, batch: Batch) -> float:
        """Return the loss of a batch that was trained on; update the running means."""
        _, row = self._landed.popleft()
        session = self.session
        assert session is not None
        outputs = self.trainer.outputs
        total, at = 0.0, 2 * len(outputs)
        for number, (output, tensor) in enumerate(zip(outputs, self.model.outputs, strict=True)):
            value, hits = float(row[2 * number]), float(row[2 * number + 1])
            if output.loss is not None:
                total += output.weight * value
                output.tracker.add(value * batch.size, batch.size)
            if not session.source.reported[number]:
                output.seen = [(None, None, None)] * len(output.train)
                for metric, _ in output.train:
                    metric.add(hits, batch.size)
                continue
            shape = (session.batch, *tensor.shape[1:])
            size = int(np.prod(shape))
            y = row[at : at + size].reshape(shape)[: batch.size]
            at += size
            self._measure(output, tensor, batch, number, y)
        self.trainer.track(total, batch.size)
        return total

    def _measure(self, output: Any, tensor: Any, batch: Batch, number: int, y: Array) -> None:
        if output.fused is not None and output.needs_predictions:
            layer = tensor.node.layer
            function = getattr(layer, "activation", None) or layer.function
            y = function(y)
        target, weight = batch.targets[number], batch.weights[number]
        output.seen = [(target, y, weight if weighted else None) for _, weighted in output.train]
        for (metric, _), seen in zip(output.train, output.seen, strict=True):
            metric.update_state(*seen)

    async def sync(self) -> None:
        """Bring the weights home, once everything that was started is done."""
        if self.session is not None:
            await self.session.fetch()

    def close(self) -> None:
        """Release the device's memory."""
        if self.session is not None:
            self.session.close()
            self.session = None


class _Block:
    """Steps that were started together."""

    def __init__(self, items: list[Any], results: asyncio.Future[Array]) -> None:
        self.items, self.results = items, results
        self.started = time.perf_counter()


def _seed(rng: np.random.Generator | None) -> int:
    """Return the seed of an epoch's draws, from the generator's state before the epoch: a resumed
    epoch has the same."""
    if rng is None:
        return 0
    twin = type(rng.bit_generator)()
    twin.state = rng.bit_generator.state
    return int(twin.random_raw()) & 0xFFFFFFFF


def _lies_still(source: Any) -> bool:
    """Return whether the data can lie on the device: arrays, and data sets without randomness."""
    if not isinstance(source, ArraySource) or source.get_state() is not None:
        return False
    return all(
        type(x) is Dataset or (isinstance(x, np.ndarray) and x.dtype.kind in "fiu")
        for x in source.inputs
    )


def _scales(source: Any) -> tuple[tuple[float, float] | None, ...]:
    """Return how each input's bytes are scaled, or None for floats."""
    return tuple(
        (float(x.scale), float(x.offset))
        if isinstance(x, Dataset) and x.x.dtype == np.uint8
        else (1.0, 0.0)
        if not isinstance(x, Dataset) and x.dtype == np.uint8
        else None
        for x in source.inputs
    )


def _counts(output: Any) -> bool:
    """Return whether the device's count of right answers is all that an output's metrics need."""
    plain = all(type(m) in COUNTED and not w for m, w in output.train)
    return plain and (not output.train or output.loss is not None)


def _target(loss: Any, target: Any, shape: tuple[int, ...]) -> Array:
    array = numeric(target, f"{loss.name}: labels (y_true)")
    if type(loss) in LABELS:
        labels = loss.prepare(array, np.empty(shape, np.float32))
        return np.ascontiguousarray(labels, np.uint32)
    true = loss.prepare(array, np.empty(shape, np.float32)) if type(loss) else array
    return np.ascontiguousarray(np.broadcast_to(true, shape), np.float32)


def _padded(array: Array, batch: int) -> Array:
    """Return a batch with zeros past its last sample."""
    if len(array) == batch:
        return array
    made = np.zeros((batch, *array.shape[1:]), np.float32)
    made[: len(array)] = array
    return made
