"""Training images that are never twice the same: moved, turned, scaled, with specks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from nn.data import Augmented, Dataset

SIDE = 28


def strengths(choice: Mapping[str, float]) -> dict[str, Any]:
    """What the page's switches mean to `nn.data.Augmented`.

    Args:
        choice: shift in pixels, rotate in degrees, zoom and noise in percent; 0 is off.
    """
    return {
        "shift": choice["shift"] / SIDE,
        "rotate": choice["rotate"],
        "zoom": choice["zoom"] / 100,
        "noise": choice["noise"] / 100,
    }


class Changed(Dataset):
    """A data set whose every batch is changed at random, each image by itself.

    Args:
        source: the images, uint8 (n, h, w, 1).
        choice: as for `strengths`.
        seed: of the changes.
    """

    def __init__(self, source: Dataset, choice: Mapping[str, float], seed: int) -> None:
        super().__init__(source.x, source.y, scale=source.scale, offset=source.offset)
        self._changes = Augmented(source, **strengths(choice), seed=seed)

    def batch(self, indices: Any, out: Any) -> Any:
        """Gather and scale as any data set does, then change; values stay from 0 to 1."""
        filled = super().batch(indices, out)
        return np.clip(self._changes.apply(filled), 0, 1, out=filled)

    def get_state(self) -> Any:
        """The generator's state: a resumed run draws what it would have drawn."""
        return self._changes.get_state()

    def set_state(self, state: Any) -> None:
        """Restore what `get_state` returned."""
        self._changes.set_state(state)


def variations(images: Any, choice: Mapping[str, float], times: int, seed: int) -> Any:
    """Each image (n, h, w) uint8 as it is, then `times` ways it may arrive: row by row, uint8."""
    repeated = np.repeat(np.arange(len(images)), times)
    changed = Changed(Dataset(images), choice, seed)
    out = np.empty((len(repeated), *images.shape[1:], 1), np.float32)
    ways = np.rint(changed.batch(repeated, out) * 255).astype(np.uint8)
    rows = ways.reshape(len(images), times, *images.shape[1:])
    return np.concatenate([images[:, None], rows], axis=1).reshape(-1, *images.shape[1:])
