"""Conversion of ONNX's Resize: Keras' UpSampling for whole factors, Resizing for other sizes, and
products of matrices for other rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from nn.io.errors import UnsupportedError
from nn.io.onnx import read_shapes
from nn.io.onnx.messages import Node
from nn.io.onnx.read_mixed import mixed, mixed_constant
from nn.io.onnx.reader import Array, Reader, where

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
    """Give images another height and width, sequences and volumes other sizes.

    Raises:
        UnsupportedError: batch or channels change, or pixels are taken or mixed as no layer does.
    """
    if node.inputs[0] in reader.constants:
        _constant(reader, node, reader.constants[node.inputs[0]])
        return
    x = reader.as_image(reader.symbol(node))
    if x.rank not in (3, 4, 5):
        raise UnsupportedError(
            f"{where(node)}: expected images, sequences or volumes, received {x.rank} axes"
        )
    sizes, factors = _amounts(reader, node, x.sizes)
    whole = all(factor >= 1 and factor == int(factor) for factor in factors)
    kind = _interpolation(node, x.sizes[1:], sizes, whole)
    cut = any(size != int(size) for size in sizes)
    images = x.rank == 4
    if whole and (kind == "nearest" or (images and kind)):
        size = [int(factor) for factor in factors]
        options: dict[str, Any] = {"interpolation": kind} if images else {}
        made = reader.apply(
            f"UpSampling{x.rank - 2}D", x, size=size if x.rank > 3 else size[0], **options
        )
    elif images and kind and not cut:
        made = reader.apply("Resizing", x, height=int(sizes[0]), width=int(sizes[1]),
                            interpolation=kind)  # fmt: skip
    else:
        made = mixed(reader, node, x, sizes, factors)
    # Cubic mixtures go below the least pixel.
    positive = x.positive and node.attributes.get("mode") != "cubic"
    reader.set(node, replace(made, positive=positive))


def _constant(reader: Reader, node: Node, array: Array) -> None:
    if array.ndim != 4:
        raise UnsupportedError(f"{where(node)}: expected images, received {array.shape}")
    sizes, factors = _amounts(reader, node, [*array.shape[1:]])
    reader.constants[node.outputs[0]] = mixed_constant(reader, node, array, sizes, factors)


def _amounts(
    reader: Reader, node: Node, shape: list[int | None]
) -> tuple[list[float], list[float]]:
    """Return the sizes after the channels', and by how much they grow; 0.5 and 0 for what is not
    known.

    Raises:
        UnsupportedError: other axes change.
    """
    old = shape[1:]
    if len(node.inputs) > 3 and node.inputs[3]:
        given = np.ravel(read_shapes.sizes(reader, node, node.inputs[3])).tolist()
        sizes = _after_channels(node, given, [None, shape[0]], len(old))
        return sizes, [a / b if b else 0.0 for a, b in zip(sizes, old, strict=True)]
    given = np.ravel(reader.needed(node, 2 if reader.opset > 10 else 1)).tolist()
    factors = _after_channels(node, given, [1, 1], len(old))
    # ONNX Runtime multiplies floats of 32 bits: 5 by 2.6 is 13.
    sizes = [
        float(np.float32(a) * np.float32(b)) if b else 0.5
        for a, b in zip(factors, old, strict=True)
    ]
    return sizes, factors


def _after_channels(
    node: Node, given: list[Any], kept: list[int | None], count: int
) -> list[float]:
    """Return the numbers of the last axes; those of batch and channels must be these."""
    every = [*range(count + 2)]
    axes: Any = node.attributes.get("axes", every)
    others, inner = given[:-count], given[-count:]
    alone = [axis % len(every) for axis in axes] == every[2:] and not others
    whole = len(others) == 2 and all(b in (None, a) for a, b in zip(others, kept, strict=True))
    known = len(inner) == count and all(isinstance(n, int | float) and n > 0 for n in inner)
    if not known or not (alone or (whole and len(axes) == len(every))):
        raise UnsupportedError(
            f"{where(node)}: expected other sizes after the channels' alone, received {given}"
        )
    return inner


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
    return None


def _same(rule: tuple[str, str], old: int | None, new: float) -> bool:
    """Return whether a rule takes the pixels that Resizing takes."""
    if old is None or not 0 < new <= _MOST or rule[0] not in _PLACES or rule[1] not in _ROUNDED:
        return False

    def taken(how: str, rounding: str) -> list[int]:
        places = (_PLACES[how](i, old, int(new)) for i in range(int(new)))
        return [min(max(_ROUNDED[rounding](*place), 0), old - 1) for place in places]

    return taken(*rule) == taken(*_CENTRE)
