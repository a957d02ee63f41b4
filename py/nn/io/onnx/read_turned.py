"""Values whose batch is not the graph's first axis, as around recurrent operators: (steps, n, ...),
or is one with others, as for windows of images: (n * windows, ...).

The engine computes them with the batch first; what axes the graph has of it is remembered, see
`read_groups`. Operators on axes change that, and a value whose batch comes first again is one like
any other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np

from nn.graph import SymbolicTensor
from nn.io.errors import UnsupportedError
from nn.io.onnx import read_shapes
from nn.io.onnx.messages import Node
from nn.io.onnx.read_constants import axes_of, axis_of, parts_of
from nn.io.onnx.read_groups import Turned
from nn.io.onnx.reader import Array, Handle, Reader, Symbol, where
from nn.layers import Input
from nn.models.model import Model

ELEMENTWISE = (
    "Abs", "Add", "Cast", "Celu", "Clip", "Div", "Dropout", "Elu", "Exp", "Gelu", "HardSigmoid",
    "HardSwish", "Identity", "LeakyRelu", "Log", "Max", "Min", "Mish", "Mul", "Neg", "Pow",
    "Reciprocal", "Relu", "Selu", "Sigmoid", "Softplus", "Softsign", "Sqrt", "Sub", "Tanh",
    "Where",
)  # fmt: skip
EACH = (*ELEMENTWISE, "Gemm", "MatMul")
"""Operators that treat all axes but the last alike."""

_ALONG = ("LayerNormalization", "LogSoftmax", "Softmax")
_REDUCTIONS = (
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
    "ReduceMin", "ReduceSum", "ReduceSumSquare",
)  # fmt: skip
_ANYWHERE = (
    "Einsum", "Erf", "Greater", "GreaterOrEqual", "IsNaN", "Less", "LessOrEqual", "Or", "Sign",
    "Where",
)  # fmt: skip
"""Operators whose conversion looks at the axes itself, or at none."""
_MOST = 64  # parts that a Gather takes: each is a layer
_ENDLESS = 10**9  # tf2onnx's end of an axis of any size; others write the largest integers

Span = tuple[int | None, int | None, int]
"""The first, the end and the step of a slice."""


def keep(reader: Reader, name: str, value: Turned) -> None:
    """Set a value of the graph: one like any other if its batch is the first axis."""
    if value.axes[:1] != ((0,),):
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
    return Turned.ordered(x.tensor, x.tensor.shape[1:], range(x.rank), x.turned)


def handles(reader: Reader, node: Node) -> bool:
    """Return whether the node is to be converted here."""
    masked = node.operator == "Where" and node.inputs[0] in reader.constants
    if node.operator in _ANYWHERE and not masked:
        return False
    if node.operator in ("GRU", "LSTM", "RNN"):
        return _joined(reader, node)
    if any(name in reader.turned for name in node.inputs):
        return True
    if not node.inputs or node.inputs[0] not in reader.symbols:
        return False
    if node.operator == "Transpose":
        perm = node.attributes.get("perm")
        return isinstance(perm, list) and len(perm) > 1 and perm[0] != 0
    if node.operator == "Unsqueeze":
        return new_axes(reader, node, reader.symbols[node.inputs[0]].rank)[:1] == [0]
    if node.operator == "Reshape":
        return _takes_batch_along(reader, node)
    if node.operator == "Flatten":
        rank = reader.symbols[node.inputs[0]].rank
        return node.attributes.get("axis", 1) not in ((1, 1 - rank) if rank > 1 else ())
    return node.operator in ("Gather", "Slice")


def _joined(reader: Reader, node: Node) -> bool:
    """Return whether the batch of the first input is one axis with others."""
    found = reader.turned.get(node.inputs[0]) if node.inputs else None
    return found is not None and found.joined


def _takes_batch_along(reader: Reader, node: Node) -> bool:
    """Return whether a Reshape makes one axis of the batch's and others."""
    name = node.inputs[1] if len(node.inputs) > 1 else ""
    shape = reader.sizes.get(name, reader.constants.get(name))
    if shape is None or not np.size(shape):
        return False
    first, *rest = np.ravel(shape).tolist()
    x = reader.symbols[node.inputs[0]]
    if first in (0, read_shapes.BATCH):
        return False
    if first == -1:
        if all(isinstance(size, int) for size in [*x.sizes, *rest]) and 0 not in rest:
            return math.prod(rest) != math.prod(size or 1 for size in x.sizes)
        value = Turned.ordered(x.tensor, x.sizes, range(x.rank))
        return value.reshaped_to([first, *rest], alone=reader.alone) is not None
    if isinstance(first, int):
        return first > 1 if reader.alone else -1 in rest
    return read_shapes.factors(first)[1]


def compute(reader: Reader, node: Node, handle: Handle) -> None:
    """Set the node's outputs.

    Raises:
        UnsupportedError: the operator needs the batch to be the first axis.
    """
    if node.outputs[0] in reader.same:  # the bias of a product before, and already added
        value = find(reader, reader.same[node.outputs[0]])
        assert value is not None
        keep(reader, node.outputs[0], value)
        return
    if node.operator == "Split":
        _split(reader, node)
        return
    if node.operator not in HANDLED and _joined(reader, node):
        _each_by_itself(reader, node, handle)
        return
    moves = _OPERATORS.get(node.operator)
    if moves is None or (node.operator == "Gather" and node.inputs[0] in reader.constants):
        _as_if_first(reader, node, handle)
        return
    keep(reader, node.outputs[0], moves(reader, node, _value(reader, node)))


def _value(reader: Reader, node: Node) -> Turned:
    value = find(reader, node.inputs[0])
    if value is None:
        raise UnsupportedError(f"{where(node)}: expected input 0 to be computed")
    return value


# Operators that the engine has for a batch in front.


def _as_if_first(reader: Reader, node: Node, handle: Handle) -> None:
    """Convert an operator as if the batch were the first axis, and all axes were apart."""
    values = {name: found for name in node.inputs if (found := find(reader, name))}
    settled = {name: value.settled(reader) for name, value in values.items()}
    if node.operator in ELEMENTWISE:  # fewer axes are the last ones
        rank = max(len(one.axes) for one in settled.values())
        settled = {name: one.with_axes(rank) for name, one in settled.items()}
    if node.operator not in ELEMENTWISE or len({one.axes for one in settled.values()}) > 1:
        settled = {name: value.all_placed() for name, value in settled.items()}
    value = next(iter(settled.values()))
    given, gone = _adapted(reader, node, value)
    matrices = node.operator == "MatMul" and all(name in values for name in node.inputs)
    if len({_outer(one, matrices) for one in settled.values()}) > 1:
        raise UnsupportedError(
            f"{where(node)}: expected values whose axes have one order, received "
            f"{[one.sizes for one in values.values()]}"
        )
    hidden = {name: reader.symbols.get(name) for name in values}
    reader.symbols.update({n: Symbol(one.reshaped(reader)) for n, one in settled.items()})
    handle(reader, given)
    made = reader.symbols.pop(node.outputs[0])
    for name, symbol in hidden.items():
        if symbol is None:
            del reader.symbols[name]
        else:
            reader.symbols[name] = symbol
    x = reader.in_order(made)
    axes = value.axes if node.operator != "Gather" else (*value.axes, (x.rank - 1,))
    result = replace(value, tensor=x.tensor, view=tuple(x.tensor.shape[1:]), axes=axes)
    keep(reader, node.outputs[0], result.without(gone))


def _outer(value: Turned, matrices: bool) -> Any:
    """Return what has to be the same in all inputs: the axes, and what matrices are of."""
    return value.axes, value.view[:-2] if matrices else ()


def _adapted(reader: Reader, node: Node, value: Turned) -> tuple[Node, list[int]]:
    """Return a node for the value with the batch first, and the axes of its output that go."""
    rank = len(value.axes)
    last = value.axes[-1:]
    inner = bool(last) and len(last[0]) == 1 and last != ((0,),)
    if node.operator in ELEMENTWISE:
        return _with_constants(reader, node, value), []
    if node.operator in ("Gemm", "MatMul") and inner:
        matrices = node.inputs[1] not in reader.constants
        _expect_matrices(reader, node, value)
        if not matrices or (rank > 2 and 0 not in value.axes[-2]):
            return node, []
    if node.operator == "Gather":
        return node, []
    if node.operator in _ALONG:
        axis = axis_of(node, -1, rank)
        places = value.axes[axis]
        alone = len(places) == 1 and places != (0,) and (reader.opset >= 13 or axis == rank - 1)
        if alone and (node.operator != "LayerNormalization" or axis == rank - 1):
            return replace(node, attributes=node.attributes | {"axis": places[0]}), []
    if node.operator in _REDUCTIONS:
        axes = axes_of(node, reader.constant(node, 1), rank)
        places = tuple(place for axis in axes or () for place in value.axes[axis])
        if axes and places and 0 not in places:
            kept = node.attributes.get("keepdims", 1)
            attributes = node.attributes | {"axes": sorted(places), "keepdims": 1}
            one = replace(node, inputs=node.inputs[:1], attributes=attributes)
            return one, [] if kept else axes
    raise UnsupportedError(
        f"{where(node)}: expected the batch as the first axis, received {value.sizes}"
    )


def _expect_matrices(reader: Reader, node: Node, value: Turned) -> None:
    """Refuse constants of many matrices, which follow axes of the graph."""
    for name in node.inputs[:2]:
        if math.prod(np.shape(reader.constants.get(name, 0))[:-2]) > 1:
            raise UnsupportedError(f"{where(node)}: expected one matrix for {value.sizes}")


def _with_constants(reader: Reader, node: Node, value: Turned) -> Node:
    """Return a node whose constants have the axes of the value in the engine."""
    names = []
    for name in node.inputs:
        array = reader.constants.get(name)
        if array is not None and array.ndim:
            name = f"{name} in {node.outputs[0]}"
            reader.constants[name] = _apart(node, value, array)
        names.append(name)
    return replace(node, inputs=names)


def _apart(node: Node, value: Turned, array: Array) -> Array:
    """Return a constant that ONNX broadcasts to a settled value, with an axis for each place."""
    sizes = [1] * (len(value.axes) - array.ndim) + list(array.shape)
    fits, shape = len(sizes) == len(value.axes), [1]
    for size, places in zip(sizes, value.axes, strict=False):
        inner = [value.view[place - 1] for place in places if place]
        fits = fits and (size == 1 or (0 not in places and inner == [size]))
        shape += [size] if size != 1 else [1] * len(inner)
    if not fits:
        raise UnsupportedError(
            f"{where(node)}: expected a constant that fits {value.sizes}, received shape "
            f"{list(array.shape)}"
        )
    return array.reshape(shape)


def _each_by_itself(reader: Reader, node: Node, handle: Handle) -> None:
    """Convert an operator on a batch that is one axis with others: a model for each of its rows.

    Raises:
        UnsupportedError: the operator takes other values of the model too.
    """
    value = _value(reader, node).settled(reader)
    if any(n in reader.turned or n in reader.symbols for n in node.inputs[1:]):
        raise UnsupportedError(
            f"{where(node)}: expected the batch as the first axis, received {value.sizes}"
        )
    at = next(axis for axis, places in enumerate(value.axes) if 0 in places)
    joined = [place for place in value.axes[at] if place]
    outer = [value.view[place - 1] for place in joined]
    batch = tuple(joined.index(place) + 1 if place else 0 for place in value.axes[at])
    rows, sizes = _in_rows(reader, node, value, at)
    entry = Input(sizes)
    for name, made in _of_a_row(reader, node, handle, entry, at).items():
        layer = Model(entry, made.reshaped(reader))
        whole = reader.apply("TimeDistributed", rows, layer=layer).tensor
        axes = tuple(
            batch if 0 in places else tuple(place + len(outer) for place in places)
            for places in made.axes
        )
        keep(reader, name, Turned(whole, (*outer, *made.view), axes))


def _in_rows(reader: Reader, node: Node, value: Turned, at: int) -> tuple[Symbol, list[int | None]]:
    """Return a settled value as (n, rows, ...), and the sizes of a row.

    Args:
        reader: the state of the import.
        node: the node that uses it.
        value: the value.
        at: its axis that is the batch's and the rows'.
    """
    joined = [place for place in value.axes[at] if place]
    rest = [place for place in range(1, len(value.view) + 1) if place not in joined]
    sizes = [value.view[p[0] - 1] if p else 1 for i, p in enumerate(value.axes) if i != at]
    count = read_shapes.product([value.view[place - 1] for place in joined])
    if not isinstance(count, int) or None in sizes:
        raise UnsupportedError(f"{where(node)}: expected a known shape, received {value.sizes}")
    x = Symbol(value.reshaped(reader))
    if [*joined, *rest] != [*range(1, x.rank)]:
        x = reader.apply("Permute", x, dims=[*joined, *rest])
    return reader.reshape(x, [count, *sizes]), sizes


def _of_a_row(
    reader: Reader, node: Node, handle: Handle, entry: SymbolicTensor, at: int
) -> dict[str, Turned]:
    """Return the outputs of an operator for one row, whose batch is an axis of the graph."""
    name, inner = node.inputs[0], list(entry.shape[1:])
    order = [*range(1, at + 1), 0, *range(at + 1, len(inner) + 1)]
    hidden = reader.turned.pop(name)
    keep(reader, name, Turned.ordered(entry, inner, order, hidden.turned))
    handle(reader, node)
    reader.symbols.pop(name, None)
    reader.turned[name] = hidden
    used = [output for output in node.outputs if reader.used(output)]
    found = {output: find(reader, output) for output in used}
    for output in used:
        reader.turned.pop(output, None)
        reader.symbols.pop(output, None)
    return {output: made for output, made in found.items() if made is not None}


# Operators on axes.


def _transpose(reader: Reader, node: Node, value: Turned) -> Turned:
    rank = len(value.axes)
    perm: Any = node.attributes.get("perm", [*range(rank)][::-1])
    if sorted(perm) != [*range(rank)]:
        raise UnsupportedError(f"{where(node)}: expected {rank} axes, received {perm!r:.80}")
    return replace(value, axes=tuple(value.axes[axis] for axis in perm), turned=True)


def _squeeze(reader: Reader, node: Node, value: Turned) -> Turned:
    sizes = value.sizes
    axes = axes_of(node, reader.constant(node, 1), len(sizes))
    if axes is None:
        axes = [axis for axis, size in enumerate(sizes) if size == 1]
    if any(sizes[axis] != 1 for axis in axes):
        raise UnsupportedError(f"{where(node)}: expected sizes of 1, received {sizes}")
    return value.without(axes)


def new_axes(reader: Reader, node: Node, rank: int) -> list[int]:
    """Return the axes that an Unsqueeze adds to a value of so many."""
    given: Any = reader.constant(node, 1)
    named: Any = node.attributes.get("axes", []) if given is None else np.ravel(given).tolist()
    return axes_of(node, given, rank + len(named)) or []


def _unsqueeze(reader: Reader, node: Node, value: Turned) -> Turned:
    axes = list(value.axes)
    for axis in new_axes(reader, node, len(axes)):
        axes.insert(axis, ())
    return replace(value, axes=tuple(axes))


def _reshape(reader: Reader, node: Node, value: Turned) -> Turned:
    given = np.ravel(read_shapes.sizes(reader, node, node.inputs[1])).tolist()
    sizes = value.sizes
    zero = not node.attributes.get("allowzero", 0)
    target = [sizes[at] if size == 0 and zero else size for at, size in enumerate(given)]
    if -1 not in target and target.count(read_shapes.ROWS) == 1:
        target[target.index(read_shapes.ROWS)] = -1
    made = value.reshaped_to(target, alone=reader.alone)
    if made is None:
        raise UnsupportedError(f"{where(node)}: no reshape of {sizes} to {given} here")
    return made


def _flatten(reader: Reader, node: Node, value: Turned) -> Turned:
    rank = len(value.axes)
    axis = rank if node.attributes.get("axis") == rank else axis_of(node, 1, rank)
    front, back = value.axes[:axis], value.axes[axis:]
    return replace(value, axes=(tuple(chain(*front)), tuple(chain(*back))))


def _expand(reader: Reader, node: Node, value: Turned) -> Turned:
    """Repeat axes of size 1, by a product with ones."""
    target = np.ravel(read_shapes.sizes(reader, node, node.inputs[1])).tolist()
    value, wanted = value.settled(reader), [1] * (len(value.axes) - len(target)) + target
    growing = {
        axis: size
        for axis, (size, own) in enumerate(zip(wanted, value.sizes, strict=False))
        if size not in (1, own)
    }
    if len(wanted) != len(value.axes) or any(
        value.axes[axis] or not isinstance(size, int) for axis, size in growing.items()
    ):
        raise UnsupportedError(f"{where(node)}: no {value.sizes} as {target} here")
    for axis in growing:
        value = value.placed(axis)
    shape = [1] * (len(value.view) + 1)
    for axis, size in growing.items():
        shape[value.axes[axis][0]] = size
    x = Symbol(value.reshaped(reader))
    reader.claim(math.prod(shape) * 4, where(node))
    ones = reader.apply("ConstantArray", x, value=np.ones(shape, np.float32))
    made = reader.apply("Multiply", x, ones).tensor
    return replace(value, tensor=made, view=tuple(made.shape[1:]))


def gather(reader: Reader, node: Node) -> None:
    """Set the parts of a value that a constant index takes."""
    keep(reader, node.outputs[0], _gather(reader, node, _value(reader, node)))


def _gather(reader: Reader, node: Node, value: Turned) -> Turned:
    axis = axis_of(node, 0, len(value.axes))
    index = reader.needed(node, 1)
    size = value.sizes[axis]
    whole = [int(at) for at in np.ravel(index)]
    if isinstance(size, int):
        if any(not -size <= at < size for at in whole):
            raise UnsupportedError(
                f"{where(node)}: expected indices of {size}, received {whole!r:.80}"
            )
        whole = [at % size for at in whole]
    spans = _spans(whole)
    if not 0 < len(spans) <= _MOST:
        raise UnsupportedError(
            f"{where(node)}: expected at most {_MOST} parts, received an index of shape "
            f"{index.shape}"
        )
    parts = [_part(reader, node, value, axis, span, keep=bool(index.ndim)) for span in spans]
    made = _together(reader, parts, axis) if len(parts) > 1 else parts[0]
    if not index.ndim:
        return made.without([axis])
    if index.ndim == 1:
        return made
    sizes = made.sizes
    apart = made.reshaped_to([*sizes[:axis], *index.shape, *sizes[axis + 1 :]], alone=reader.alone)
    if apart is None:
        raise UnsupportedError(f"{where(node)}: no index of shape {index.shape} here")
    return apart


def _spans(index: Sequence[int]) -> list[Span]:
    """Return slices of which the parts together are the elements of an index, or too many."""
    spans: list[Span] = []
    at = 0
    while at < len(index) and len(spans) <= _MOST:
        start, step, end = index[at], 0, at + 1
        if end < len(index):
            step = index[end] - start
        while step and end < len(index) and index[end] == start + (end - at) * step:
            end += 1
        step = step if end - at > 1 else 1
        behind = start + (end - at) * step
        passed = behind if (behind < 0) == (start < 0) else None  # else the axis ends there
        spans.append((start, passed, step))
        at = end
    return spans


def _slice(reader: Reader, node: Node, value: Turned) -> Turned:
    given = [reader.constant(node, i) for i in range(1, 5)]
    starts, ends, axes, steps = (None if a is None else np.ravel(a).tolist() for a in given)
    named: Any = node.attributes
    starts = named.get("starts", []) if starts is None else starts
    ends = named.get("ends", []) if ends is None else ends
    axes = named.get("axes", [*range(len(starts))]) if axes is None else axes
    for axis, start, end, step in zip(axes, starts, ends, steps or [1] * len(starts), strict=True):
        last = None if end >= _ENDLESS or (step < 0 and end < -_ENDLESS) else end
        first = None if start >= _ENDLESS else start
        at, span = int(axis) % len(value.axes), (first, last, step)
        if span != (0, None, 1):  # all of an axis, be it the batch's, as tf2onnx writes it
            value = _part(reader, node, value, at, span)
    return value


def _part(
    reader: Reader, node: Node, value: Turned, axis: int, span: Span, keep: bool = True
) -> Turned:
    """Return a slice of one axis; the tensor need not have an axis for a single element."""
    if not value.axes[axis]:
        _item(node, 1, span)
        return value
    value, place = _alone(reader, node, value, axis)
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


def _alone(reader: Reader, node: Node, value: Turned, axis: int) -> tuple[Turned, int]:
    """Return a value of which an axis is one place, and that place."""
    if len(value.axes[axis]) > 1:
        value = value.settled(reader)
    if 0 in value.axes[axis]:
        raise UnsupportedError(
            f"{where(node)}: expected an axis beside the batch's, received {value.sizes}"
        )
    value = value.placed(axis)
    return value, value.axes[axis][0]


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


def _split(reader: Reader, node: Node) -> None:
    value = _value(reader, node)
    axis = axis_of(node, 0, len(value.axes))
    size = value.sizes[axis]
    if not isinstance(size, int):
        raise UnsupportedError(
            f"{where(node)}: expected a known axis beside the batch's, received {value.sizes}"
        )
    for name, (start, end) in zip(
        node.outputs, parts_of(node, reader.constant(node, 1), size), strict=True
    ):
        if reader.used(name):
            keep(reader, name, _part(reader, node, value, axis, (start, end, 1)))


def _concat(reader: Reader, node: Node, value: Turned) -> Turned:
    axis = axis_of(node, 0, len(value.axes))
    found = [find(reader, name) for name in node.inputs]
    values = [one.settled(reader).placed(axis) for one in found if one]
    others = {(*one.axes[:axis], (), *one.axes[axis + 1 :]) for one in values}
    apart = all(len(one.axes[axis]) == 1 and 0 not in one.axes[axis] for one in values)
    if len(values) < len(found) or len(others) > 1 or not apart:
        raise UnsupportedError(
            f"{where(node)}: expected values whose axes have one order, and an axis beside the "
            "batch's"
        )
    return _together(reader, values, axis)


def _together(reader: Reader, values: Sequence[Turned], axis: int) -> Turned:
    values = [value.placed(axis) for value in values]
    (place,) = values[0].axes[axis]
    parts = [Symbol(value.reshaped(reader)) for value in values]
    made = reader.apply("Concatenate", *parts, axis=place) if len(parts) > 1 else parts[0]
    return replace(values[0], tensor=made.tensor, view=tuple(made.tensor.shape[1:]))


_OPERATORS: dict[str, Callable[[Reader, Node, Turned], Turned]] = {
    "Concat": _concat,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}

HANDLED = frozenset((*EACH, *_ALONG, *_REDUCTIONS, *_OPERATORS, "Split"))
"""The operators that are converted here."""
