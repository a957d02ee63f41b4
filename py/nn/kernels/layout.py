"""Copies into larger arrays: columns beside others, images inside a frame of zeros."""

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
        lib.copy_columns(address(part), at, part.size // columns, columns, shape[-1])
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
