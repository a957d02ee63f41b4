"""The data of `fit`, on the device and as batches for the CPU.

Arrays lie on the device as a whole, and a step names its place in the epoch's order. What is drawn
batch by batch (a generator, augmented images) is sent with each step.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import numpy as np

from nn.data.dataset import Dataset
from nn.data.numeric import numeric
from nn.data.source import ArraySource, Batch, each
from nn.gpu.compiler import Source
from nn.gpu.losses import LABELS
from nn.gpu.plan import Refused
from nn.gpu.wgsl.losing import COUNTING
from nn.losses import CTC
from nn.losses.base import fit_weight
from nn.metrics.accuracy import CategoricalAccuracy, SparseCategoricalAccuracy
from nn.types import Array

COUNTED = (CategoricalAccuracy, SparseCategoricalAccuracy)
"""Metrics that the device counts."""

Item = Any
"""A step's samples: (first, rows) in the epoch's order, or the batch itself."""


class Samples:
    """The data of a `fit`.

    Args:
        training: the compiled step of a model.
        source: the data.

    Attributes:
        resident: whether the data lie on the device.
        order: the samples' numbers in the order of the epoch.
    """

    def __init__(self, training: Any, source: Any) -> None:
        self.trainer, self.model, self.source = training, training.model, source
        self.resident = _lies_still(source)
        self.order = np.zeros(0, np.uint32)
        self._largest = 0

    def layout(self, first: Item) -> tuple[int, Source]:
        """Return the samples of a step, and where they lie, for a plan.

        Args:
            first: the first item of an epoch.
        """
        targets = self.source.targets if self.resident else first.targets
        for output, tensor, target in zip(
            self.trainer.outputs, self.model.outputs, targets, strict=True
        ):
            if not output.resolved and target is not None:
                output.resolve(target[:1], np.zeros((1, *tensor.shape[1:]), np.float32))
        reported = tuple(not _counts(output) for output in self.trainer.outputs)
        weights = self.source.weights if self.resident else first.weights
        weighted = tuple(w is not None for w in weights)
        if not self.resident:
            # After a loss the plan is made again, perhaps at an epoch's last batch, a short one.
            self._largest = max(self._largest, first.size)
            return self._largest, Source(0, (), weighted, reported)
        size = min(self.source.batch_size, self.source.count)
        return size, Source(self.source.count, _scales(self.source), weighted, reported)

    async def epoch(
        self, rng: np.random.Generator | None, skip: int, before: int
    ) -> AsyncIterator[Item]:
        """Yield an epoch's items; the arguments are those of a source's `batches`."""
        source = self.source
        if not self.resident:
            async for batch in each(source.batches(rng, skip, before)):
                yield batch
            return
        order = np.arange(source.count) if rng is None else rng.permutation(source.count)
        self.order = order.astype(np.uint32)
        for number in source.numbers(skip, before):
            start = number * source.batch_size
            yield start, min(source.batch_size, source.count - start)

    def places(self, item: Item) -> tuple[int, int]:
        """Return where a step finds its samples: the first one, and how many they are."""
        return item if self.resident else (0, item.size)

    def kept(self, item: Item) -> Item:
        """Return the item so that it stays as it is when others are drawn."""
        if self.resident:
            return item
        return item._replace(inputs=[np.array(x) for x in item.inputs])

    def whole(self, item: Item) -> Batch:
        """Return the batch of an item for the CPU; it is valid until the next one."""
        if not self.resident:
            return item  # type: ignore[no-any-return]
        first, rows = item
        return self.source.take(  # type: ignore[no-any-return]
            self.order[first : first + rows].astype(np.intp)
        )

    def without_inputs(self, item: Item, reported: bool) -> Batch:
        """Return the batch of an item as its report needs it: without inputs.

        Args:
            reported: whether metrics are computed from its targets and weights.
        """
        if not self.resident:
            return item  # type: ignore[no-any-return]
        first, rows = item
        places = self.order[first : first + rows]
        targets, weights = (
            [t[places] if reported and t is not None else None for t in arrays]
            for arrays in (self.source.targets, self.source.weights)
        )
        return Batch([], targets, weights, rows)

    # To the device.

    def send_data(self, session: Any) -> None:
        """Send all data, where they lie on the device."""
        source = self.source
        for number, data in enumerate(source.inputs):
            array = data.x if isinstance(data, Dataset) else data
            if array.dtype != np.uint8 or session.source.bytes[number] is None:
                array = array.astype(np.float32)
            session.write(f"data{number}", array)
        self.send_targets(session, source.targets, source.weights, source.count)

    def send_batch(self, session: Any, batch: Batch) -> None:
        """Send one batch; zeros follow its last sample."""
        for number, array in enumerate(batch.inputs):
            whole = np.zeros((session.batch, *array.shape[1:]), np.float32)
            whole[: len(array)] = array
            session.write(f"x{number}", whole)
        self.send_targets(session, batch.targets, batch.weights, batch.size)

    def send_targets(
        self, session: Any, targets: list[Any], weights: list[Any], count: int
    ) -> None:
        """Send what the losses compare with."""
        for number, (output, tensor) in enumerate(
            zip(self.trainer.outputs, self.model.outputs, strict=True)
        ):
            if output.loss is None:
                continue
            shape = (count, *tensor.shape[1:])
            rows = shape[:-1] if len(shape) > 1 else shape
            session.write(f"targets{number}", target_for(output.loss, targets[number], shape))
            if session.source.weighted[number]:
                weight = fit_weight(weights[number], rows, np.dtype(np.float32))
                session.write(f"weights{number}", np.ascontiguousarray(weight))


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
    return plain and (not output.train or type(output.loss) in COUNTING)


def target_for(loss: Any, target: Any, shape: tuple[int, ...]) -> Array:
    """Return the targets of an output of this shape as the loss's kernel reads them."""
    array = numeric(target, f"{loss.name}: labels (y_true)")
    true = loss.prepare(array, np.empty(shape, np.float32))
    if type(loss) is CTC:  # a label for each step; what is left is 0
        more = shape[1] - true.shape[1]
        if more < 0:
            raise Refused(f"{loss.name}: no kernels for more labels than steps")
        true = np.pad(true, ((0, 0), (0, more)))
    if type(loss) in LABELS:
        return np.ascontiguousarray(true, np.uint32)
    return np.ascontiguousarray(np.broadcast_to(true, shape), np.float32)
