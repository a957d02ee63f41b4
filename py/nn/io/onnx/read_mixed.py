"""Resize by products of matrices: rules that no layer has, such as cubic or aligned corners, and
pixels that are taken as they are.

Each axis has a matrix that says of which pixels a new one is mixed, after ONNX' reference
(https://onnx.ai/onnx/operators/onnx__Resize.html).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.io.errors import UnsupportedError
from nn.io.onnx.messages import Node
from nn.io.onnx.reader import Array, Reader, Symbol, where

_MOST = 1 << 20  # elements of a matrix


def mixed(
    reader: Reader, node: Node, x: Symbol, sizes: Sequence[float], factors: Sequence[float]
) -> Symbol:
    """Return an image, a sequence or a volume of other sizes.

    Args:
        reader: the state of the import.
        node: the node.
        x: the value, channels last.
        sizes: those wanted of the axes between batch and channels; the part after the point is cut
            off.
        factors: by how much they grow.

    Raises:
        UnsupportedError: the rule is not known here, or a size.
    """
    for place, (old, size, factor) in enumerate(zip(x.sizes[1:], sizes, factors, strict=True)):
        new = math.floor(size)
        if old is None or factor <= 0:
            raise UnsupportedError(f"{where(node)}: expected known sizes, received {x.sizes}")
        matrix = _matrix(node, old, new, factor)
        if new == old and np.array_equal(matrix, np.eye(old)):
            continue
        reader.claim(matrix.nbytes, where(node))
        order = [*range(1, x.rank)]  # the axis comes last, and goes back
        order[place], order[-1] = order[-1], order[place]
        turned = reader.apply("Permute", x, dims=order)
        made = reader.apply(
            "Dense", turned, weights=[matrix.T], units=new, use_bias=False, trainable=False
        )
        x = reader.apply("Permute", made, dims=order)
    return x


def mixed_constant(
    reader: Reader, node: Node, array: Array, sizes: Sequence[float], factors: Sequence[float]
) -> Array:
    """Return a constant image, channels first, of another height and width; see `mixed`."""
    made: Array = array
    for axis, (size, factor) in enumerate(zip(sizes, factors, strict=True), 2):
        new = math.floor(size)
        reader.claim(made.size // array.shape[axis] * new * 8, where(node))
        matrix = _matrix(node, array.shape[axis], new, factor)
        made = np.moveaxis(np.matmul(np.moveaxis(made, axis, -1), matrix.T), -1, axis)
    return made


def _matrix(node: Node, old: int, new: int, factor: float) -> NDArray[np.float32]:
    """Return the share that each old pixel has in each new one."""
    if not 0 < new * old <= _MOST:
        raise UnsupportedError(f"{where(node)}: no {new} pixels of {old} here")
    named: Any = node.attributes.get
    mode, how = named("mode", "nearest"), named("coordinate_transformation_mode", "half_pixel")
    stretch = named("keep_aspect_ratio_policy", "stretch") == "stretch"
    rounded = _ROUNDED.get(named("nearest_mode", "round_prefer_floor"))
    smaller = bool(named("antialias", 0)) and factor < 1 and mode != "nearest"
    # As ONNX Runtime computes places, of which the nearest pixel may depend on the last bit.
    exact = how == "asymmetric" and any(node.inputs[3:])  # factors that are quotients of sizes
    kind = np.float32 if mode == "nearest" and not exact else np.float64
    places = _places(how, old, new, kind(factor)) if stretch and not smaller else None
    if mode == "nearest" and places is not None and rounded is not None:
        chosen = np.zeros((new, old), np.float32)
        chosen[np.arange(new), np.clip(rounded(places), 0, old - 1).astype(int)] = 1
        return chosen
    if places is None or mode not in ("linear", "cubic"):
        raise UnsupportedError(f"{where(node)}: no mode {mode!r} with {how!r} here")
    first = np.floor(places).astype(int)
    rest = places - first
    taps = [-1, 0, 1, 2] if mode == "cubic" else [0, 1]
    matrix = np.zeros((new, old))
    for tap in taps:
        at = first + tap
        distance = np.abs(tap - rest)
        share = _cubic(distance, named("cubic_coeff_a", -0.75)) if mode == "cubic" else 1 - distance
        if named("exclude_outside", 0):
            share = np.where((at >= 0) & (at < old), share, 0)
        np.add.at(matrix, (np.arange(new), np.clip(at, 0, old - 1)), share)
    matrix /= matrix.sum(axis=1, keepdims=True)
    return matrix.astype(np.float32)


_ROUNDED: dict[str, Callable[[NDArray[np.floating]], NDArray[np.floating]]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda places: np.ceil(places - 0.5),
    "round_prefer_ceil": lambda places: np.floor(places + 0.5),
}


def _places(how: str, old: int, new: int, factor: np.floating) -> NDArray[np.floating] | None:
    """Return where the new pixels lie among the old ones, in the dtype of the factor; None for a
    rule that is not known."""
    pixels = np.arange(new, dtype=factor.dtype)
    if how == "align_corners":
        return pixels * (old - 1) / (new - 1) if new > 1 else pixels
    if how == "asymmetric":
        return pixels / factor
    if how == "pytorch_half_pixel" and new == 1:
        return np.zeros_like(pixels)
    if how in ("half_pixel", "pytorch_half_pixel"):
        return (pixels + 0.5) / factor - 0.5
    return None


def _cubic(distance: NDArray[np.float64], a: float) -> NDArray[np.float64]:
    """Keys' kernel, https://doi.org/10.1109/TASSP.1981.1163711."""
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0))
