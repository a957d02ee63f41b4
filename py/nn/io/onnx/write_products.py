"""Conversion of layers that ONNX says in several nodes: repeated vectors, groups, dot products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn.io.errors import UnsupportedError
from nn.io.onnx.writer import Image, Shape, Writer


def upsampled(writer: Writer, image: Image, size: Sequence[int], shape: Shape, name: str) -> Image:
    """Append Resize, which repeats the values `size` times along the axes between."""
    scales = writer.constant(f"{name}/scales", [1, 1, *size])
    y = writer.add(
        "Resize",
        [writer.first(image), "", scales],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    return Image(shape, first=y)


def repeat_vector(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    """Append a vector's repetition: that of a sequence of one step."""
    one = writer.add("Unsqueeze", [writer.last(inputs[0]), writer.axes(2)])
    step = Image((shape[0], 1, shape[2]), first=one)
    return upsampled(writer, step, [layer.n], shape, layer.name)


def up_sampling(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    """Append UpSampling1D or UpSampling3D."""
    size = [layer.size] if isinstance(layer.size, int) else layer.size
    return upsampled(writer, inputs[0], size, shape, layer.name)


def unit_normalization(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    """Append LpNormalization, which has one axis.

    Raises:
        UnsupportedError: several axes, or the batch's.
    """
    axes = [layer.axis] if isinstance(layer.axis, int) else layer.axis
    if len(axes) != 1 or axes[0] % len(shape) == 0:
        raise UnsupportedError(
            f"{layer.name}: ONNX export expects one axis besides the batch's, received {axes}"
        )
    y = writer.add("LpNormalization", [writer.last(inputs[0])], axis=axes[0] % len(shape), p=2)
    return Image(shape, last=y)


def group_normalization(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    """Append InstanceNormalization, with each group for a channel.

    Raises:
        UnsupportedError: the channels are another axis than the last, or several sizes are unknown.
    """
    channels, places = shape[-1] or 0, shape[1:-1]
    if layer.axis not in (-1, len(shape) - 1) or places.count(None) > 1:
        raise UnsupportedError(
            f"{layer.name}: ONNX export expects channels last and known sizes, received axis "
            f"{layer.axis} of {shape}"
        )
    groups, name = layer.groups, layer.name
    x = writer.first(inputs[0])
    parts = writer.constant(f"{name}/groups", [0, groups, -1], np.int64)
    ends = [
        writer.constant(f"{name}/{key}", np.full(groups, n)) for key, n in (("one", 1), ("zero", 0))
    ]
    y = writer.add("Reshape", [x, parts])
    y = writer.add("InstanceNormalization", [y, *ends], epsilon=float(layer.epsilon))
    whole = [0, channels, *(-1 if n is None else n for n in places)]
    y = writer.add("Reshape", [y, writer.constant(f"{name}/shape", whole, np.int64)])
    each = (channels, *(1,) * len(places))
    if layer.scale:
        gamma = writer.constant(f"{name}/gamma", layer.gamma.value.reshape(each))
        y = writer.add("Mul", [y, gamma])
    if layer.center:
        beta = writer.constant(f"{name}/beta", layer.beta.value.reshape(each))
        y = writer.add("Add", [y, beta])
    return Image(shape, first=y)


def dot(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    """Append MatMul of (n, rows, k) and (n, k, columns).

    Raises:
        UnsupportedError: the inputs are scaled first, or sizes are unknown.
    """
    if layer.normalize:
        raise UnsupportedError(f"{layer.name}: ONNX export knows no normalize=True")
    axes = [layer.axes] * 2 if isinstance(layer.axes, int) else layer.axes
    x = _matrices(writer, layer.name, inputs[0], axes[0], -1)
    y = _matrices(writer, layer.name, inputs[1], axes[1], 1)
    made = writer.add("MatMul", [x, y])
    if [len(image.shape) for image in inputs] != [3, 3]:
        made = _reshaped(writer, layer.name, made, shape[1:])
    return Image(shape, last=made)


def _matrices(writer: Writer, name: str, image: Image, axis: int, place: int) -> str:
    """Return the value as (n, rows, columns), with the axis of the product at the place."""
    rank = len(image.shape)
    axis, size = axis % rank, image.shape[axis]
    rest = [n for n in range(1, rank) if n != axis]
    order = [0, *rest, axis] if place == -1 else [0, axis, *rest]
    x = writer.last(image)
    if order != list(range(rank)):
        x = writer.add("Transpose", [x], perm=order)
    if rank == 3:
        return x
    return _reshaped(writer, name, x, [None, size] if place == -1 else [size, None])


def _reshaped(writer: Writer, name: str, x: str, sizes: Sequence[int | None]) -> str:
    if [*sizes].count(None) > 1:
        raise UnsupportedError(f"{name}: expected sizes that are known, received {list(sizes)}")
    target = [0, *(-1 if n is None else n for n in sizes)]
    return writer.add("Reshape", [x, writer.constant(f"{name}/sizes", target, np.int64)])
