"""Shards: the parts of each batch that one member computes, each in a memory of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np

from nn.context import Context
from nn.distribution.batch_norm import Exchange, Moments, Normalize
from nn.distribution.divided import DividedProgram
from nn.distribution.rows import Rows
from nn.errors import ConfigError
from nn.graph import Graph
from nn.layers.base import Layer, walk
from nn.layers.fusion import NormedRelu
from nn.layers.normalization import BatchNormalization
from nn.models.program import Batch
from nn.models.steps import Step
from nn.parameters import Parameters
from nn.training.program import TrainingProgram
from nn.types import Array
from nn.variables import Variable


class Gradients:
    """Where a shard's gradients go: as `Parameters`, in another array."""

    def __init__(self, parameters: Parameters) -> None:
        self.variables, self.spans = parameters.variables, parameters.spans
        self.views: dict[Variable, Array] = dict(parameters.views)
        self.gradients = parameters.gradients

    collect_gradients = Parameters.collect_gradients


class Shard:
    """The program of one part of each batch.

    Args:
        graph: the model's layers.
        context: the memory to run in; its `run` has the rows.
        parameters: where the gradients go.
        training: the compiled step.
        place: the number of the shard.
        places: how many there are in the team.
    """

    def __init__(
        self,
        graph: Graph,
        context: Context,
        parameters: Any,
        training: Any,
        rows: Rows,
        place: int,
        places: int,
    ) -> None:
        self.place, self.places = place, places
        self.rows, self.training, self.parameters = rows, training, parameters
        self.divided: list[Normalize] = []
        self._synchronized = training.distribution.synchronized
        program = DividedProgram(graph, context, self._divide)
        self.program = TrainingProgram(program, parameters, training)
        self.layers = cast("DividedProgram", self.program.program)
        """What runs the layers that training changes."""
        self.fused: list[Context | None] = []

    def _divide(self, layer: Layer) -> Sequence[Layer]:
        norm = layer.norm if isinstance(layer, NormedRelu) else layer
        if not isinstance(norm, BatchNormalization):
            self._expect_none_inside(layer)
            return (layer,)
        if not self.synchronizes(norm):
            return (layer,)
        exchange = Exchange(norm, self.place, self.places)
        last = Normalize(exchange, layer.activation if isinstance(layer, NormedRelu) else None)
        self.divided.append(last)
        return Moments(exchange), last

    def synchronizes(self, norm: BatchNormalization) -> bool:
        """Return whether a layer uses the statistics of the whole batch."""
        return norm.trainable and (norm.synchronized or self._synchronized)

    def _expect_none_inside(self, layer: Layer) -> None:
        for inner in walk(layer.sublayers):
            if isinstance(inner, BatchNormalization) and self.synchronizes(inner):
                raise ConfigError(
                    f"{inner.name}: expected a batch normalization of the model itself, received "
                    f"one inside {layer.name}, where several workers can't share its statistics; "
                    "put the layers in one model, or give DataParallel(synchronized=False)"
                )

    def run(self, batch: Batch, outcome: Outcome) -> Iterator[Array]:
        """Compute this part of a batch; yields each array that all members must sum."""
        inputs, targets, weights, size = batch
        layers = self.layers
        run, rows = layers.ctx.run, self.rows
        run.rows, place = rows, rows.slice
        ys = yield from self._forward([x[place] for x in inputs])
        part = [[None if a is None else a[place] for a in arrays] for arrays in (targets, weights)]
        masks = [layers.masks[slot] for slot in layers.outputs]
        outcome.keep_statistics()
        whole = outcome.whole or (layers.masked and any(m is not None for m in masks))
        if whole:
            ys, masks = yield from self._gather(ys, masks)
            part = [list(targets), list(weights)]
        loss, slopes = self._losses(ys, part, size if whole else rows.count, masks, whole)
        if whole:
            slopes = [None if d is None else d[place] for d in slopes]
        outcome.keep_losses(loss if not whole or not self.place else 0.0, run.penalty)
        run.start_backward(self.parameters)
        if layers.divided:
            for step in layers.backward_segments(slopes):
                yield _left_by(step)
        else:
            layers.backward(slopes)
        run.finish_backward()

    def _forward(self, inputs: Sequence[Array]) -> Any:
        layers, given = self.layers, self.program.begin(inputs)
        if not layers.divided:
            return layers.forward(given, True)
        steps = layers.forward_segments(given, True)
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                return end.value
            yield _left_by(step)

    def _gather(self, ys: Sequence[Array], masks: Sequence[Any]) -> Any:
        """Return the outputs and masks of the whole batch."""
        rows = self.rows
        given = [*ys, *(m for m in masks if m is not None)]
        shapes = [(rows.total, *a.shape[1:]) for a in given]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        array = np.zeros(int(ends[-1]), self.parameters.gradients.dtype)
        parts = [p.reshape(s) for p, s in zip(np.split(array, ends[:-1]), shapes, strict=True)]
        if not rows.empty:
            for part, mine in zip(parts, given, strict=True):
                part[rows.slice] = mine
        yield array
        found = iter(parts[len(ys) :])
        return parts[: len(ys)], [None if m is None else next(found) > 0.5 for m in masks]

    def _losses(
        self, ys: Any, part: Any, size: int, masks: Any, whole: bool
    ) -> tuple[float, list[Array | None]]:
        """Return this part's share of the loss, and the gradients of the outputs."""
        training, rows = self.training, self.rows
        outputs = training.outputs
        for output, fused in zip(outputs, self.fused, strict=True):
            output.fused = fused
            output.share = 1.0 if whole or _sums(output) else rows.share
        try:
            found: tuple[float, list[Array | None]] = training.output_losses(
                ys, *part, size, True, masks
            )
        finally:
            for output in outputs:
                output.share = 1.0
        for output in outputs:
            if _sums(output) and not whole:
                output.tracker.total *= rows.total / rows.count
        return found


class Outcome:
    """Where a shard leaves what it found, and what it must know of the batch."""

    whole = False
    """Whether losses or metrics need the outputs of the whole batch."""

    def keep_statistics(self) -> None:
        """Keep what the forward pass did to the statistics of normalizations."""

    def keep_losses(self, loss: float, penalty: float) -> None:
        """Keep the loss, and what was counted."""


def _left_by(step: Step) -> Array:
    """Return what a half of a divided layer left for the other members."""
    half: Any = step.layer
    array: Array = half.exchange.array
    return array


def _sums(output: Any) -> bool:
    """Return whether an output's loss is a sum over the batch."""
    return output.loss is not None and output.loss.reduction in ("sum", "none", None)
