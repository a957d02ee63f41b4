"""Conversion of ONNX operators on axes: reductions, softmax, axes of size 1."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from nn.io.errors import UnsupportedError
from nn.io.onnx.messages import Node
from nn.io.onnx.read_arithmetic import absolute, powered
from nn.io.onnx.read_constants import axes_of, axis_of
from nn.io.onnx.reader import Handle, Reader, Symbol, where


def known(node: Node, x: Symbol) -> list[int]:
    """Return the sizes after the batch axis, in the engine's order.

    Raises:
        UnsupportedError: one is unknown.
    """
    sizes = [size for size in x.tensor.shape[1:] if size is not None]
    if len(sizes) != x.rank - 1:
        raise UnsupportedError(f"{where(node)}: expected a known shape, received {['n', *x.sizes]}")
    return sizes


def shaped(reader: Reader, x: Symbol, sizes: Sequence[int | None]) -> Symbol:
    """Return a value with these sizes after the batch axis; one of them may be unknown."""
    return replace(reader.reshape(x, sizes), positive=x.positive, turned=False)


def _inside(node: Node, axes: Sequence[int] | None) -> list[int]:
    if not axes or 0 in axes:
        raise UnsupportedError(f"{where(node)}: expected axes after the batch's, received {axes}")
    return list(axes)


def moved(x: Symbol, axis: int) -> int:
    """Return the place of one of the graph's axes among the engine's."""
    if not x.first or axis == 0:
        return axis
    return x.rank - 1 if axis == 1 else axis - 1


# Axes of size 1.


def _squeeze(reader: Reader, node: Node) -> None:
    x = reader.in_order(reader.symbol(node)) if reader.symbol(node).image else reader.symbol(node)
    axes = axes_of(node, reader.constant(node, 1), x.rank)
    if axes is None:
        axes = [axis for axis, size in enumerate(x.sizes, 1) if size == 1]
    axes = _inside(node, axes)
    if any(x.sizes[axis - 1] != 1 for axis in axes):
        raise UnsupportedError(f"{where(node)}: expected sizes of 1, received {['n', *x.sizes]}")
    reader.set(node, _without(reader, x, axes))


def _without(reader: Reader, x: Symbol, axes: Sequence[int]) -> Symbol:
    """Return a value without some axes, of size 1."""
    gone = {moved(x, axis) for axis in axes}
    sizes = [size for place, size in enumerate(x.tensor.shape) if place and place not in gone]
    # Without its channels' axis an image is in the graph's order.
    first = x.first and 1 not in axes and len(sizes) > 1
    return replace(shaped(reader, x, sizes), first=first, image=None)


def _unsqueeze(reader: Reader, node: Node) -> None:
    x, given = reader.symbol(node), reader.constant(node, 1)
    count = given.size if given is not None else len(node.attributes.get("axes", []))  # type: ignore[arg-type]
    rank = x.rank + count
    axes = _inside(node, axes_of(node, given, rank))
    spatial = x.first and min(axes) > 1
    x = x if spatial else reader.in_order(x)
    places = {axis - 1 if spatial else axis for axis in axes}
    rest = iter(x.tensor.shape[1:])
    sizes = [1 if place in places else next(rest) for place in range(1, rank)]
    reader.set(node, replace(shaped(reader, x, sizes), first=spatial, image=None))


# Reductions.


Reduction = Callable[[Reader, Node, Symbol, list[int], bool], Symbol]
"""Returns a value reduced over some axes; they are kept, of size 1, or not."""


def _reduce(reduced: Reduction) -> Handle:
    """Return the conversion of a reduction."""

    def handle(reader: Reader, node: Node) -> None:
        x = reader.symbol(node)
        x = reader.in_order(x) if x.image else x
        axes = axes_of(node, reader.constant(node, 1), x.rank)
        alone = reduced in (_largest, _least, _mean, _total)  # an element by itself stays so
        if axes is None and alone and node.attributes.get("noop_with_empty_axes", 0):
            reader.set(node, x)
            return
        kept = bool(node.attributes.get("keepdims", 1))
        if 0 in x.sizes:
            raise UnsupportedError(f"{where(node)}: expected elements, received {['n', *x.sizes]}")
        reader.set(node, reduced(reader, node, x, _inside(node, axes), kept))

    return handle


def _mean(reader: Reader, node: Node, x: Symbol, axes: list[int], kept: bool) -> Symbol:
    return _pooled(reader, node, x, axes, "Average", kept)


def _total(reader: Reader, node: Node, x: Symbol, axes: list[int], kept: bool) -> Symbol:
    count = math.prod(known(node, x)[moved(x, axis) - 1] for axis in axes)
    made = _mean(reader, node, x, axes, kept)
    return made if count == 1 else reader.apply("Rescaling", made, scale=float(count))


def _largest(reader: Reader, node: Node, x: Symbol, axes: list[int], kept: bool) -> Symbol:
    return _pooled(reader, node, x, axes, "Max", kept)


def _least(reader: Reader, node: Node, x: Symbol, axes: list[int], kept: bool) -> Symbol:
    negative = reader.apply("Rescaling", x, scale=-1.0)
    made = _largest(reader, node, negative, axes, kept)
    return reader.apply("Rescaling", made, scale=-1.0)


def _log_total(reader: Reader, node: Node, x: Symbol, axes: list[int], kept: bool) -> Symbol:
    return reader.apply("Log", _total(reader, node, x, axes, kept))


def _log_total_exp(reader: Reader, node: Node, x: Symbol, axes: list[int], kept: bool) -> Symbol:
    """The largest is taken from all before Exp, and added to the logarithm."""
    most = _largest(reader, node, x, axes, True)
    below = reader.apply("Subtract", x, most)
    shares = reader.apply("Activation", below, activation="exponential")
    made = reader.apply("Add", _log_total(reader, node, shares, axes, True), most)
    return made if kept else _without(reader, made, axes)


def _total_of(before: Callable[[Reader, Symbol], Symbol], exponent: float = 1.0) -> Reduction:
    """Return the sum of what a function gives for the elements, to the power of a number."""

    def reduced(reader: Reader, node: Node, x: Symbol, axes: list[int], kept: bool) -> Symbol:
        made = _total(reader, node, before(reader, x), axes, kept)
        return powered(reader, made, exponent)

    return reduced


def _pooled(
    reader: Reader, node: Node, x: Symbol, axes: list[int], kind: str, kept: bool
) -> Symbol:
    if x.first and axes == [*range(2, x.rank)]:  # an image's places
        made = reader.apply(f"Global{kind}Pooling{x.rank - 2}D", x, keepdims=kept)
        return made if kept else replace(made, first=False)
    sizes = [None, *x.tensor.shape[1:]]
    if sizes.count(None) > 2:
        raise UnsupportedError(
            f"{where(node)}: expected at most one unknown size, received {['n', *x.sizes]}"
        )
    gone = sorted(moved(x, axis) for axis in axes)
    rest = [place for place in range(1, x.rank) if place not in gone]
    order = [*gone, *rest]
    turned = x if order == sorted(order) else reader.apply("Permute", x, dims=order)
    flat = shaped(reader, turned, [_together(sizes[p] for p in some) for some in (gone, rest)])
    made = reader.apply(f"Global{kind}Pooling1D", flat)
    left = [1 if n in gone else sizes[n] for n in range(1, x.rank) if kept or n not in gone]
    first = x.first and (kept or (1 not in axes and len(left) > 1))
    return replace(shaped(reader, made, left), first=first, positive=x.positive)


def _together(sizes: Iterable[int | None]) -> int | None:
    """Return the size of axes that become one, None if one of theirs is unknown."""
    every = [*sizes]
    return None if None in every else math.prod(size or 0 for size in every)


# Softmax.


def softmax(name: str) -> Handle:
    """Return the conversion of Softmax or LogSoftmax."""

    def handle(reader: Reader, node: Node) -> None:
        x = reader.symbol(node)
        x = reader.in_order(x) if x.image and x.reordered else x
        axis = axis_of(node, -1 if reader.opset >= 13 else 1, x.rank)
        if axis == 0:
            raise UnsupportedError(f"{where(node)}: expected an axis after the batch's")
        if reader.opset < 13 and axis < x.rank - 1:
            made = _over_all_after(reader, node, x, axis, name)
        else:
            made = _over_one(reader, x, moved(x, axis), name)
        reader.set(node, replace(made, positive=name == "softmax"))

    return handle


def _over_one(reader: Reader, x: Symbol, place: int, name: str) -> Symbol:
    last = x.rank - 1
    if place == last:
        return reader.apply("Activation", x, activation=name)
    order = [*(axis for axis in range(1, x.rank) if axis != place), place]
    made = reader.apply("Activation", reader.apply("Permute", x, dims=order), activation=name)
    return reader.apply("Permute", made, dims=[order.index(axis) + 1 for axis in range(1, x.rank)])


def _over_all_after(reader: Reader, node: Node, x: Symbol, axis: int, name: str) -> Symbol:
    """Softmax before opset 13: over all axes from the given one on."""
    if x.first and axis == 1 and all(size == 1 for size in x.sizes[1:]):
        return reader.apply("Activation", x, activation=name)
    x = reader.in_order(x)
    sizes = known(node, x)
    flat = shaped(reader, x, [*sizes[: axis - 1], math.prod(sizes[axis - 1 :])])
    return shaped(reader, reader.apply("Activation", flat, activation=name), sizes)


def _squares(reader: Reader, x: Symbol) -> Symbol:
    return powered(reader, x, 2.0)


OPERATORS: dict[str, Handle] = {
    "LogSoftmax": softmax("log_softmax"),
    "ReduceL1": _reduce(_total_of(absolute)),
    "ReduceL2": _reduce(_total_of(_squares, 0.5)),
    "ReduceLogSum": _reduce(_log_total),
    "ReduceLogSumExp": _reduce(_log_total_exp),
    "ReduceMax": _reduce(_largest),
    "ReduceMean": _reduce(_mean),
    "ReduceMin": _reduce(_least),
    "ReduceSum": _reduce(_total),
    "ReduceSumSquare": _reduce(_total_of(_squares)),
    "Softmax": softmax("softmax"),
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
}
