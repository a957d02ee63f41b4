"""The training program of one member of a team.

A step computes this member's shards of a batch, up to their gradients. Nothing that a step changes
is changed before the sum of all members is there: if a member is lost until then, those who remain
compute the batch again.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nn import losses, metrics
from nn.context import Context, Run
from nn.distribution.rows import Rows, Start, share
from nn.distribution.shard import Gradients, Outcome, Shard
from nn.distribution.sums import Sums
from nn.errors import ConfigError
from nn.graph import Graph
from nn.layers.base import walk
from nn.layers.normalization import BatchNormalization
from nn.metrics.base import LossMetric
from nn.models.program import Batch
from nn.parameters import Parameters
from nn.types import Array

WHOLE_LOSSES = (losses.Dice, losses.Tversky, losses.Circle)
WHOLE_METRICS = (metrics.PearsonCorrelation, metrics.MeanMetricWrapper)
"""Those that compare samples with each other, or may."""
HEAD = 5
"""Numbers behind the gradients, before the sums: the loss, the wish to stop, three of the rate."""
SCHEDULED = -1.0
"""The learning rate that is sent where each member computes its own."""


class DistributedProgram:
    """Trains on this member's part of each batch; see `nn.models.program` for the methods.

    Args:
        graph: the model's layers.
        context: the model's memory.
        parameters: the variables to train.
        training: the compiled step.

    Attributes:
        wish: whether this member asks all to stop.
        stops: whether a member asked so with the latest batch.
    """

    def __init__(
        self, graph: Graph, context: Context, parameters: Parameters, training: Any
    ) -> None:
        self.graph, self.context = graph, context
        self.parameters, self.training = parameters, training
        self.wish = self.stops = False
        self._sent: tuple[Any, Array] = None, np.zeros(3)
        self._start = Start()
        self._sums: Sums | None = None
        self._fused: Sequence[Any] = ()
        self._form()

    @property
    def group(self) -> Any:
        """The workers that train the model."""
        return self.training.distribution.group

    @property
    def program(self) -> Any:
        """What runs the layers of this member's first shard."""
        return self.shards[0].program.program

    def _form(self) -> None:
        """Make the shards of this member."""
        group, context = self.group, self.context
        self.formed = group.rank, group.size
        self._chosen = -1
        self._several = self.training.distribution.shards is not None
        self.places = self.places_for(group.size)
        self.shards: list[Shard] = []
        for place in range(*share(group.rank, group.size, self.places)):
            first = not self.shards
            ctx = Context(Run(context.run.rng, context.run.dtype))
            ctx.needs_input_gradient = False
            context.adopt(("shard", len(self.shards)), ctx)
            parameters = (
                self.parameters if first and not self._several else Gradients(self.parameters)
            )
            rows = Rows(self._start, first)
            self.shards.append(
                Shard(self.graph, ctx, parameters, self.training, rows, place, self.places)
            )
        one = self.shards[0]
        self._apart = [
            layer
            for layer in walk(self.graph.layers)
            if isinstance(layer, BatchNormalization)
            and layer.trainable
            and not one.synchronizes(layer)
        ]

    def places_for(self, members: int) -> int:
        """Return in how many parts so many members compute a batch."""
        return int(self.training.distribution.shards or members)

    def fuse_losses(self, tensors: Sequence[Any]) -> list[Any]:
        """Leave the activations of these outputs to their losses; as `TrainingProgram`."""
        self._fused = tensors
        for shard in self.shards:
            shard.fused = shard.program.fuse_losses(tensors)
        return self.shards[0].fused

    def forward(self, inputs: Sequence[Array], training: bool = False) -> list[Array]:
        """Return the outputs, logits before a fused loss; they are valid until the next call."""
        self.program.ctx.run.rows = None
        return self.shards[0].program.forward(inputs, training)

    # Steps.

    def step(self, batches: Sequence[Batch]) -> list[float]:
        """Train on the batches, one after the other; returns their losses.

        Raises:
            ConfigError: the group's `all_reduce` must be awaited, which only `fit` does.
        """
        return [self._step_now(batch) for batch in batches]

    def gradients(self, batch: Batch) -> float:
        """Compute the gradients of a batch; returns its loss."""
        for array in self._exchanges(batch):
            self._reduce_now(array)
        return self._finish(batch[3], optimize=False)

    async def step_awaiting(self, batch: Batch) -> float:
        """Train on a batch; returns its loss."""
        while True:
            try:
                return await self.step_once(batch)
            except ConnectionError:
                self.cancel()
                if (self.group.rank, self.group.size) == self.formed:
                    raise

    async def step_once(self, batch: Batch) -> float:
        """Train on a batch, the same on every member, or its part of it; returns its loss.

        Raises:
            ConnectionError: a member was lost; nothing is changed after `cancel`.
        """
        for array in self._exchanges(batch):
            waiting = self.group.all_reduce(array)
            if waiting is not None:
                await waiting
        return self._finish(batch[3])

    def _step_now(self, batch: Batch) -> float:
        while True:
            try:
                for array in self._exchanges(batch):
                    self._reduce_now(array)
                return self._finish(batch[3])
            except ConnectionError:
                self.cancel()
                if (self.group.rank, self.group.size) == self.formed:
                    raise

    def _reduce_now(self, array: Array) -> None:
        led = self.group.size > 1 and hasattr(self.group, "send")
        if led or (waiting := self.group.all_reduce(array)) is not None:
            if not led and hasattr(waiting, "close"):
                waiting.close()
            raise ConfigError("the members of this team wait for each other: use fit")

    def cancel(self) -> None:
        """Undo what a batch did that was not finished, if there is one."""
        self._start.restore()
        if self._sums is not None:
            self._sums.cancel()

    def _form_again(self) -> None:
        """Share batches among the members that there are now."""
        self._form()
        self.fuse_losses(self._fused)
        if self._sums is not None:
            self._allocate(self._sums.size)

    def _exchanges(self, batch: Batch) -> Iterator[Array]:
        """Compute this member's part of a batch; yields each array that all members must sum."""
        group, total = self.group, batch[3]
        if (group.rank, group.size) != self.formed:
            self._form_again()
        self._start.begin()
        if total != self._chosen:
            self._chosen = total
            for shard in self.shards:
                shard.rows.choose(*share(shard.place, self.places, total), total)
        if self._sums is None:
            self._settle(batch)
        assert self._sums is not None
        self._sums.begin()
        if self._several:
            self.buffer.fill(0)
        running = [
            shard.run(batch, _Found(self, shard, row))
            for shard, row in zip(self.shards, self._own, strict=True)
        ]
        yield from running[0] if len(running) == 1 else _in_step(running)
        for shard, row in zip(self.shards, self._own, strict=True):
            if shard.rows.empty:
                row.fill(0)
        head = self._own[0][self._count : self._count + HEAD]
        head[1] = self.wish
        head[2:] = 0 if group.rank else self._rate()
        yield self.buffer

    def _rate(self) -> Array:
        """Return the learning rate as it is sent."""
        rate = self.training.optimizer.rate
        if rate is not self._sent[0]:
            self._sent = rate, _in_three(rate)
        return self._sent[1]

    def _finish(self, size: int, *, optimize: bool = True) -> float:
        """Take over what all members found, and update the weights."""
        training, sums = self.training, self._sums
        assert sums is not None
        self._start.end()
        if self._several:
            # From 0, so that zeros have one sign however many members wrote them.
            np.add.reduce(self.buffer, axis=0, out=self.total, initial=0.0)
        tail = self.total[self._count :]
        loss, stops, *rate = tail[:HEAD].tolist()
        self.stops = stops > 0
        if rate[0] != SCHEDULED and self.group.rank:
            training.optimizer.learning_rate = sum(rate)
        if self._apart:
            self._keep_statistics(tail)
        for half in self.shards[0].divided:
            half.commit()
        counted = tail[self._after :]
        sums.add(counted)
        sums.show(training.outputs, counted)
        loss += training.weights_penalty()
        training.track(loss, size)
        training.regularize()
        if optimize:
            training.optimizer.step()
        return float(loss)

    def _keep_statistics(self, tail: Array) -> None:
        """Take over the running statistics of layers that have their own."""
        for layer, found in zip(self._apart, self._statistics(tail), strict=True):
            layer.moving_mean.assign(found[0].reshape(layer.size))
            layer.moving_variance.assign(found[1].reshape(layer.size))

    # What is exchanged.

    def _settle(self, batch: Batch) -> None:
        """Find out how many sums there are: metrics are made from targets and outputs."""
        inputs, targets, _, _ = batch
        shard = self.shards[0]
        place = shard.rows.slice
        ys = self.forward([x[place] for x in inputs], False)
        metrics_ = []
        for output, target, y in zip(self.training.outputs, targets, ys, strict=True):
            if not output.resolved and target is not None:
                output.resolve(target, y)
            metrics_.append((output.tracker, output.tracker))
            for metric, _ in output.train:
                probe = copy.deepcopy(metric)
                probe.reset_state()
                probe.update_state(target[place], y)
                metrics_.append((metric, probe))
        self.whole = any(_needs_whole(output) for output in self.training.outputs)
        self._sums = Sums(metrics_)
        self._allocate(self._sums.size)

    def _allocate(self, sums: int) -> None:
        """Reserve the memory that is exchanged: gradients and behind them sums."""
        parameters = self.parameters
        self._count = count = parameters.values.size
        self._after = HEAD + sum(2 * layer.features for layer in self._apart)
        rows = self.places if self._several else 1
        self.buffer: Array = np.zeros((rows, count + self._after + sums), parameters.values.dtype)
        own = range(*share(self.group.rank, self.group.size, self.places))
        self._own = [self.buffer[place] for place in own] if self._several else [self.buffer[0]]
        self.total = np.zeros_like(self.buffer[0]) if self._several else self.buffer[0]
        parameters.collect_gradients(self.total[:count])
        for shard, row in zip(self.shards, self._own, strict=True):
            shard.parameters.collect_gradients(row[:count])

    def _statistics(self, tail: Array) -> Iterator[tuple[Array, Array]]:
        """Yield the places of running mean and variance for each layer that has its own."""
        at = HEAD
        for layer in self._apart:
            size = layer.features
            yield tail[at : at + size], tail[at + size : at + 2 * size]
            at += 2 * size

    def sync(self) -> None:
        """Bring weights and state to where the CPU reads them: they are there."""


class _Found(Outcome):
    """What a shard found, on its way into its row of the buffer."""

    def __init__(self, program: DistributedProgram, shard: Shard, row: Array) -> None:
        self._program, self._shard = program, shard
        self._tail = row[program._count :]
        self.whole = program.whole
        self._before = [(n.moving_mean.numpy(), n.moving_variance.numpy()) for n in program._apart]

    def keep_statistics(self) -> None:
        """Note this part's share of the running statistics, and put them back."""
        if not self._before:
            return
        program, part = self._program, self._shard.rows.share
        places = program._statistics(self._tail)
        for layer, found, before in zip(program._apart, places, self._before, strict=True):
            for variable, place, old in zip(
                (layer.moving_mean, layer.moving_variance), found, before, strict=True
            ):
                place[...] = variable.value.reshape(-1) * part
                variable.assign(old)

    def keep_losses(self, loss: float, penalty: float) -> None:
        """Note the loss and what was counted, and begin to count from nothing."""
        program, tail = self._program, self._tail
        assert program._sums is not None
        tail[0] = loss + penalty
        tail[1] = 0
        counted = tail[program._after :]
        program._sums.write(counted)
        if self.whole and self._shard.place:
            counted.fill(0)  # the first shard counted the whole batch
        program._sums.clear()


def _in_three(rate: Any) -> Array:
    """Return three float32 numbers whose sum is the learning rate, to the last bit of a double."""
    parts = np.zeros(3, np.float32)
    left = SCHEDULED if callable(rate) else float(rate)
    for i in range(3):
        parts[i] = left
        left -= float(parts[i])
    return parts


def _in_step(running: list[Iterator[Array]]) -> Iterator[Array]:
    """Run shards alternately, from each array that they leave for others to the next; yields the
    sum of each round's, and lets all of them have what becomes of it."""
    while True:
        arrays = [array for shard in running if (array := next(shard, None)) is not None]
        if not arrays:
            return
        first, *others = arrays
        for array in others:
            first += array  # each is zero where another is not
        yield first
        for array in others:
            array[...] = first


def _needs_whole(output: Any) -> bool:
    """Return whether an output's loss or a metric needs the whole batch at once."""
    loss = output.loss
    if loss is not None and not _by_sample(loss):
        return True
    return any(not _counts_samples(metric) for metric, _ in output.train)


def _by_sample(loss: Any) -> bool:
    known = type(loss) in losses.CLASSES.values() and not isinstance(loss, WHOLE_LOSSES)
    return known and loss.reduction != "mean_with_sample_weight"


def _counts_samples(metric: Any) -> bool:
    if isinstance(metric, LossMetric):
        return _by_sample(metric.loss)
    known = type(metric).__module__.startswith("nn.metrics.")
    return known and not isinstance(metric, WHOLE_METRICS)
