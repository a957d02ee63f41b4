"""Conversion of operators that part, repeat and rearrange the elements of a value."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from nn.io.errors import UnsupportedError
from nn.io.onnx import read_shapes
from nn.io.onnx.messages import Node
from nn.io.onnx.read_arithmetic import repeated
from nn.io.onnx.read_axes import known, moved, shaped
from nn.io.onnx.read_constants import axis_of, parts_of
from nn.io.onnx.reader import Array, Handle, Reader, Symbol, where

_MOST = 64  # copies of a value


def _split(reader: Reader, node: Node) -> None:
    x = reader.symbol(node)
    x = reader.in_order(x) if x.image else x
    axis = axis_of(node, 0, x.rank)
    size = x.sizes[axis - 1] if axis else None
    if size is None:
        raise UnsupportedError(
            f"{where(node)}: expected a known axis after the batch's, received axis {axis} of "
            f"{['n', *x.sizes]}"
        )
    spans = parts_of(node, reader.constant(node, 1), size)
    before = [[None, None, None]] * (moved(x, axis) - 1)
    for name, (start, end) in zip(node.outputs, spans, strict=True):
        if reader.used(name):
            made = reader.apply("GetItem", x, index=[*before, [start, end, 1]])
            reader.symbols[name] = replace(made, positive=x.positive)


def _tile(reader: Reader, node: Node) -> None:
    times = np.ravel(read_shapes.sizes(reader, node, node.inputs[1])).tolist()
    if node.inputs[0] in reader.constants:
        array, inner = reader.constants[node.inputs[0]], times[1:]
        if len(times) != array.ndim or not all(isinstance(n, int) for n in inner):
            raise UnsupportedError(f"{where(node)}: no {times} times {array.shape} here")
        reader.claim(array.nbytes * math.prod(inner), where(node))
        tiled = np.tile(array, [1, *inner])
        reader.set(node, _for_each_sample(reader, node, tiled, [times[0], *tiled.shape[1:]]))
        return
    x = reader.symbol(node)
    x = reader.in_order(x) if x.image else x
    plain = all(isinstance(n, int) and 0 < n <= _MOST for n in times)
    if len(times) != x.rank or not plain or times[0] != 1:
        raise UnsupportedError(f"{where(node)}: no {times} times {['n', *x.sizes]} here")
    for axis, count in enumerate(times):
        if count > 1:
            made = reader.apply("Concatenate", *[x] * count, axis=moved(x, axis))
            x = replace(made, positive=x.positive)
    reader.set(node, x)


def _expand(reader: Reader, node: Node) -> None:
    """Repeat axes of size 1, by products with ones; an array is repeated for each sample."""
    target = np.ravel(read_shapes.sizes(reader, node, node.inputs[1])).tolist()
    if node.inputs[0] in reader.constants:
        array = reader.constants[node.inputs[0]]
        reader.set(node, _for_each_sample(reader, node, array, target))
        return
    x = reader.symbol(node)
    x = reader.in_order(x)
    wanted = [1] * (x.rank - len(target)) + target
    own = [read_shapes.BATCH, *(read_shapes.UNKNOWN if n is None else n for n in x.sizes)]
    if len(wanted) != x.rank or wanted[0] not in (1, read_shapes.BATCH):
        raise UnsupportedError(f"{where(node)}: no {['n', *x.sizes]} as {target} here")
    ones = [1 if n in (1, size) else n for n, size in zip(wanted, own, strict=True)]
    wrong = [n for n, size in zip(ones, own, strict=True) if n != 1 and size != 1]
    if wrong or not all(isinstance(n, int) for n in ones):
        raise UnsupportedError(f"{where(node)}: no {['n', *x.sizes]} as {target} here")
    if max(ones) == 1:
        reader.set(node, x)
        return
    reader.set(node, repeated(reader, node, x, ones))


def _for_each_sample(reader: Reader, node: Node, array: Array, target: list[Any]) -> Symbol:
    inner = target[1:]
    if target[:1] != [read_shapes.BATCH] or not all(isinstance(n, int) for n in inner):
        raise UnsupportedError(f"{where(node)}: no array of shape {array.shape} as {target} here")
    shape = np.broadcast_shapes(array.shape, (1, *inner))
    reader.claim(math.prod(shape) * 4, where(node))
    if shape[0] != 1:
        raise UnsupportedError(f"{where(node)}: expected an array of one sample, received {shape}")
    value = np.broadcast_to(array, shape).astype(np.float32)
    return Symbol(reader.apply("ConstantArray", reader.any_value(), value=value).tensor)


def _depth_to_space(reader: Reader, node: Node) -> None:
    """(n, r * r * c, h, w) -> (n, c, r * h, r * w): a pixel's channels become r * r pixels."""
    x, r = _image_in_blocks(reader, node)
    h, w, channels = known(node, x)
    c = channels // (r * r)
    columns = node.attributes.get("mode", "DCR") == "CRD"
    inner = [c, r, r] if columns else [r, r, c]
    order = [1, 4, 2, 5, 3] if columns else [1, 3, 2, 4, 5]
    if channels % (r * r):
        raise UnsupportedError(f"{where(node)}: no blocks of {r} from {channels} channels here")
    parted = shaped(reader, x, [h, w, *inner])
    turned = reader.apply("Permute", parted, dims=order)
    reader.set(node, replace(shaped(reader, turned, [h * r, w * r, c]), first=True))


def _space_to_depth(reader: Reader, node: Node) -> None:
    """(n, c, r * h, r * w) -> (n, r * r * c, h, w)."""
    x, r = _image_in_blocks(reader, node)
    h, w, c = known(node, x)
    if h % r or w % r:
        raise UnsupportedError(f"{where(node)}: no blocks of {r} in {h} x {w} here")
    parted = shaped(reader, x, [h // r, r, w // r, r, c])
    order = [1, 3, 5, 2, 4] if node.attributes.get("mode") == "CRD" else [1, 3, 2, 4, 5]
    turned = reader.apply("Permute", parted, dims=order)
    reader.set(node, replace(shaped(reader, turned, [h // r, w // r, r * r * c]), first=True))


def _image_in_blocks(reader: Reader, node: Node) -> tuple[Symbol, int]:
    x, size = reader.as_image(reader.symbol(node)), node.attributes.get("blocksize", 0)
    if x.rank != 4 or not x.first or not isinstance(size, int) or size < 1:
        raise UnsupportedError(f"{where(node)}: no blocks of {size!r} in {['n', *x.sizes]} here")
    return x, size


OPERATORS: dict[str, Handle] = {
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Tile": _tile,
}
