"""Whether the network of a federation is this one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federation.errors import NetworkMismatchError

__all__ = ["expect_network"]


def expect_network(received: Sequence[NDArray[Any]], own: Sequence[NDArray[Any]]) -> None:
    """Check that arrays of the federation fit this device's network.

    Raises:
        NetworkMismatchError: the shapes differ; the message names both.
        ValueError: an array has NaN or infinity, or is above what this device's type of number can
            hold; the message names it.
    """
    theirs, ours = ([tuple(array.shape) for array in arrays] for arrays in (received, own))
    if theirs != ours:
        raise NetworkMismatchError(
            f"expected the network of this device, shapes {_text(ours)}; the federation trains "
            f"another, shapes {_text(theirs)}"
        )
    for place, (array, mine) in enumerate(zip(received, own, strict=True)):
        with np.errstate(over="ignore", invalid="ignore"):
            held = array.astype(mine.dtype, copy=False)
        if not np.isfinite(held).all():
            where = f"array {place}, {array.dtype}{array.shape}"
            raise ValueError(
                f"{where}: expected numbers that {mine.dtype} holds, "
                "received NaN, infinity, or one that is too large"
            )


def _text(shapes: list[tuple[int, ...]]) -> str:
    shown = ", ".join(str(shape) for shape in shapes[:20]) or "of no array"
    return f"{shown}, … ({len(shapes)} arrays)" if len(shapes) > 20 else shown
