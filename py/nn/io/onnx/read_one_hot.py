"""Conversion of whole numbers to vectors with a 1 at the number's place.

JAX writes `one_hot` as a comparison with 0, 1, 2, ... that is cast to floats, others as OneHot.
Numbers that have no place, or count from the end, are refused by the layer when they come.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nn.io.errors import UnsupportedError
from nn.io.onnx.messages import FLOATS, Node
from nn.io.onnx.reader import Handle, Reader, Symbol, where


def _equal(reader: Reader, node: Node) -> None:
    """Set the output of an Equal of whole numbers, in an axis of size 1, and a row 0, 1, 2, ..."""
    at = int(node.inputs[0] in reader.constants)  # the value's place
    row = reader.needed(node, 1 - at)
    x = reader.in_order(reader.symbol(node, at))
    users = reader.consumers(node.outputs[0])
    cast = (
        all(user.operator == "Cast" and user.attributes.get("to") in FLOATS for user in users)
        and node.outputs[0] not in reader.outputs
    )
    places = np.array_equal(np.ravel(row), np.arange(row.size)) and row.shape[-1:] == (row.size,)
    whole = node.inputs[at] in reader.integers and row.dtype.kind in "iu"
    if not (cast and places and whole and row.ndim <= x.rank and x.sizes[-1:] == [1]):
        raise UnsupportedError(
            f"{where(node)}: no comparison here, but of whole numbers of shape (n, ..., 1) with "
            "0, 1, 2, ... that is cast to floats"
        )
    reader.set(node, _one_hot(reader, x, x.sizes[:-1], row.size))


def _of_operator(reader: Reader, node: Node) -> None:
    x = reader.in_order(reader.symbol(node))
    depth, values = reader.needed(node, 1), reader.needed(node, 2)
    last = node.attributes.get("axis", -1) in (-1, x.rank)
    if node.inputs[0] not in reader.integers or not last or depth.size != 1 or values.size != 2:
        raise UnsupportedError(
            f"{where(node)}: expected whole numbers, and their vectors in the last axis"
        )
    made = _one_hot(reader, x, x.sizes, int(depth.reshape(())))
    off, on = np.ravel(values).tolist()
    if (off, on) != (0, 1):
        made = reader.apply("Rescaling", made, scale=float(on - off), offset=float(off))
    if values.dtype.kind != "f":
        reader.integers[node.outputs[0]] = values.dtype
    reader.set(node, made)


def _one_hot(reader: Reader, x: Symbol, sizes: list[int | None], count: int) -> Symbol:
    """Return (n, *sizes, count) for whole numbers of shape (n, *sizes) or (n, *sizes, 1)."""
    given = reader.reshape(x, [*sizes, 1])
    made = reader.apply("CategoryEncoding", given, num_tokens=count, output_mode="one_hot")
    return replace(made, turned=False)


OPERATORS: dict[str, Handle] = {"Equal": _equal, "OneHot": _of_operator}
