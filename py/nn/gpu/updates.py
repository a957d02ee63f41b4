"""The optimizer's step: sums of the gradients' parts, clipping, and one update of all weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.gpu.plan import Refused
from nn.gpu.wgsl import updating
from nn.optimizers.base import ACCUMULATOR, AVERAGE


def record(c: Any) -> None:
    """Record the update of all trained variables."""
    optimizer = c.model.trainer.optimizer
    rule = updating.RULES.get(type(optimizer))
    if rule is None:
        raise Refused(f"{optimizer.name}: no kernels for {type(optimizer).__name__}")
    size = c.held
    slots = optimizer.all_slots()
    c.plan.buffer("partials", c.partials)
    c.plan.buffer("gradients", size)
    c.plan.buffer("slots", size * max(1, len(slots)))
    spans, places = _spans(c, optimizer)
    c.plan.initial["spans"] = spans
    c.plan.buffer("spans", spans.size)
    text = updating.Update(
        rule(optimizer, {name: number * size for number, name in enumerate(slots)}),
        {name: number * size for number, name in enumerate(slots)},
        optimizer.clipvalue,
        optimizer.gradient_accumulation_steps if ACCUMULATOR in slots else None,
        AVERAGE in slots,
        bool(optimizer.weight_decay),
    )
    groups = (len(spans), 1, 1)
    if not (optimizer.clipnorm or optimizer.global_clipnorm):
        c.add((updating.update(text), groups), "spans", "partials", "p", "gradients", "slots")
        return
    c.add((updating.collect(text), groups), "spans", "partials", "gradients", "slots")
    ranges = places if optimizer.clipnorm else np.array([[0, size]], np.uint32)
    c.plan.initial["ranges"] = ranges
    c.plan.buffer("ranges", ranges.size)
    c.plan.buffer("norms", len(ranges))
    c.add((updating.norms(), (len(ranges), 1, 1)), "ranges", "gradients", "norms")
    limit = optimizer.clipnorm or optimizer.global_clipnorm
    made = updating.update(text, limit, each=bool(optimizer.clipnorm))
    c.add((made, groups), "spans", "norms", "p", "gradients", "slots")


def _spans(c: Any, optimizer: Any) -> tuple[Any, Any]:
    """Return the spans of 256 elements that a workgroup updates, and where each variable lies."""
    made, places = [], []
    found = {at: span for span in c.spans for at in [span[0]]}
    for number, variable in enumerate(c.parameters.variables):
        first = c.offsets[variable]
        places.append((first, variable.size))
        decays = int(optimizer._decays(variable))
        for at in range(0, variable.size, 256):
            _, count, source, parts, stride, _ = found.get(
                first + at, (0, min(256, variable.size - at), 0, 0, 0, 0)
            )
            made.append((first + at, count, source, parts, stride, decays, number, 0))
    return np.array(made, np.uint32), np.array(places, np.uint32)
