"""Layers with several inputs: sums, differences, products, means, concatenation."""

from __future__ import annotations

from functools import partial
from typing import Any

from nn.gpu.plan import Refused
from nn.gpu.wgsl import elements
from nn.gpu.wgsl.functions import Function
from nn.layers import merging as own
from nn.types import prod


def _expect_alike(layer: Any, given: list[Any]) -> None:
    shapes = [x.shape for x in given]
    if any(shape != shapes[0] for shape in shapes):
        raise Refused(f"{layer.name}: no kernels for inputs that are broadcast: {shapes}")


def linear(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record Add, Average or Subtract: a sum of inputs, each times a factor."""
    _expect_alike(layer, given)
    count = len(given)
    factors = [1 / count if type(layer) is own.Average else 1.0] * count
    if type(layer) is own.Subtract:
        factors[1] = -1.0
    y = c.value(given[0].shape, given)
    c.add(elements.weighted_sum(y.size, factors), *(x.buffer for x in given), y.buffer)

    def backward(dy: str) -> None:
        for x, factor in zip(given, factors, strict=True):
            c.contribute(x, partial(elements.copy, x.size, factor=factor), dy)

    c.back(y, backward)
    return y


def multiply(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record Multiply."""
    _expect_alike(layer, given)
    y = c.value(given[0].shape, given)
    c.add(elements.multiplied(y.size, len(given)), *(x.buffer for x in given), y.buffer)

    def backward(dy: str) -> None:
        for number, x in enumerate(given):
            others = [v.buffer for j, v in enumerate(given) if j != number]
            c.contribute(x, elements.multiplied(y.size, len(given)), dy, *others)

    c.back(y, backward)
    return y


def concatenate(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record Concatenate along any axis but the batch."""
    rank = len(given[0].shape)
    axis = layer.axis % rank
    if axis == 0:
        raise Refused(f"{layer.name}: no kernels for joining batches")
    wide = [prod(x.shape[axis:]) for x in given]
    total = sum(wide)
    shape = list(given[0].shape)
    shape[axis] = sum(x.shape[axis] for x in given)
    y = c.value(shape, given)
    starts = [sum(wide[:i]) for i in range(len(wide))]
    for x, own_width, start in zip(given, wide, starts, strict=True):
        made = elements.columns(x.size, own_width, total, start, put=True)
        c.add(made, x.buffer, y.buffer)

    def backward(dy: str) -> None:
        for x, own_width, start in zip(given, wide, starts, strict=True):
            made = elements.columns(x.size, own_width, total, start, put=False)
            c.contribute(x, made, dy)

    c.back(y, backward)
    return y


RECORDERS = {
    own.Add: linear,
    own.Average: linear,
    own.Subtract: linear,
    own.Multiply: multiply,
    own.Concatenate: concatenate,
}
