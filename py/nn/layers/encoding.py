"""Encodings of whole numbers: a row of zeros and ones for each, or for all of a sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.types import Array, prod


def encode(
    numbers: Array, mode: str, columns: int, dtype: Any, weights: Array | None = None
) -> Array:
    """Return numbers from 0 to columns - 1 as rows; a number below 0 leaves no trace.

    Args:
        numbers: (..., tokens) of int, or one.
        mode: "one_hot": (..., tokens, columns), a last axis of size 1 being left out; "multi_hot"
            (1 where a number occurs on the last axis) or "count" (how often): (..., columns).
        columns: the size of a row.
        dtype: the type of the result.
        weights: of "count", how much each number counts: (..., tokens); 1 by default.
    """
    if mode == "one_hot":
        shape = numbers.shape[:-1] if numbers.ndim > 1 and numbers.shape[-1] == 1 else numbers.shape
        flat = numbers.reshape(-1, 1)
    else:
        numbers = np.atleast_1d(numbers)
        shape = numbers.shape[:-1]
        flat = numbers.reshape(prod(shape), numbers.shape[-1])  # texts may be without a word
    rows = np.zeros((len(flat), columns), dtype)
    places, tokens = np.nonzero(flat >= 0)
    one = 1 if weights is None else weights.reshape(flat.shape)[places, tokens]
    np.add.at(rows, (places, flat[places, tokens]), one)
    if mode == "multi_hot":
        np.minimum(rows, 1, out=rows)
    return rows.reshape(*shape, columns)
