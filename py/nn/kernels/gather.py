"""Rows that indices name: those of uint8 as scaled floats, and those that others are added to."""

from __future__ import annotations

import numpy as np

from nn.kernels import library, reference
from nn.kernels.geometry import expect_shape
from nn.kernels.library import F4, address, contiguous
from nn.kernels.reference import Array

U1 = np.dtype(np.uint8)


def gather_scale(
    images: Array, indices: Array, scale: float, offset: float = 0.0, out: Array | None = None
) -> Array:
    """Return rows of a uint8 data set as float32: images[indices] * scale + offset.

    Raises:
        IndexError: an index is out of range.
    """
    shape = (len(indices), *images.shape[1:])
    expect_shape(out, shape, "out")
    lib = library.compiled((out,), (out,), images.dtype == U1 and all(shape))
    if lib is None:
        _check_indices(images, indices)
        return reference.gather_scale(images, indices, scale, offset, out)
    out = np.empty(shape, F4) if out is None else out
    images, places = contiguous(images), np.ascontiguousarray(indices, np.int32)
    wrong = lib.gather_scale(
        address(images), len(images), address(places), address(out), len(places),
        out.size // len(places), scale, offset,
    )  # fmt: skip
    if wrong:
        _check_indices(images, indices)
    return out


def add_rows(rows: Array, indices: Array, out: Array) -> Array:
    """Add each of the rows (n, width) to the row of `out` (count, width) that `indices` (n,) names,
    one after the other: the gradient of a table from that of its rows.

    Raises:
        IndexError: an index is out of range.
    """
    expect_shape(rows, (len(indices), out.shape[1]), "rows")
    lib = library.compiled((rows, out), (out,))
    if lib is None:
        _check_indices(out, indices)
        return reference.add_rows(rows, indices, out)
    rows, places = contiguous(rows), np.ascontiguousarray(indices, np.int32)
    if lib.add_rows(address(out), len(out), address(places), address(rows), *rows.shape):
        _check_indices(out, indices)
    return out


def _check_indices(images: Array, indices: Array) -> None:
    if indices.size and not (indices.min() >= 0 and indices.max() < len(images)):
        raise IndexError(
            f"expected indices from 0 to {len(images) - 1}, "
            f"received values from {indices.min()} to {indices.max()}"
        )
