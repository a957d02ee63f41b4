"""The losses of a model's outputs: the gradient of each output, and what a step reports."""

from __future__ import annotations

from copy import copy
from typing import Any

from nn import losses
from nn.gpu.plan import SLOTS, Refused
from nn.gpu.wgsl import losing
from nn.layers.fusion import fuses_loss

LABELS = losses.SparseCategoricalCrossentropy, losses.Circle, losses.CTC
"""Losses whose targets are integers."""


def is_fused(model: Any, tensor: Any, loss: Any) -> bool:
    """Return whether the loss computes the activation at the end of an output's layer too."""
    return loss is not None and bool(fuses_loss(model.graph, tensor, loss))


def record(c: Any, values: list[Any]) -> None:
    """Record the losses; `values` are the outputs."""
    outputs = c.model.trainer.outputs
    c.plan.results = 2 * len(outputs) + sum(
        values[j].size for j in range(len(outputs)) if c.reported(j)
    )
    c.plan.buffer("results", SLOTS * c.plan.results)
    at = 2 * len(outputs)
    for number, (output, value) in enumerate(zip(outputs, values, strict=True)):
        if output.loss is not None:
            _loss(c, number, output, value)
        if c.reported(number):
            made = losing.report(value.size, c.plan.results, at)
            c.add(made, value.buffer, "results")
            at += value.size


def _loss(c: Any, number: int, output: Any, value: Any) -> None:
    loss = output.loss
    _check(loss)
    width = value.shape[-1] if len(value.shape) > 1 else 1
    rows = value.size // width
    tensor = c.model.graph.outputs[number]
    shape = losing.Rows(
        value.shape,
        c.batch,
        rows // c.batch,
        width,
        "step.scale" if loss.reduction in ("sum_over_batch_size", "mean") else None,
        output.weight,
        bool(c.source.count),
        c.source.weighted[number],
    )
    held = c.source.count or c.batch
    by_label = type(loss) in LABELS
    targets = c.plan.buffer(f"targets{number}", held * shape.per * (1 if by_label else width))
    bindings = [value.buffer, targets]
    if c.source.count:
        c.plan.buffer("order", c.source.count)
        bindings.append("order")
    if shape.weighted:
        bindings.append(c.plan.buffer(f"weights{number}", held * shape.per))
    if is_fused(c.model, tensor, loss):  # the layer leaves its activation to the kernel
        loss = copy(loss)
        loss.from_logits = True
    try:
        made, terms = losing.loss(shape, loss)
    except (AttributeError, KeyError, TypeError) as error:
        raise Refused(f"{loss.name}: no kernels for a loss of this function ({error})") from error
    bindings.append(c.scratch("terms", 2 * terms))

    if not c.training:
        c.add(made, *bindings, c.scratch("part", value.size))
    elif value.root.needs:
        c.contribute(value, made, *bindings)
    else:
        raise Refused(f"{c.model.name}: the loss of output {number} depends on no trained weight")
    c.add(losing.settle(terms, c.plan.results, 2 * number), "terms", "results")


def _check(loss: Any) -> None:
    if type(loss) not in losing.LOSSES:
        raise Refused(f"{loss.name}: no kernels for {type(loss).__name__}")
    if loss.reduction not in ("sum_over_batch_size", "mean", "sum"):
        raise Refused(f"{loss.name}: no kernels for reduction={loss.reduction!r}")
    if loss.axis != -1 and type(loss) not in losing.OVERLAPS:
        raise Refused(f"{loss.name}: no kernels for axis={loss.axis}")
    if getattr(loss, "ignore_class", None) is not None:
        raise Refused(f"{loss.name}: no kernels for ignore_class")
