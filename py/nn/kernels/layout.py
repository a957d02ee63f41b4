"""Copies: columns beside others, images inside a frame of zeros, two axes swapped; zeros."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nn.kernels import library, reference
from nn.kernels.geometry import expect_shape
from nn.kernels.library import F4, address, contiguous
from nn.kernels.reference import Array, Padding


def concatenate(parts: Sequence[Array], out: Array | None = None) -> Array:
    """Return arrays (..., c) side by side along the last axis.

    Raises:
        ValueError: the shapes differ in another axis.
    """
    lead = parts[0].shape[:-1]
    for part in parts:
        if part.shape[:-1] != lead:
            raise ValueError(f"expected parts of shape {lead} + (c,), received {part.shape}")
    shape = (*lead, sum(part.shape[-1] for part in parts))
    expect_shape(out, shape, "out")
    lib = library.compiled((*parts, out), (out,))
    if lib is None:
        return reference.concatenate(parts, out)
    out = np.empty(shape, F4) if out is None else out
    at = address(out)
    for part in map(contiguous, parts):
        columns = part.shape[-1]
        lib.copy_columns(address(part), columns, at, shape[-1], part.size // columns, columns)
        at += 4 * columns
    return out


def pad2d(x: Array, padding: Padding, out: Array | None = None) -> Array:
    """Return images (n, h, w, c) inside a frame of zeros."""
    (top, bottom), (left, right) = padding
    n, height, width, c = x.shape
    shape = (n, top + height + bottom, left + width + right, c)
    expect_shape(out, shape, "out")
    lib = library.compiled((x, out), (out,))
    if lib is None:
        return reference.pad2d(x, padding, out)
    out = np.empty(shape, F4) if out is None else out
    x = contiguous(x)
    lib.frame_images(
        address(x), address(out), n, height, width * c, top, bottom, left * c, right * c
    )
    return out


def copy(x: Array, out: Array) -> None:
    """Write x (rows, columns) to `out`; rows of x may lie apart."""
    expect_shape(out, x.shape, "out")
    row, column = x.strides
    lib = library.compiled((x, out), (out,), column == x.itemsize and row % x.itemsize == 0)
    if lib is None:
        np.copyto(out, x)
        return
    rows, columns = x.shape
    lib.copy_columns(address(x), row >> 2, address(out), columns, rows, columns)


def clear(x: Array) -> None:
    """Fill x with zeros."""
    lib = library.compiled((x,), (x,))
    if lib is None:
        x.fill(0)
        return
    lib.clear_floats(address(x), x.size)


def swap_axes(x: Array, out: Array, turned: int | None = None) -> None:
    """Write x (a, b, c) to `out` (b, a, c); its axis `turned` (0 or 1) is read from the end."""
    expect_shape(out, (x.shape[1], x.shape[0], x.shape[2]), "out")
    lib = library.compiled((x, out), (out,))
    if lib is None:
        reference.swap_axes(x, out, turned)
        return
    x = contiguous(x)
    lib.swap_axes(address(x), address(out), *x.shape, turned == 0, turned == 1)
