"""Shape computations in ONNX graphs: Shape, Gather, Concat and arithmetic between them.

PyTorch writes `x.view(x.size(0), 64, 7, 7)` as four to ten nodes that end in a Reshape. All sizes
are known when the graph is read, except that of the batch, which can only be passed on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nn.io.errors import LimitError, UnsupportedError
from nn.io.onnx.messages import Node
from nn.io.onnx.reader import Reader, where

BATCH = "n"
"""The batch size, which is unknown, in an array of sizes."""
MOST = 1000
"""Sizes that one value holds: no tensor has so many axes, and a few nodes could make gigabytes."""
UNKNOWN = "?"
"""Another size that is unknown."""
ROWS = "n * steps"
"""The batch size times another that is unknown; "n * 3" is that of one that is known."""

Size = int | str | None
"""A size: a number, `BATCH` and its multiples, None or `UNKNOWN`."""


def factors(size: Size) -> tuple[int, bool, bool]:
    """Return the number that a size is a multiple of, whether of the batch's, of an unknown one."""
    if isinstance(size, str) and size.startswith(BATCH):
        times = size.removeprefix(BATCH).removeprefix(" * ") or "1"
        return (int(times), True, False) if times.isdecimal() else (1, True, True)
    return (1, False, True) if size is None or size == UNKNOWN else (int(size), False, False)


def product(known: Sequence[Size]) -> Size:
    """Return the size of several axes together, with None for one that is unknown."""
    counts, batches, unknown = zip(*map(factors, known), strict=True) if known else ((), (), ())
    count = math.prod(counts)
    if not any(batches):
        return None if any(unknown) else count
    if any(unknown):
        return ROWS
    return BATCH if count == 1 else f"{BATCH} * {count}"


def handles(reader: Reader, node: Node) -> bool:
    """Return whether the node computes with shapes, or makes one number as often as one says."""
    if not node.inputs:
        return False
    first, last = node.inputs[0], node.inputs[-1]
    if node.operator == "Shape":
        return any(first in some for some in (reader.symbols, reader.turned, reader.sizes))
    if node.operator in _FILLING:
        array = node.operator == "Expand" and np.size(reader.constants.get(first, 0)) > 1
        value = first in reader.symbols or first in reader.turned or array
        return (last in reader.sizes and not value) or first in reader.fills
    if first in reader.fills:
        computed = any(name in reader.symbols or name in reader.turned for name in node.inputs)
        return node.operator in _STILL_FILLED and not computed
    if node.operator == "Reshape":
        return first in reader.sizes
    return node.operator in _OPERATORS and any(name in reader.sizes for name in node.inputs)


def compute(reader: Reader, node: Node) -> None:
    """Compute the node's output: an array of integers, `BATCH` and `UNKNOWN`, or a number."""
    if node.operator in _FILLING or node.inputs[0] in reader.fills:
        reader.fills[node.outputs[0]] = _filled(reader, node)
        return
    if node.operator == "Shape":
        made = _shape(reader, node)
    else:
        given = [sizes(reader, node, name) for name in node.inputs if name]
        made = _OPERATORS[node.operator](node, *given)
        if np.size(made) > MOST:
            raise LimitError(f"{where(node)}: expected at most {MOST} sizes, got {np.size(made)}")
    if all(isinstance(size, int | np.integer) for size in np.ravel(made)):
        reader.constants[node.outputs[0]] = np.asarray(made, np.int64)
    else:
        reader.sizes[node.outputs[0]] = made


def _filled(reader: Reader, node: Node) -> float:
    """Return the number that a value of unknown size holds everywhere."""
    if node.operator == "ConstantOfShape":
        given: Any = node.attributes.get("value", 0.0)
        return float(np.ravel(given)[0])
    names = node.inputs if node.operator == "Concat" else node.inputs[:1]
    numbers: set[float] = set()
    for name in names:
        found = [reader.fills[name]] if name in reader.fills else sizes(reader, node, name)
        numbers.update(np.unique(np.asarray(found, object)).tolist())
    if len(numbers) != 1 or not isinstance(number := numbers.pop(), int | float):
        raise UnsupportedError(f"{where(node)}: expected one number for every sample")
    return float(number)


def target(reader: Reader, node: Node) -> list[int]:
    """Return the target shape of a Reshape; 0 means the batch size, -1 what is left."""
    name = node.inputs[1] if len(node.inputs) > 1 else ""
    if name not in reader.sizes:
        return [int(size) for size in np.ravel(reader.needed(node, 1))]
    known = np.ravel(reader.sizes[name]).tolist()
    if [size for size in known if factors(size)[1]] not in ([], [BATCH]) or BATCH in known[1:]:
        raise UnsupportedError(f"{where(node)}: expected the batch in front, received {known}")
    if known.count(UNKNOWN) + known.count(-1) > 1:
        raise UnsupportedError(f"{where(node)}: expected a known shape, received {known}")
    return [0 if size == BATCH else -1 if size == UNKNOWN else int(size) for size in known]


def _shape(reader: Reader, node: Node) -> Any:
    if node.inputs[0] in reader.sizes:
        return np.array(np.shape(reader.sizes[node.inputs[0]]), object)
    turned = reader.turned.get(node.inputs[0])
    found = [BATCH, *reader.symbol(node).sizes] if turned is None else turned.sizes
    known: list[Any] = [UNKNOWN if size is None else size for size in found]
    attributes: dict[str, Any] = node.attributes
    return np.array(known[attributes.get("start", 0) : attributes.get("end")], object)


def sizes(reader: Reader, node: Node, name: str) -> Any:
    """Return an input that is an array of sizes, or constant."""
    if name in reader.sizes:
        return reader.sizes[name]
    found = reader.constants.get(name)
    if found is not None and found.size <= MOST:
        return found
    raise UnsupportedError(f"{where(node)}: expected {name!r} to be a shape or constant")


def _gather(node: Node, known: Any, indices: Any) -> Any:
    return np.asarray(np.take(known, np.asarray(indices, np.int64)), object)


def _slice(node: Node, known: Any, starts: Any, ends: Any, axes: Any = 0, steps: Any = 1) -> Any:
    start, end, step = (int(np.ravel(v)[0]) for v in (starts, ends, steps))
    return known[start:end:step]


def _concat(node: Node, *parts: Any) -> Any:
    return np.concatenate([np.asarray(part, object).reshape(-1) for part in parts])


def _ravel(node: Node, known: Any, axes: Any = None) -> Any:
    return np.ravel(known)


def _scalar(node: Node, known: Any, axes: Any = None) -> Any:
    return np.asarray(known, object).reshape(())


def _same(node: Node, known: Any) -> Any:
    return known


def _arithmetic(function: Callable[[Any, Any], Any], neutral: int) -> Callable[..., Any]:
    def one(node: Node, a: Any, b: Any) -> Any:
        if not isinstance(a, str) and not isinstance(b, str):
            return int(function(int(a), int(b)))
        if b == neutral:
            return a
        if a == neutral and function in (int.__mul__, int.__add__):
            return b
        if function is int.__mul__ and factors(a)[1] != factors(b)[1]:
            return product([a, b])
        if function is _whole and (made := _ratio(a, b)) is not None:
            return made
        raise UnsupportedError(f"{where(node)}: expected known sizes, received {a!r} and {b!r}")

    def handle(node: Node, a: Any, b: Any) -> Any:
        a, b = np.broadcast_arrays(np.asarray(a, object), np.asarray(b, object))
        made = [one(node, *pair) for pair in zip(a.ravel(), b.ravel(), strict=True)]
        out = np.empty(len(made), object)
        out[:] = made
        return out.reshape(a.shape)

    return handle


def _whole(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if a * b > 0 else -1)


def _ratio(a: Size, b: Size) -> Size:
    """Return how often a size is in a multiple of the batch's, None if that is not known."""
    (count, batch, unknown), (parts, also, more) = factors(a), factors(b)
    if not batch or unknown or more or parts < 1 or count % parts:
        return None
    return count // parts if also else product([BATCH, count // parts])


def _equal(node: Node, a: Any, b: Any) -> Any:
    """Return where sizes are equal; one that is unknown is not below 0."""

    def one(a: Any, b: Any) -> int:
        low, high = sorted([a, b], key=str)
        if isinstance(high, str) and not (isinstance(low, int | np.integer) and low < 0):
            raise UnsupportedError(f"{where(node)}: expected known sizes, received {a!r} and {b!r}")
        return int(a == b)

    return np.vectorize(one, otypes=[object])(a, b)


def _where(node: Node, condition: Any, a: Any, b: Any) -> Any:
    return np.where(np.asarray(condition, bool), np.asarray(a, object), np.asarray(b, object))


_FILLING = ("ConstantOfShape", "Expand")
_STILL_FILLED = (
    "Cast", "Concat", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze",
)  # fmt: skip
"""Operators on axes: a value that is one number everywhere stays so."""

_OPERATORS: dict[str, Callable[..., Any]] = {
    "Add": _arithmetic(int.__add__, 0),
    "Cast": _same,
    "Concat": _concat,
    "Div": _arithmetic(_whole, 1),
    "Equal": _equal,
    "Gather": _gather,
    "Identity": _same,
    "Mod": _arithmetic(lambda a, b: a % b, 0),
    "Mul": _arithmetic(int.__mul__, 1),
    "Reshape": lambda node, known, shape: np.reshape(known, np.asarray(shape, np.int64)),
    "Slice": _slice,
    "Squeeze": _scalar,
    "Sub": _arithmetic(int.__sub__, 0),
    "Unsqueeze": _ravel,
    "Where": _where,
}
