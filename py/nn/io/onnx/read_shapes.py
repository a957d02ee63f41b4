"""Shape computations in ONNX graphs: Shape, Gather, Concat and arithmetic between them.

PyTorch writes `x.view(x.size(0), 64, 7, 7)` as four to ten nodes that end in a Reshape. All sizes
are known when the graph is read, except that of the batch, which can only be passed on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nn.io.errors import UnsupportedError
from nn.io.onnx.messages import Node
from nn.io.onnx.reader import Reader, where

BATCH = "n"
"""The batch size, which is unknown, in an array of sizes."""


def handles(reader: Reader, node: Node) -> bool:
    """Return whether the node computes with shapes."""
    if node.operator == "Shape":
        return bool(node.inputs) and node.inputs[0] in reader.symbols
    return node.operator in _OPERATORS and any(name in reader.sizes for name in node.inputs)


def compute(reader: Reader, node: Node) -> None:
    """Compute the node's output, an array of integers and `BATCH`."""
    if node.operator == "Shape":
        made = _shape(reader, node)
    else:
        given = [_sizes(reader, node, name) for name in node.inputs if name]
        made = _OPERATORS[node.operator](node, *given)
    reader.sizes[node.outputs[0]] = made


def target(reader: Reader, node: Node) -> list[int]:
    """Return the target shape of a Reshape; 0 means the batch size."""
    name = node.inputs[1] if len(node.inputs) > 1 else ""
    if name not in reader.sizes:
        return [int(size) for size in np.ravel(reader.needed(node, 1))]
    sizes = np.ravel(reader.sizes[name]).tolist()
    if BATCH in sizes[1:]:
        raise UnsupportedError(f"{where(node)}: expected the batch in front, received {sizes}")
    return [0 if size == BATCH else int(size) for size in sizes]


def _shape(reader: Reader, node: Node) -> Any:
    symbol = reader.symbol(node)
    sizes: list[Any] = [BATCH, *symbol.sizes]
    if None in sizes:
        raise UnsupportedError(f"{where(node)}: expected a known shape, received {sizes}")
    attributes: dict[str, Any] = node.attributes
    return np.array(sizes[attributes.get("start", 0) : attributes.get("end")], object)


def _sizes(reader: Reader, node: Node, name: str) -> Any:
    if name in reader.sizes:
        return reader.sizes[name]
    if name in reader.constants:
        return reader.constants[name]
    raise UnsupportedError(f"{where(node)}: expected {name!r} to be a shape or constant")


def _gather(node: Node, sizes: Any, indices: Any) -> Any:
    return np.asarray(np.take(sizes, np.asarray(indices, np.int64)), object)


def _slice(node: Node, sizes: Any, starts: Any, ends: Any, axes: Any = 0, steps: Any = 1) -> Any:
    start, end, step = (int(np.ravel(v)[0]) for v in (starts, ends, steps))
    return sizes[start:end:step]


def _concat(node: Node, *parts: Any) -> Any:
    return np.concatenate([np.asarray(part, object).reshape(-1) for part in parts])


def _ravel(node: Node, sizes: Any, axes: Any = None) -> Any:
    return np.ravel(sizes)


def _scalar(node: Node, sizes: Any, axes: Any = None) -> Any:
    return np.asarray(sizes, object).reshape(())


def _same(node: Node, sizes: Any) -> Any:
    return sizes


def _arithmetic(function: Callable[[Any, Any], Any], neutral: int) -> Callable[..., Any]:
    def one(node: Node, a: Any, b: Any) -> Any:
        if BATCH not in (a, b):
            return int(function(int(a), int(b)))
        if b == neutral:
            return a
        if a == neutral and function in (int.__mul__, int.__add__):
            return b
        raise UnsupportedError(f"{where(node)}: expected known sizes, received {a!r} and {b!r}")

    def handle(node: Node, a: Any, b: Any) -> Any:
        a, b = np.broadcast_arrays(np.asarray(a, object), np.asarray(b, object))
        made = [one(node, *pair) for pair in zip(a.ravel(), b.ravel(), strict=True)]
        out = np.empty(len(made), object)
        out[:] = made
        return out.reshape(a.shape)

    return handle


_OPERATORS: dict[str, Callable[..., Any]] = {
    "Add": _arithmetic(int.__add__, 0),
    "Cast": _same,
    "Concat": _concat,
    "Div": _arithmetic(int.__floordiv__, 1),
    "Gather": _gather,
    "Identity": _same,
    "Mul": _arithmetic(int.__mul__, 1),
    "Slice": _slice,
    "Squeeze": _scalar,
    "Sub": _arithmetic(int.__sub__, 0),
    "Unsqueeze": _ravel,
}
