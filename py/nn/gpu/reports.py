"""What a step on the device reports: losses, right answers, and outputs for other metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nn.data.source import Batch
from nn.types import Array, prod


def report(
    trainer: Any,
    batch: Batch,
    row: Array,
    size: int,
    reported: Sequence[bool],
    training: bool = True,
) -> float:
    """Update the running means of each output; returns the loss.

    Args:
        trainer: the compiled step of a model.
        batch: the step's samples.
        row: its results: for each output (loss, right answers), then the outputs.
        size: samples of the plan's steps.
        reported: for each output, whether its values are in the row.
        training: whether the means are those of training, or of evaluation.
    """
    outputs = trainer.outputs
    total, at = 0.0, 2 * len(outputs)
    for number, (output, tensor) in enumerate(zip(outputs, trainer.model.outputs, strict=True)):
        value, hits = float(row[2 * number]), float(row[2 * number + 1])
        if output.loss is not None:
            total += output.weight * value
            tracker = output.tracker if training else output.test_tracker
            tracker.add(value * batch.size, batch.size)
        metrics = output.train if training else output.test
        seen: list[Any] = [(None, None, None)] * len(metrics)
        if not reported[number]:
            for metric, _ in metrics:
                metric.add(hits / prod(tensor.shape[1:-1]), batch.size)
        else:
            shape = (size, *tensor.shape[1:])
            y = row[at : at + prod(shape)].reshape(shape)[: batch.size]
            at += prod(shape)
            seen = _measure(output, tensor, batch, number, y, metrics)
        if training:
            output.seen = seen
    return total


def _measure(
    output: Any, tensor: Any, batch: Batch, number: int, y: Array, metrics: Any
) -> list[Any]:
    """Update metrics by an output's values; returns what they were given."""
    if output.fused is not None and output.needs_predictions:
        layer = tensor.node.layer
        function = getattr(layer, "activation", None) or layer.function
        y = function(y)
    target, weight = batch.targets[number], batch.weights[number]
    seen = [(target, y, weight if weighted else None) for _, weighted in metrics]
    for (metric, _), given in zip(metrics, seen, strict=True):
        metric.update_state(*given)
    return seen
