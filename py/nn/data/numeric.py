"""Numbers that a caller gives: arrays from data of any kind, and counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.errors import ConfigError, DataError, ShapeError
from nn.types import Array

NUMBERS = "biuf"
"""The kinds of NumPy's dtypes that hold real numbers."""


def numeric(value: Any, where: str) -> Array:
    """Return `value` as an array of real numbers, without a copy where it is one.

    Args:
        value: data.
        where: what the data are for, for messages.

    Raises:
        ShapeError: the rows of nested lists differ in length.
        DataError: the values are not numbers.
    """
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ShapeError(
            f"{where}: expected rows of one length, received {_kind(value)}: {error}"
        ) from error
    if array.dtype.kind in NUMBERS:
        return array
    if array.dtype.kind == "O":  # numbers that a table keeps as objects
        try:
            return array.astype(np.float64)
        except (OverflowError, TypeError, ValueError):
            pass
    raise DataError(
        f"{where}: expected numbers, received {_kind(value)} of {array.dtype} {array.shape}"
    )


def cast(array: Array, dtype: Any) -> Array:
    """Return the array in another type, itself where it has that type."""
    return array if array.dtype == dtype else array.astype(dtype)


def whole(value: Any, what: str, least: int = 1) -> int:
    """Return a count as an int.

    Raises:
        ConfigError: it is not a whole number, or below `least`.
    """
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= least:
        return int(value)
    raise ConfigError(f"{what}: expected a whole number of at least {least}, received {value!r}")


def optional(value: Any, what: str) -> int | None:
    """Return a count, or None for None."""
    return None if value is None else whole(value, what)


def _kind(value: Any) -> str:
    return type(value).__name__
