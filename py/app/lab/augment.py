"""Training images that are never twice the same: moved by up to two pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from nn.data import Dataset

REACH = 2


class Shifted(Dataset):
    """A data set whose every batch is moved at random, each image by itself.

    Args:
        source: the images, uint8 (n, h, w, 1).
        seed: of the moves.
    """

    def __init__(self, source: Dataset, seed: int) -> None:
        super().__init__(source.x, source.y, scale=source.scale, offset=source.offset)
        self._rng = np.random.default_rng(seed)

    def batch(self, indices: Any, out: Any) -> Any:
        """Gather and scale as any data set does, then move."""
        filled = super().batch(indices, out)
        filled[...] = move(filled, self._rng.integers(-REACH, REACH + 1, (len(indices), 2)))
        return filled


def move(images: Any, by: Any) -> Any:
    """Images (n, h, w, c) moved by (n, 2) rows and columns; what comes in is paper (zero)."""
    count, height, width = images.shape[:3]
    padded = np.pad(images, ((0, 0), (REACH, REACH), (REACH, REACH), (0, 0)))
    rows = np.arange(height) + REACH - by[:, :1]
    columns = np.arange(width) + REACH - by[:, 1:]
    return padded[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
