"""Values whose batch is not the graph's first axis, as around recurrent operators: (steps, n, ...).

The engine computes them with the batch first; only the order of the axes is remembered. Operators
on axes change that order, and a value whose batch comes first again is one like any other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nn.graph import SymbolicTensor
from nn.io.errors import UnsupportedError
from nn.io.onnx import read_shapes
from nn.io.onnx.messages import Node
from nn.io.onnx.read_constants import axes_of, axis_of
from nn.io.onnx.reader import Handle, Reader, Symbol, where

EACH = (
    "Add", "Cast", "Clip", "Div", "Dropout", "Elu", "Exp", "Gelu", "Gemm", "HardSigmoid",
    "HardSwish", "Identity", "LeakyRelu", "MatMul", "Mul", "Neg", "Relu", "Selu", "Sigmoid",
    "Softplus", "Softsign", "Sub", "Tanh",
)  # fmt: skip
"""Operators that treat all axes but the last alike."""

_MOST = 64  # indices of a Gather, of which each is a part of its own

Size = int | str | None


@dataclass(frozen=True)
class Turned:
    """A value with its axes in another order than the engine's.

    Attributes:
        tensor: the engine's tensor, with the batch first.
        view: the sizes after the batch that the tensor has in the graph, in its own order.
        order: for each axis of the graph its place in (batch, *view).
        rows: whether all axes but the last are one in the graph, as in (n * steps, features).
        turned: whether the graph itself moved the axes, see `Symbol`.
    """

    tensor: SymbolicTensor
    view: tuple[int | None, ...]
    order: tuple[int, ...]
    rows: bool = False
    turned: bool = True

    @property
    def sizes(self) -> list[Size]:
        """The sizes in the graph's order."""
        if self.rows:
            return [read_shapes.ROWS, self.view[-1]]
        known: tuple[Size, ...] = (read_shapes.BATCH, *self.view)
        return [known[place] for place in self.order]

    def without(self, places: Sequence[int]) -> Turned:
        """Return the value without some axes of size 1."""
        kept = [place for place in range(len(self.order)) if place not in places]
        order = tuple(kept.index(place) for place in self.order if place in kept)
        return replace(self, view=tuple(self.view[p - 1] for p in kept[1:]), order=order)

    def reshaped(self, reader: Reader) -> SymbolicTensor:
        """Return the tensor in the shape of the view."""
        return reader.reshape(Symbol(self.tensor), self.view).tensor

    def in_order(self, reader: Reader) -> Symbol:
        """Return the value with the batch first and the other axes in the graph's order."""
        dims = [place for place in self.order if place]
        if dims == sorted(dims):
            return Symbol(self.reshaped(reader), turned=self.turned)
        ones = [place for place in dims if self.view[place - 1] == 1]
        if [p for p in dims if p not in ones] == sorted(set(dims) - set(ones)):
            moved = replace(self, view=tuple(self.view[p - 1] for p in dims))
            return Symbol(moved.reshaped(reader), turned=self.turned)
        x = Symbol(self.reshaped(reader), turned=self.turned)
        return reader.apply("Permute", x, dims=dims)


def keep(reader: Reader, name: str, value: Turned) -> None:
    """Set a value of the graph: one like any other if its batch is the first axis."""
    if value.order[0] or value.rows:
        reader.turned[name] = value
        return
    reader.symbols[name] = value.in_order(reader)


def find(reader: Reader, name: str) -> Turned | None:
    """Return a value of the model with the order of its axes, None for what it does not compute."""
    if name in reader.turned:
        value: Turned = reader.turned[name]
        return value
    if name not in reader.symbols:
        return None
    x = reader.in_order(reader.symbols[name])
    order = tuple(range(x.rank))
    return Turned(x.tensor, tuple(x.tensor.shape[1:]), order, turned=x.turned)


def handles(reader: Reader, node: Node) -> bool:
    """Return whether the node is to be converted here."""
    if node.operator in ("GRU", "LSTM", "RNN"):
        return False
    if any(name in reader.turned for name in node.inputs):
        return True
    if not node.inputs or node.inputs[0] not in reader.symbols:
        return False
    if node.operator == "Transpose":
        perm = node.attributes.get("perm")
        return isinstance(perm, list) and len(perm) > 1 and perm[0] != 0
    if node.operator == "Unsqueeze":
        return _new_axes(reader, node, reader.symbols[node.inputs[0]].rank)[:1] == [0]
    if node.operator == "Reshape":
        return _makes_rows(reader, node)
    return node.operator in ("Gather", "Slice")


def _makes_rows(reader: Reader, node: Node) -> bool:
    """Return whether a Reshape joins all axes but the last, as before a product of matrices."""
    x = reader.symbols[node.inputs[0]]
    return not x.first and not x.image and _joined(reader, node, x.tensor.shape[1:])


def _joined(reader: Reader, node: Node, view: Sequence[int | None]) -> bool:
    """Return whether the target shape is one of two axes, the last as it is."""
    name = node.inputs[1] if len(node.inputs) > 1 else ""
    shape = reader.sizes.get(name, reader.constants.get(name))
    if shape is None or len(view) < 2 or view[-1] is None or set(view[:-1]) == {1}:
        return False
    target = np.ravel(shape).tolist()
    return target in ([-1, view[-1]], [read_shapes.ROWS, view[-1]])


def compute(reader: Reader, node: Node, handle: Handle) -> None:
    """Set the node's output.

    Raises:
        UnsupportedError: the operator needs the batch to be the first axis.
    """
    moves = _OPERATORS.get(node.operator)
    data = node.operator != "Gather" or node.inputs[0] not in reader.constants
    if moves is not None and data:
        value = find(reader, node.inputs[0])
        if value is None:
            raise UnsupportedError(f"{where(node)}: expected input 0 to be computed")
        if value.rows and node.operator != "Reshape":
            raise UnsupportedError(f"{where(node)}: expected other axes than {value.sizes}")
        keep(reader, node.outputs[0], moves(reader, node, value))
        return
    if node.operator not in (*EACH, "Gather"):
        orders = [reader.turned[n].sizes for n in node.inputs if n in reader.turned]
        raise UnsupportedError(
            f"{where(node)}: expected the batch as the first axis, received {orders[0]}"
        )
    _each(reader, node, handle)


def _each(reader: Reader, node: Node, handle: Handle) -> None:
    """Convert an operator as if the batch were the first axis."""
    names = [*node.inputs, reader.same.get(node.outputs[0], "")]
    given: dict[str, Any] = {n: reader.turned[n] for n in names if n in reader.turned}
    orders = {(value.order, value.rows) for value in given.values()}
    order, rows = next(iter(orders))
    vectors = node.operator in ("Gather", "Gemm", "MatMul") or all(
        math.prod(reader.constants[n].shape[:-1]) == 1 for n in names if n in reader.constants
    )
    others = any(n in reader.symbols for n in names)
    turned = order[-1] != len(order) - 1 and node.operator != "Gather"
    if len(orders) > 1 or others or turned or not vectors:
        raise UnsupportedError(
            f"{where(node)}: expected values whose axes have one order and constants of the last "
            f"axis, received {[value.sizes for value in given.values()]}"
        )
    for name, value in given.items():
        reader.symbols[name] = Symbol(value.reshaped(reader))
    handle(reader, node)
    made = reader.symbols.pop(node.outputs[0])
    for name in given:
        del reader.symbols[name]
    order += tuple(range(len(order), made.rank))  # with the last axis of a table's rows
    view = tuple(made.tensor.shape[1:])
    keep(reader, node.outputs[0], Turned(made.tensor, view, order, rows))


# Operators on axes.


def _transpose(reader: Reader, node: Node, value: Turned) -> Turned:
    rank = len(value.order)
    perm: Any = node.attributes.get("perm", [*range(rank)][::-1])
    if sorted(perm) != [*range(rank)]:
        raise UnsupportedError(f"{where(node)}: expected {rank} axes, received {perm!r:.80}")
    return replace(value, order=tuple(value.order[axis] for axis in perm), turned=True)


def _squeeze(reader: Reader, node: Node, value: Turned) -> Turned:
    sizes = value.sizes
    axes = axes_of(node, reader.constant(node, 1), len(sizes))
    if axes is None:
        axes = [axis for axis, size in enumerate(sizes) if size == 1]
    if any(sizes[axis] != 1 for axis in axes):
        raise UnsupportedError(f"{where(node)}: expected sizes of 1, received {sizes}")
    return value.without([value.order[axis] for axis in axes])


def _new_axes(reader: Reader, node: Node, rank: int) -> list[int]:
    given: Any = reader.constant(node, 1)
    named: Any = node.attributes.get("axes", []) if given is None else np.ravel(given).tolist()
    return axes_of(node, given, rank + len(named)) or []


def _unsqueeze(reader: Reader, node: Node, value: Turned) -> Turned:
    order, view = list(value.order), value.view
    for axis in _new_axes(reader, node, len(order)):
        view = (*view, 1)
        order.insert(axis, len(view))
    return replace(value, view=view, order=tuple(order))


def _reshape(reader: Reader, node: Node, value: Turned) -> Turned:
    """Join axes that follow each other in both orders; axes of size 1 come and go."""
    sizes = value.sizes
    last = value.order[-1] == len(value.order) - 1
    if not value.rows and last and _joined(reader, node, value.view):
        return replace(value, rows=True)
    if value.rows:
        target = np.ravel(read_shapes.sizes(reader, node, node.inputs[1])).tolist()
        apart = replace(value, rows=False)
        left = [(a, b) for a, b in zip(target, apart.sizes, strict=False) if _other(a, b)]
        if len(target) != len(apart.sizes) or [a for a, _ in left] not in ([], [-1]):
            raise UnsupportedError(f"{where(node)}: no reshape of {sizes} to {target} here")
        return apart
    target = _resolved(reader, node, sizes)
    value = value.without([p for p, size in enumerate(value.view, 1) if size == 1])
    rest = list(zip(value.sizes, value.order, strict=True))
    groups: list[list[int]] = []
    for size in target:
        group: list[int] = []
        count: Any = 1
        while rest and size != 1 and count != size:
            part, place = rest.pop(0)
            numbers = isinstance(part, int) and isinstance(count, int)
            count = part if not group else count * part if numbers else ""
            group.append(place)
        follows = all(b == a + 1 for a, b in itertools.pairwise(group))
        if count != size or not follows or (0 in group and len(group) > 1):
            raise UnsupportedError(f"{where(node)}: no reshape of {sizes} to {target} here")
        groups.append(group)
    if rest:
        raise UnsupportedError(f"{where(node)}: no reshape of {sizes} to {target} here")
    places = sorted(range(len(groups)), key=lambda i: groups[i] or [len(value.order)])
    view = tuple(None if target[i] is None else int(target[i]) for i in places[1:])  # type: ignore[arg-type]
    return replace(value, view=view, order=tuple(places.index(i) for i in range(len(groups))))


def _other(size: Any, own: Size) -> bool:
    return bool(size != (read_shapes.UNKNOWN if own is None else own))


def _resolved(reader: Reader, node: Node, sizes: list[Size]) -> list[Size]:
    """Return the target's sizes, with no 0 and no -1 among them."""
    given = np.ravel(read_shapes.sizes(reader, node, node.inputs[1])).tolist()
    target: list[Any] = [sizes[i] if size == 0 else size for i, size in enumerate(given)]
    target = [None if size == read_shapes.UNKNOWN else size for size in target]
    if -1 not in target:
        return target
    left = [size for size in sizes if size not in target and not isinstance(size, int)]
    if left:  # the batch, or the steps, whose number is unknown
        target[target.index(-1)] = left[0]
    else:
        every, known = (
            math.prod(s for s in some if isinstance(s, int) and s != -1) for some in (sizes, target)
        )
        target[target.index(-1)] = every // max(known, 1)
    return target


def _gather(reader: Reader, node: Node, value: Turned) -> Turned:
    axis = axis_of(node, 0, len(value.order))
    index = reader.needed(node, 1)
    if index.ndim == 1 and 1 < index.size <= _MOST:
        spans = [(int(at), None if at == -1 else int(at) + 1, 1) for at in index]
        parts = [_part(reader, node, value, axis, span) for span in spans]
        return _together(reader, parts, value.order[axis])
    if index.size != 1 or index.ndim > 1:
        raise UnsupportedError(f"{where(node)}: expected one index, received {index.shape}")
    at = int(index.reshape(()))
    span = (at, None if at == -1 else at + 1, 1)
    part = _part(reader, node, value, axis, span, keep=bool(index.ndim))
    return part if index.ndim else part.without([value.order[axis]])


def _slice(reader: Reader, node: Node, value: Turned) -> Turned:
    given = [reader.constant(node, i) for i in range(1, 5)]
    starts, ends, axes, steps = (None if a is None else np.ravel(a).tolist() for a in given)
    named: Any = node.attributes
    starts = named.get("starts", []) if starts is None else starts
    ends = named.get("ends", []) if ends is None else ends
    axes = named.get("axes", [*range(len(starts))]) if axes is None else axes
    most = np.iinfo(np.int32).max
    for axis, start, end, step in zip(axes, starts, ends, steps or [1] * len(starts), strict=True):
        last = None if end >= most or (step < 0 and end < -most) else end
        first = None if start >= most else start
        value = _part(reader, node, value, int(axis) % len(value.order), (first, last, step))
    return value


Span = tuple[int | None, int | None, int]


def _part(
    reader: Reader, node: Node, value: Turned, axis: int, span: Span, keep: bool = True
) -> Turned:
    """Return a slice of one axis; the tensor need not have an axis for a single element."""
    place = value.order[axis]
    if not place:
        raise UnsupportedError(f"{where(node)}: expected an axis beside the batch's")
    size = value.view[place - 1]
    item, left = _item(node, size, span)
    if left == size and span[2] == 1 and (size is not None or span == (0, None, 1)):
        return value
    others = [*value.view[: place - 1], *value.view[place:]]
    if isinstance(item, int) and keep and others.count(None) > 1:
        item, left = [item, item + 1 or None, 1], None  # no Reshape brings the axis back
    whole, at, inner = _located(reader, value, place)
    if inner > 1:  # one of the axes that are together in the tensor
        start, stop, step = span if isinstance(item, list) else (item, item + 1, 1)
        found = range(size or 0)[slice(start, stop or None, step)]
        if step != 1:
            whole, at, inner = value.reshaped(reader), place - 1, 1
        else:
            item = [found[0] * inner, (found[-1] + 1) * inner, 1]
    index = [*[[None, None, None]] * at, item]
    made = reader.apply("GetItem", Symbol(whole), index=index).tensor
    return replace(value, tensor=made, view=(*value.view[: place - 1], left, *value.view[place:]))


def _item(node: Node, size: int | None, span: Span) -> tuple[Any, int | None]:
    """Return an index, or a slice as a list, and the number of elements that it leaves."""
    if size is None:
        start, stop = span[0] or 0, span[1]
        single = span[2] == 1 and stop == (None if start == -1 else start + 1)
        return (start, 1) if single else (list(span), None)
    found = range(size)[slice(*span)]
    if not found:
        raise UnsupportedError(f"{where(node)}: expected a part of {size}, received {span}")
    return (found[0] if len(found) == 1 else list(span)), len(found)


def _located(reader: Reader, value: Turned, place: int) -> tuple[SymbolicTensor, int, int]:
    """Return a tensor, the axis after the batch's in which one of the view is, and the number of
    elements behind each of its own there: more than 1 if the tensor has it together with another.
    """
    shape, at = value.tensor.shape[1:], 0
    found: list[tuple[int, int]] = []
    for size in value.view:
        known = shape[at] if at < len(shape) else 1
        behind = bool(found) and found[-1][1] > 1
        if behind or known == size:
            found.append((at, 1))
            at += 1
        elif size == 1:
            found.append((at, 0))
        elif size and known and known % size == 0:
            found.append((at, known // size))
        else:
            break
    fits = len(found) == len(value.view) and at == len(shape)
    own = found[place - 1] if fits else (0, 0)
    follows = place > 1 and fits and found[place - 2][1] > 1
    last = own[1] > 1 and place == len(found)
    if not fits or own[1] == 0 or follows or last:
        return value.reshaped(reader), place - 1, 1
    return value.tensor, *own


def _concat(reader: Reader, node: Node, value: Turned) -> Turned:
    values = [find(reader, name) for name in node.inputs]
    axis = axis_of(node, 0, len(value.order))
    place = value.order[axis]
    known = [v for v in values if v is not None and v.order == value.order]
    if len(known) < len(values) or not place:
        raise UnsupportedError(
            f"{where(node)}: expected values whose axes have one order, and an axis beside the "
            "batch's"
        )
    return _together(reader, known, place)


def _together(reader: Reader, values: Sequence[Turned], place: int) -> Turned:
    parts = [Symbol(value.reshaped(reader)) for value in values]
    made = reader.apply("Concatenate", *parts, axis=place) if len(parts) > 1 else parts[0]
    return replace(values[0], tensor=made.tensor, view=tuple(made.tensor.shape[1:]))


_OPERATORS: dict[str, Callable[[Reader, Node, Turned], Turned]] = {
    "Concat": _concat,
    "Gather": _gather,
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
