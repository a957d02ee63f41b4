"""Features: what a network reads of a point of the plane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

FEATURES: dict[str, Callable[[Array, Array], Array]] = {
    "x": lambda x, y: x,
    "y": lambda x, y: y,
    "x2": lambda x, y: x * x,
    "y2": lambda x, y: y * y,
    "xy": lambda x, y: x * y,
    "sinx": lambda x, y: np.sin(x),
    "siny": lambda x, y: np.sin(y),
}


def values(places: Array, names: Sequence[str]) -> Array:
    """Return the features (n, len(names)) of places (n, 2), as the network takes them.

    Raises:
        KeyError: there is no such feature.
    """
    columns = [FEATURES[name](places[:, 0], places[:, 1]) for name in names]
    return np.stack(columns, axis=1).astype(np.float32)
