"""Conversion of ONNX's Resize: Keras' UpSampling for whole factors, Resizing for other sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from nn.io.errors import UnsupportedError
from nn.io.onnx import read_shapes
from nn.io.onnx.messages import Node
from nn.io.onnx.read_mixed import mixed, mixed_constant
from nn.io.onnx.reader import Array, Reader, Symbol, where

_MOST = 1 << 16  # pixels of a side that are compared one by one
_CENTRE = ("half_pixel", "round_prefer_ceil")
"""Resizing's own rule: the pixel in which the centre lies, on a border the one behind it."""
_WHOLE = (_CENTRE, ("half_pixel", "round_prefer_floor"), ("asymmetric", "floor"))
"""Rules by which whole factors take each pixel that many times."""

# Place of pixel i of `new` ones among `old` ones, as a numerator and a denominator.
_PLACES: dict[str, Callable[[int, int, int], tuple[int, int]]] = {
    "half_pixel": lambda i, old, new: ((2 * i + 1) * old - new, 2 * new),
    "asymmetric": lambda i, old, new: (i * old, new),
}
_ROUNDED: dict[str, Callable[[int, int], int]] = {
    "floor": lambda n, d: n // d,
    "ceil": lambda n, d: -(-n // d),
    "round_prefer_floor": lambda n, d: -((d - 2 * n) // (2 * d)),
    "round_prefer_ceil": lambda n, d: (2 * n + d) // (2 * d),
}


def resize(reader: Reader, node: Node) -> None:
    """Give images another height and width.

    Raises:
        UnsupportedError: other axes change, or pixels are taken or mixed as no layer does.
    """
    if node.inputs[0] in reader.constants:
        _constant(reader, node, reader.constants[node.inputs[0]])
        return
    x = reader.as_image(reader.symbol(node))
    if x.rank != 4:
        reader.set(node, replace(_repeated(reader, node, x), positive=x.positive))
        return
    sizes, factors = _amounts(reader, node, x.sizes)
    whole = all(factor >= 1 and factor == int(factor) for factor in factors)
    kind = _interpolation(node, x.sizes[1:], sizes, whole)
    cut = any(size != int(size) for size in sizes)
    if kind is None or (cut and not whole and kind == "bilinear"):
        made = mixed(reader, node, x, sizes, factors)
    elif whole:
        size = [int(factor) for factor in factors]
        made = reader.apply("UpSampling2D", x, size=size, interpolation=kind)
    elif not cut:
        made = reader.apply("Resizing", x, height=int(sizes[0]), width=int(sizes[1]),
                            interpolation=kind)  # fmt: skip
    else:
        raise UnsupportedError(f"{where(node)}: expected whole sizes, received {sizes}")
    reader.set(node, replace(made, positive=x.positive))


def _repeated(reader: Reader, node: Node, x: Symbol) -> Symbol:
    """Repeat the values of sequences or volumes.

    Raises:
        UnsupportedError: other axes, or another change than by whole factors.
    """
    index = 2 if reader.opset > 10 else 1
    given = reader.constant(node, index)
    factors = [] if given is None else np.ravel(given).tolist()
    whole = all(n >= 1 and n == int(n) for n in factors) and factors[:2] == [1, 1]
    if x.rank not in (3, 5) or len(factors) != x.rank or not whole or "axes" in node.attributes:
        raise UnsupportedError(
            f"{where(node)}: expected images, or whole factors of sequences or volumes, received "
            f"{x.rank} axes by {factors}"
        )
    if _interpolation(node, [], [], whole=True) != "nearest":
        raise UnsupportedError(f"{where(node)}: expected the mode 'nearest' where no images are")
    size = [int(n) for n in factors[2:]]
    if x.rank == 3:
        return reader.apply("UpSampling1D", x, size=size[0])
    return reader.apply("UpSampling3D", x, size=size)


def _constant(reader: Reader, node: Node, array: Array) -> None:
    if array.ndim != 4:
        raise UnsupportedError(f"{where(node)}: expected images, received {array.shape}")
    sizes, factors = _amounts(reader, node, [*array.shape[1:]])
    reader.constants[node.outputs[0]] = mixed_constant(reader, node, array, sizes, factors)


def _amounts(
    reader: Reader, node: Node, shape: list[int | None]
) -> tuple[list[float], list[float]]:
    """Return height and width, and by how much they grow; 0.5 and 0 for what is not known.

    Raises:
        UnsupportedError: other axes change.
    """
    old = shape[1:]
    if len(node.inputs) > 3 and node.inputs[3]:
        given = np.ravel(read_shapes.sizes(reader, node, node.inputs[3])).tolist()
        sizes = _of_images(node, given, [None, shape[0]])
        return sizes, [a / b if b else 0.0 for a, b in zip(sizes, old, strict=True)]
    given = np.ravel(reader.needed(node, 2 if reader.opset > 10 else 1)).tolist()
    factors = _of_images(node, given, [1, 1])
    # ONNX Runtime multiplies floats of 32 bits: 5 by 2.6 is 13.
    sizes = [
        float(np.float32(a) * np.float32(b)) if b else 0.5
        for a, b in zip(factors, old, strict=True)
    ]
    return sizes, factors


def _of_images(node: Node, given: list[Any], kept: list[int | None]) -> list[float]:
    """Return the numbers of height and width; those of batch and channels must be these."""
    axes: Any = node.attributes.get("axes", [0, 1, 2, 3])
    *others, height, width = given if len(given) > 1 else [0, 0]
    inner = [axis % 4 for axis in axes] == [2, 3] and not others
    whole = len(others) == 2 and all(b in (None, a) for a, b in zip(others, kept, strict=True))
    known = all(isinstance(n, int | float) and n > 0 for n in (height, width))
    if not known or not (inner or (whole and len(axes) == 4)):
        raise UnsupportedError(
            f"{where(node)}: expected another height and width alone, received {given}"
        )
    return [height, width]


def _interpolation(node: Node, old: list[int | None], new: list[float], whole: bool) -> str | None:
    """Return "nearest" or "bilinear" if a layer takes or mixes pixels as the node does, None if
    it mixes them in another way."""
    named: Any = node.attributes.get
    mode, how = named("mode", "nearest"), named("coordinate_transformation_mode", "half_pixel")
    rule = (how, named("nearest_mode", "round_prefer_floor"))
    smaller = any(b is None or a < b for a, b in zip(new, old, strict=True))
    plain = named("keep_aspect_ratio_policy", "stretch") == "stretch"
    plain = plain and not (named("antialias", 0) and smaller)
    # PyTorch's rule takes the first pixel, not the middle, where one is left.
    centred = how == "half_pixel" or (how == "pytorch_half_pixel" and (whole or min(new) > 1))
    if plain and mode == "linear" and centred:
        return "bilinear"
    if plain and mode == "nearest":
        if rule == _CENTRE or (whole and rule in _WHOLE):
            return "nearest"
        if all(_same(rule, b, a) for a, b in zip(new, old, strict=True)):
            return "nearest"
    if mode != "nearest":
        return None
    raise UnsupportedError(f"{where(node)}: no mode {mode!r} with {rule} here")


def _same(rule: tuple[str, str], old: int | None, new: float) -> bool:
    """Return whether a rule takes the pixels that Resizing takes."""
    if old is None or not 0 < new <= _MOST or rule[0] not in _PLACES or rule[1] not in _ROUNDED:
        return False

    def taken(how: str, rounding: str) -> list[int]:
        places = (_PLACES[how](i, old, int(new)) for i in range(int(new)))
        return [min(max(_ROUNDED[rounding](*place), 0), old - 1) for place in places]

    return taken(*rule) == taken(*_CENTRE)
