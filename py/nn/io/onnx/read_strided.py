"""Indices that count the samples, n * stride + offsets: PyTorch's `as_strided`.

PyTorch 2.13 writes a mean over an image that keeps its axes as such a Gather from the flat values.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from nn.io.errors import UnsupportedError
from nn.io.onnx import read_turned
from nn.io.onnx.messages import Node
from nn.io.onnx.read_shapes import BATCH
from nn.io.onnx.reader import Array, Reader, where


def handles(reader: Reader, node: Node) -> bool:
    """Return whether the node computes such indices, or takes values by them."""
    known = [name in reader.strided for name in node.inputs]
    if node.operator == "Range":
        limit = reader.sizes.get(node.inputs[1]) if len(known) == 3 else None
        return limit is not None and np.ravel(limit).tolist() == [BATCH]
    return any(known) and node.operator in ("Add", "Cast", "Gather", "Mul", "Unsqueeze")


def compute(reader: Reader, node: Node) -> None:
    """Set the node's output: a stride with offsets (of the axes after the batch's), or values.

    Raises:
        UnsupportedError: the indices have another form.
    """
    if node.operator == "Gather":
        _gather(reader, node)
        return
    if node.operator == "Range":
        start, step = (reader.needed(node, at) for at in (0, 2))
        if (int(start), int(step)) != (0, 1):
            raise UnsupportedError(f"{where(node)}: expected a range from 0 by 1")
        reader.strided[node.outputs[0]] = 1, np.zeros((), np.int64)
        return
    at = next(i for i, name in enumerate(node.inputs) if name in reader.strided)
    stride, offsets = reader.strided[node.inputs[at]]
    if node.operator == "Unsqueeze":
        axes = read_turned.new_axes(reader, node, offsets.ndim + 1)
        if 0 in axes:
            raise UnsupportedError(f"{where(node)}: expected the batch as the first axis")
        offsets = np.expand_dims(offsets, tuple(axis - 1 for axis in axes))
    elif node.operator == "Mul":
        factor = _number(reader, node, 1 - at)
        stride, offsets = stride * factor, offsets * factor
    elif node.operator == "Add":
        more = _for_one(reader, node, 1 - at, offsets.ndim + 1)
        size = math.prod(np.broadcast_shapes(offsets.shape, more.shape))
        reader.claim(size * 8, where(node))
        offsets = offsets + more
    reader.strided[node.outputs[0]] = stride, offsets


def _number(reader: Reader, node: Node, at: int) -> int:
    array = reader.needed(node, at)
    if array.size != 1:
        raise UnsupportedError(f"{where(node)}: expected a number, received {array.shape}")
    return int(array.reshape(()))


def _for_one(reader: Reader, node: Node, at: int, rank: int) -> Array:
    """Return a constant, without the batch's axis, that is the same for all samples."""
    array = reader.needed(node, at).astype(np.int64)
    if array.ndim > rank or (array.ndim == rank and array.shape[0] != 1):
        raise UnsupportedError(f"{where(node)}: expected offsets of one sample, {array.shape}")
    return array[0] if array.ndim == rank else array


def _gather(reader: Reader, node: Node) -> None:
    value = read_turned.find(reader, node.inputs[0])
    stride, offsets = reader.strided[node.inputs[1]]
    value = value and value.settled(reader)
    flat = value and len(value.axes) == 1 and value.axes[0][:1] == (0,) and len(value.view) < 2
    if not value or not flat or [*value.view, 1][0] != stride or node.attributes.get("axis", 0):
        raise UnsupportedError(f"{where(node)}: expected all values of the samples, one by one")
    names = [f"{node.outputs[0]} of {what}" for what in ("values", "offsets")]
    read_turned.keep(reader, names[0], replace(value, axes=((0,), value.axes[0][1:])))
    reader.constants[names[1]] = offsets
    given = replace(node, inputs=names, attributes={"axis": 1})
    read_turned.gather(reader, given)
