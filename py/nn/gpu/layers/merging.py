"""Layers with several inputs: sums, differences, products, means, concatenation, and Dot."""

from __future__ import annotations

from functools import partial
from typing import Any

from nn.gpu.plan import Refused
from nn.gpu.wgsl import elements, heads
from nn.gpu.wgsl.functions import Function
from nn.layers import merging as own
from nn.layers.dot_product import Dot
from nn.types import prod


def _spread(c: Any, layer: Any, given: list[Any]) -> list[Any]:
    """Return the values in one shape: axes of size 1 are repeated."""
    shape = layer.compute_output_shape(*(x.shape for x in given))
    return [x if x.shape == shape else _repeated(c, x, shape) for x in given]


def _repeated(c: Any, x: Any, shape: tuple[int, ...]) -> Any:
    own_shape = (x.shape[0], *(1,) * (len(shape) - len(x.shape)), *x.shape[1:])
    y = c.value(shape, [x])
    c.add(elements.repeated(own_shape, shape), x.buffer, y.buffer)
    c.back(y, lambda dy: c.contribute(x, elements.repeated_gradient(own_shape, shape), dy))
    return y


def linear(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record Add, Average or Subtract: a sum of inputs, each times a factor."""
    given = _spread(c, layer, given)
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
    given = _spread(c, layer, given)
    y = c.value(given[0].shape, given)
    c.add(elements.multiplied(y.size, len(given)), *(x.buffer for x in given), y.buffer)

    def backward(dy: str) -> None:
        for number, x in enumerate(given):
            others = [v.buffer for j, v in enumerate(given) if j != number]
            c.contribute(x, elements.multiplied(y.size, len(given)), dy, *others)

    c.back(y, backward)
    return y


def extreme(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record Maximum or Minimum; equal elements share the gradient."""
    sign = "<" if type(layer) is own.Minimum else ">"
    y, *others = _spread(c, layer, given)
    for x in others:
        y = _chosen(c, y, x, sign)
    return y


def _chosen(c: Any, a: Any, b: Any, sign: str) -> Any:
    y = c.value(a.shape, [a, b])
    text = f"select(x1[i], x0[i], x0[i] {sign} x1[i])"
    c.add(elements.several("chosen", y.size, 2, text), a.buffer, b.buffer, y.buffer)
    share = f"x0[i] * select(select(0.0, 1.0, x1[i] {sign} x2[i]), 0.5, x1[i] == x2[i])"
    made = elements.several("chosen", y.size, 3, share)

    def backward(dy: str) -> None:
        c.contribute(a, made, dy, a.buffer, b.buffer)
        c.contribute(b, made, dy, b.buffer, a.buffer)

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


def dot(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record Dot: a product of matrices for each sample."""
    if layer.normalize:
        raise Refused(f"{layer.name}: no kernels for normalize=True")
    x0, x1 = given
    places = layer._places([x0.shape, x1.shape])
    a, b = (_matrix(layer, x.shape, axis) for x, axis in zip(given, places, strict=True))
    d = heads.Matrix(1, a.rows, b.rows, a.rows * b.rows, 0, b.rows)
    y = c.value(layer.compute_output_shape(x0.shape, x1.shape), given)
    c.add(heads.paired(c.batch, a, b.turned, d), x0.buffer, x1.buffer, y.buffer)

    def backward(dy: str) -> None:
        c.contribute(x0, heads.paired(c.batch, d, b, a), dy, x1.buffer)
        c.contribute(x1, heads.paired(c.batch, d.turned, a, b), dy, x0.buffer)

    c.back(y, backward)
    return y


def _matrix(layer: Any, shape: tuple[int, ...], axis: int) -> heads.Matrix:
    """Return a sample's matrix, whose columns run along an axis."""
    deep, size, last = shape[axis], prod(shape[1:]), axis == len(shape) - 1
    rows = size // deep
    if not last and axis != 1:
        raise Refused(f"{layer.name}: no kernels for axis {axis} of {len(shape)}")
    return heads.Matrix(1, rows, deep, size, 0, *((deep, 1) if last else (1, rows)))


RECORDERS = {
    own.Add: linear,
    own.Average: linear,
    own.Subtract: linear,
    own.Multiply: multiply,
    own.Maximum: extreme,
    own.Minimum: extreme,
    Dot: dot,
    own.Concatenate: concatenate,
}
