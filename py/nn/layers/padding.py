"""Padding arithmetic: "valid" and "same" as in Keras (TensorFlow's rule), and output sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn.errors import ConfigError, ShapeError
from nn.types import Array

Pair = tuple[int, int]
Padding = tuple[Pair, Pair]


def check(padding: str, layer: str, known: tuple[str, ...] = ("valid", "same")) -> str:
    """Return `padding` in lower case.

    Raises:
        ConfigError: the padding is not one of `known`.
    """
    if str(padding).lower() not in known:
        raise ConfigError(f"{layer}: padding must be one of {known}, received {padding!r}")
    return padding.lower()


def amounts(size: int, kernel: int, stride: int, dilation: int, padding: str) -> Pair:
    """Return (before, after). "same" puts an odd one after, "causal" puts all before."""
    reach = (kernel - 1) * dilation + 1
    if padding == "valid":
        return 0, 0
    if padding == "causal":
        return reach - 1, 0
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def both(
    shape: tuple[int, ...], kernel: Pair, strides: Pair, dilation: Pair, padding: str
) -> Padding:
    """Return the amounts for the two middle axes of an image batch (n, h, w, c)."""
    return (
        amounts(shape[1], kernel[0], strides[0], dilation[0], padding),
        amounts(shape[2], kernel[1], strides[1], dilation[1], padding),
    )


def output_size(
    size: int | None, kernel: int, stride: int, dilation: int, padding: str, layer: str
) -> int | None:
    """Return the length of the output axis.

    Raises:
        ShapeError: the window is larger than the input.
    """
    if size is None:
        return None
    if padding != "valid":
        return -(-size // stride)
    reach = (kernel - 1) * dilation + 1
    if size < reach:
        raise ShapeError(f"{layer}: a window of {reach} does not fit into an axis of {size}")
    return (size - reach) // stride + 1


def padded(x: Array, amounts: Sequence[Any], value: float = 0.0) -> Array:
    """Return x with (before, after) elements of `value` added to each axis."""
    y = np.full([n + sum(pair) for n, pair in zip(x.shape, amounts, strict=True)], value, x.dtype)
    y[tuple(slice(b, b + n) for n, (b, _) in zip(x.shape, amounts, strict=True))] = x
    return y
