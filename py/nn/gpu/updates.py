"""The optimizer's step: sums of the gradients' parts, clipping, and one update of all weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import optimizers
from nn.gpu.plan import Refused
from nn.gpu.wgsl import updating
from nn.gpu.wgsl.heads import orthogonal
from nn.optimizers.base import ACCUMULATOR, AVERAGE


def record(c: Any) -> None:
    """Record the update of all trained variables."""
    optimizer = c.model.trainer.optimizer
    rule = updating.RULES.get(type(optimizer))
    if rule is None:
        raise Refused(f"{optimizer.name}: no kernels for {type(optimizer).__name__}")
    size = c.held
    kind = type(optimizer)
    # What a step leaves after the slots, for a second pass over the weights.
    left = LEFT.get(kind, ())
    names = (*optimizer.all_slots(), *left)
    slots = {name: number * size for number, name in enumerate(names)}
    c.plan.buffer("partials", c.partials)
    c.plan.buffer("gradients", size)
    c.plan.buffer("slots", size * max(1, len(slots)))
    spans, places = _spans(c, optimizer)
    c.plan.initial["spans"] = spans
    c.plan.buffer("spans", spans.size)
    text = updating.Update(
        rule(optimizer, slots),
        slots,
        optimizer.clipvalue,
        optimizer.gradient_accumulation_steps if ACCUMULATOR in slots else None,
        AVERAGE in slots and not left,
        bool(optimizer.weight_decay) and kind is not optimizers.Muon,
    )
    groups = (len(spans), 1, 1)
    limit = optimizer.clipnorm or optimizer.global_clipnorm
    if limit:
        c.add((updating.collect(text), groups), "spans", "partials", "gradients", "slots")
        ranges = places if optimizer.clipnorm else np.array([[0, size]], np.uint32)
        _norms(c, "", ranges, "gradients")
        made = updating.update(text, limit, each=bool(optimizer.clipnorm))
        c.add((made, groups), "spans", "norms", "p", "gradients", "slots")
    else:
        c.add((updating.update(text), groups), "spans", "partials", "p", "gradients", "slots")
    if kind is optimizers.Adafactor:
        c.add((updating.factor(optimizer, slots), groups), "spans", "slots")
        first = np.array([slots["roots"], 0], np.uint32)
        _norms(c, "3", _rows(c) + first, "slots")
        c.add((updating.divide(optimizer, slots), groups), "spans", "norms3", "slots")
    if left:
        found = "norms2"
        parts = [places + np.array([slots[x], 0], np.uint32) for x in updating.SCALED if x in slots]
        _norms(c, "2", np.concatenate(parts), "slots")
        if kind is optimizers.Muon:
            c.add((updating.unit(slots), groups), "spans", found, "slots", c.scratch("unit", size))
            found = _orthogonal(c, optimizer)
        made = updating.scale(optimizer, slots, len(places))
        c.add((made, groups), "spans", found, "p", "slots")


LEFT: dict[type, tuple[str, ...]] = {
    optimizers.Lamb: updating.SCALED,
    optimizers.Adafactor: (*updating.SCALED, "roots"),
    optimizers.Muon: ("change",),
}


def _orthogonal(c: Any, optimizer: Any) -> str:
    """Record the products that make matrices orthogonal; returns where they are then."""
    given, other = "unit", c.scratch("next", c.held)
    for _ in range(optimizer.ns_steps):
        for v in filter(optimizer._is_matrix, c.parameters.variables):
            square, sums, last = orthogonal(v.shape, c.offsets[v], optimizer)
            size = min(v.shape) ** 2
            s, t = c.scratch("squares", size), c.scratch("sums", size)
            c.add(square, given, given, s)
            c.add(sums, s, s, t)
            c.add(last, t, given, other)
        given, other = other, given
    return given


def _norms(c: Any, which: str, ranges: Any, given: str) -> None:
    """Record the norms of ranges of a buffer."""
    c.plan.initial[f"ranges{which}"] = ranges
    c.plan.buffer(f"ranges{which}", ranges.size)
    c.plan.buffer(f"norms{which}", len(ranges))
    made = updating.norms(), (len(ranges), 1, 1)
    c.add(made, f"ranges{which}", given, f"norms{which}")


def _rows(c: Any) -> Any:
    """Return the places of the rows' means of all matrices."""
    made = [(0, 1)]  # at least one
    for v in c.parameters.variables:
        if len(v.shape) > 1:
            rows = v.shape[-2]
            first = c.offsets[v]
            made += [(first + n * rows, rows) for n in range(v.size // rows // v.shape[-1])]
    return np.array(made, np.uint32)


def _spans(c: Any, optimizer: Any) -> tuple[Any, Any]:
    """Return the spans of 256 elements that a workgroup updates, and where each variable lies."""
    made, places, norms = [], [], 1
    found = {at: span for span in c.spans for at in [span[0]]}
    for number, variable in enumerate(c.parameters.variables):
        first = c.offsets[variable]
        places.append((first, variable.size))
        decays = int(optimizer._decays(variable))
        rows, columns = variable.shape[-2:] if len(variable.shape) > 1 else (0, 0)
        whole = number, first, variable.size, rows, columns, norms
        if type(optimizer) is optimizers.Muon:
            rms = optimizer.rms_rate
            long = 1.0 if rms is None else max(variable.shape, default=1) ** 0.5 * rms
            more = optimizer._is_matrix(variable) * int(np.float32(long).view(np.uint32))
            whole = *whole[:5], more
        norms += variable.size // (rows * columns) if rows else 0
        for at in range(0, variable.size, 256):
            _, count, source, parts, stride, _ = found.get(
                first + at, (0, min(256, variable.size - at), 0, 0, 0, 0)
            )
            made.append((first + at, count, source, parts, stride, decays, *whole))
    return np.array(made, np.uint32), np.array(places, np.uint32)
