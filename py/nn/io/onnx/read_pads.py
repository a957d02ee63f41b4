"""Conversion of what is put around values: zeros, other numbers, edges, mirrored and cyclic."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nn.io.errors import UnsupportedError
from nn.io.onnx.messages import Node
from nn.io.onnx.read_axes import moved
from nn.io.onnx.reader import Handle, Reader, Symbol, where

LOWEST = float(np.finfo(np.float32).min)
"""Around values of which the largest is taken."""
_MOST = 64  # elements on one side, of which each is a part of its own


def zeros_around(reader: Reader, x: Symbol, pads: Sequence[int]) -> Symbol:
    """Return an image with zeros around it.

    Args:
        reader: the state of the import.
        x: the image, channels last.
        pads: the numbers before the axes between batch and channels, and those after them.
    """
    rank = len(pads) // 2
    sides = [list(pair) for pair in zip(pads[:rank], pads[rank:], strict=True)]
    return reader.apply(f"ZeroPadding{rank}D", x, padding=sides[0] if rank == 1 else sides)


def surrounded(
    reader: Reader, node: Node, x: Symbol, pads: Sequence[int], mode: str, value: float = 0.0
) -> Symbol:
    """Return a value with more elements before and after those of its axes.

    Args:
        reader: the state of the import.
        node: the node that wants them.
        x: the value.
        pads: the numbers before all axes of the graph, and those after them.
        mode: as of ONNX' Pad.
        value: what stands there in the mode "constant".

    Raises:
        UnsupportedError: the batch's axis has some, elements go, there are very many, or sizes are
            unknown that must not be.
    """
    rank = x.rank
    many = mode in ("edge", "wrap") and max(pads) > _MOST
    if min(pads) < 0 or pads[0] or pads[rank] or many:
        raise UnsupportedError(f"{where(node)}: no pads {[*pads]} of {['n', *x.sizes]} here")
    for axis in range(1, rank):
        place, counts = moved(x, axis), (pads[axis], pads[rank + axis])
        if mode == "constant":
            first, last = (
                [_numbers(reader, node, x, place, n, value)] if n else [] for n in counts
            )
        elif mode in _SPANS:
            size = x.tensor.shape[place]
            if mode == "reflect" and size is not None and max(counts) >= size:
                raise UnsupportedError(f"{where(node)}: no pads {[*counts]} of {size} here")
            spans = _SPANS[mode](*counts, size or max(counts) + 1)
            first, last = (_parts(reader, x, place, some) for some in spans)
        else:
            raise UnsupportedError(f"{where(node)}: no mode {mode!r} here")
        if any(counts):
            made = reader.apply("Concatenate", *first, x, *last, axis=place)
            x = replace(made, positive=False)
    return x


Spans = list[list[int | None]]


def _reflected(before: int, after: int, size: int) -> tuple[Spans, Spans]:
    return [[before, 0, -1]] * (before > 0), [[-2, -2 - after, -1]] * (after > 0)


def _wrapped(before: int, after: int, size: int) -> tuple[Spans, Spans]:
    whole: Spans = [[None, None, 1]]  # once around for each size that a number of pads has
    first, last = before % size, after % size
    return (
        [[-first, None, 1]] * (first > 0) + whole * (before // size),
        whole * (after // size) + [[0, last, 1]] * (last > 0),
    )


def _edges(before: int, after: int, size: int) -> tuple[Spans, Spans]:
    return [[0, 1, 1]] * before, [[-1, None, 1]] * after


_SPANS: dict[str, Callable[[int, int, int], tuple[Spans, Spans]]] = {
    "edge": _edges,
    "reflect": _reflected,
    "wrap": _wrapped,
}
"""Mode -> the parts of an axis that stand before it, and those after it: for the numbers of both,
and the axis' size."""


def _parts(reader: Reader, x: Symbol, place: int, spans: Spans) -> list[Symbol]:
    whole = [[None, None, None]] * (place - 1)
    once = {tuple(span): reader.apply("GetItem", x, index=[*whole, span]) for span in spans}
    return [once[tuple(span)] for span in spans]


def _numbers(reader: Reader, node: Node, x: Symbol, place: int, count: int, value: float) -> Symbol:
    """Return so many times a number along an axis."""
    sizes = [1, *(count if n == place else x.tensor.shape[n] for n in range(1, x.rank))]
    known = [size for size in sizes if size is not None]
    if len(known) < x.rank:
        raise UnsupportedError(f"{where(node)}: expected a known shape, received {['n', *x.sizes]}")
    reader.claim(math.prod(known) * 4, where(node))
    return reader.apply("ConstantArray", x, value=np.full(known, value, np.float32))


def _pad(reader: Reader, node: Node) -> None:
    x, given, value = reader.symbol(node), reader.constant(node, 1), reader.constant(node, 2)
    pads: Any = node.attributes.get("pads") if given is None else np.ravel(given).tolist()
    filling: Any = node.attributes.get("value", 0.0) if value is None else value.reshape(())
    if len(node.inputs) > 3 and node.inputs[3]:
        pads = _of_axes(pads, np.ravel(reader.needed(node, 3)).tolist(), x.rank)
    if not isinstance(pads, list) or len(pads) != 2 * x.rank:
        raise UnsupportedError(f"{where(node)}: expected pads of all axes, received {pads!r}")
    mode = str(node.attributes.get("mode", "constant"))
    x, pads = _cropped(reader, node, x, pads, mode)
    padded = {axis % x.rank for axis, count in enumerate(pads) if count}
    last = not padded & {0, x.rank - 1} and not (x.first and 1 not in padded)
    places = range(1, x.rank - 1) if last else range(2, x.rank)
    if (
        mode == "constant"
        and filling == 0
        and x.rank > 2
        and padded <= {*places}
        and min(pads) >= 0
    ):
        x = reader.in_order(x) if last else reader.as_image(x)
        inner = [pads[axis + side] for side in (0, x.rank) for axis in places]
        reader.set(node, replace(zeros_around(reader, x, inner), positive=x.positive))
        return
    x = reader.in_order(x) if x.image else x
    reader.set(node, surrounded(reader, node, x, pads, mode, float(filling)))


def _cropped(
    reader: Reader, node: Node, x: Symbol, pads: list[int], mode: str
) -> tuple[Symbol, list[int]]:
    """Return a value without what negative pads take away, and the other pads."""
    if min(pads) >= 0 or mode != "constant":
        return x, pads
    less = [min(count, 0) for count in pads]
    if less[0] or less[x.rank]:
        raise UnsupportedError(f"{where(node)}: no pads {pads} of {['n', *x.sizes]} here")
    x = reader.in_order(x)
    spans = [[-less[axis], less[x.rank + axis] or None, 1] for axis in range(1, x.rank)]
    made = reader.apply("GetItem", x, index=spans)
    return replace(made, positive=x.positive), [max(count, 0) for count in pads]


def _of_axes(pads: Any, axes: list[int], rank: int) -> list[int]:
    """Return the pads of all axes for those of some."""
    made = [0] * (2 * rank)
    for side in (0, 1):
        for number, axis in enumerate(axes):
            made[axis % rank + side * rank] = pads[number + side * len(axes)]
    return made


OPERATORS: dict[str, Handle] = {"Pad": _pad}
