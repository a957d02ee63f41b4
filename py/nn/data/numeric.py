"""What a caller gives: numbers as arrays from data of any kind, counts, and the bytes of files."""

from __future__ import annotations

import operator
import os
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


def floats(array: Array, dtype: Any) -> Array:
    """Return the array, in `dtype` if it is not of 32 or 64 bits of floats: 16 overflow early."""
    return array if array.dtype in ("float32", "float64") else array.astype(dtype)


def cast(array: Array, dtype: Any) -> Array:
    """Return the array in another type, itself where it has that type."""
    return array if array.dtype == dtype else array.astype(dtype)


def whole(value: Any, what: str, least: int = 1) -> int:
    """Return a count as an int.

    Raises:
        ConfigError: it is not a whole number, or below `least`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        pass
    else:
        if number >= least and not isinstance(value, bool):
            return number
    raise ConfigError(f"{what}: expected a whole number of at least {least}, received {value!r}")


def optional(value: Any, what: str) -> int | None:
    """Return a count, or None for None."""
    return None if value is None else whole(value, what)


def contents(data: Any, what: str) -> bytes:
    """Return the bytes of a file: of any buffer, or of a list of numbers from 0 to 255.

    Raises:
        DataError: `data` is something else, such as the path of a file.
    """
    if not isinstance(data, int | str | os.PathLike):  # of which `bytes` makes zeros and names
        try:
            return bytes(data)
        except (TypeError, ValueError):
            pass
    raise DataError(f"{what}: expected the bytes of a file (not its path), received {data!r:.80}")


def _kind(value: Any) -> str:
    return type(value).__name__
