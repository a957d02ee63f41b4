"""Type aliases used throughout the engine, and memory for arrays."""

from __future__ import annotations

import math
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
"""Any array: float32 in training, float64 in gradient checks, uint8 for stored images."""

Shape: TypeAlias = tuple[int | None, ...]
"""A shape with the batch axis first; None for unknown sizes."""

Config: TypeAlias = dict[str, Any]
"""JSON-ready settings, returned by `get_config` and accepted by `from_config`."""


prod = math.prod
"""Returns the number of elements as a Python int (np.prod wraps at 2**31 with 32-bit intp)."""


LINE = 64
"""Bytes of a line of the processor's caches."""


def aligned(size: int, dtype: np.dtype[Any]) -> Array:
    """Return a new array of one axis, uninitialized, that begins where a line of the caches does.

    NumPy's memory in Pyodide often begins 8 bytes off 16, and then each fourth vector of a kernel
    lies in two lines.
    """
    nbytes = size * dtype.itemsize
    memory = np.empty(nbytes + LINE, np.uint8)
    start = -memory.__array_interface__["data"][0] % LINE
    array: Array = memory[start : start + nbytes].view(dtype)
    return array


def floating(dtype: Any) -> bool:
    """Return whether `dtype` is a floating-point type."""
    return bool(np.issubdtype(dtype, np.floating))


class Owner(Protocol):
    """What a variable knows of the layer that owns it."""

    @property
    def path(self) -> str: ...

    @property
    def trainable(self) -> bool: ...
