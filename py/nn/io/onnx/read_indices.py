"""Indices of a table that a graph computes first, such as those that tf2onnx counts from the end.

Keras' Embedding takes x + rows where x < 0, in eight nodes. Such nodes are tried on every index of
the table; where they change none, the table is an Embedding of x.
"""

from __future__ import annotations

import numpy as np

from nn.io.errors import UnsupportedError
from nn.io.onnx.messages import Node
from nn.io.onnx.read_constants import folded, size
from nn.io.onnx.reader import Array, Reader, where

_BETWEEN = (
    "Add", "And", "Cast", "Equal", "Greater", "Identity", "Less", "Max", "Min", "Mul", "Not", "Or",
    "Sub", "Where",
)  # fmt: skip
_MOST = 64  # nodes between a value and a table: each is computed again for every table


def end_in_tables(reader: Reader, cast: Node) -> bool:
    """Return whether all that is computed from a node ends as indices of tables."""
    waiting, seen = list(cast.outputs), set(cast.outputs)
    while waiting:
        name = waiting.pop()
        users = reader.consumers(name)
        if not users or name in reader.outputs:
            return False
        for node in users:
            if node.operator == "Gather" and node.inputs[0] in reader.constants:
                continue
            if node.operator not in _BETWEEN:
                return False
            waiting += [made for made in node.outputs if made not in seen]
            seen.update(node.outputs)
    return True


def handles(reader: Reader, node: Node) -> bool:
    """Return whether the node computes with whole numbers, before a table takes them."""
    return node.operator in _BETWEEN and any(name in reader.whole for name in node.inputs)


def follow(reader: Reader, node: Node) -> None:
    """Note that the node's output is computed from whole numbers."""
    known = [reader.whole[name] for name in node.inputs if name in reader.whole]
    nodes = [one for _, before in known for one in before]
    # A node that two of the inputs need is noted once.
    chain = [*{id(n): n for n in nodes}.values(), node]
    if len(chain) > _MOST:
        raise UnsupportedError(f"{where(node)}: expected indices of at most {_MOST} nodes")
    reader.whole[node.outputs[0]] = known[0][0], chain


def unchanged(reader: Reader, gather: Node, rows: int) -> bool:
    """Return whether each index of a table's rows is itself when the table takes it."""
    source, nodes = reader.whole[gather.inputs[1]]
    wanted: Array = np.arange(rows)
    values: dict[str, Array] = {
        name: wanted for name, (x, made) in reader.whole.items() if x is source and not made
    }
    for node in nodes:
        given = [values.get(name, reader.constants.get(name)) for name in node.inputs]
        if any(array is None for array in given) or size(node, given) > 4 * rows:
            return False
        made = folded(node, given)
        if made is None:
            return False
        values[node.outputs[0]] = made
    return bool(np.array_equal(np.ravel(values[gather.inputs[1]]), wanted))
