"""What a step on the device reports: losses, right answers, and outputs for other metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nn.data.source import Batch
from nn.types import Array, prod


def report(trainer: Any, batch: Batch, row: Array, size: int, reported: Sequence[bool]) -> float:
    """Update the running means of each output; returns the loss.

    Args:
        trainer: the compiled step of a model.
        batch: what the step trained on.
        row: its results: for each output (loss, right answers), then the outputs.
        size: samples of the plan's steps.
        reported: for each output, whether its values are in the row.
    """
    outputs = trainer.outputs
    total, at = 0.0, 2 * len(outputs)
    for number, (output, tensor) in enumerate(zip(outputs, trainer.model.outputs, strict=True)):
        value, hits = float(row[2 * number]), float(row[2 * number + 1])
        if output.loss is not None:
            total += output.weight * value
            output.tracker.add(value * batch.size, batch.size)
        if not reported[number]:
            output.seen = [(None, None, None)] * len(output.train)
            for metric, _ in output.train:
                metric.add(hits, batch.size)
            continue
        shape = (size, *tensor.shape[1:])
        y = row[at : at + prod(shape)].reshape(shape)[: batch.size]
        at += prod(shape)
        _measure(output, tensor, batch.targets[number], batch.weights[number], y)
    return total


def _measure(output: Any, tensor: Any, target: Any, weight: Any, y: Array) -> None:
    if output.fused is not None and output.needs_predictions:
        layer = tensor.node.layer
        function = getattr(layer, "activation", None) or layer.function
        y = function(y)
    output.seen = [(target, y, weight if weighted else None) for _, weighted in output.train]
    for (metric, _), seen in zip(output.train, output.seen, strict=True):
        metric.update_state(*seen)
