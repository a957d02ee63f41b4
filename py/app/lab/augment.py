"""Training images that are never twice the same: moved, turned, scaled, with specks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from nn.data import AugmentedDataset, Dataset

SIDE = 28


def strengths(choice: Mapping[str, float]) -> dict[str, Any]:
    """What the page's switches mean to `nn.data.AugmentedDataset`.

    Args:
        choice: shift in pixels, rotate in degrees, zoom and noise in percent; 0 is off.
    """
    return {
        "shift": choice["shift"] / SIDE,
        "rotate": choice["rotate"],
        "zoom": choice["zoom"] / 100,
        "noise": choice["noise"] / 100,
    }


def changed(source: Dataset, choice: Mapping[str, float], seed: int) -> AugmentedDataset:
    """A data set whose every batch is changed as the switches say."""
    return AugmentedDataset(source, **strengths(choice), seed=seed)


def variations(images: Any, choice: Mapping[str, float], times: int, seed: int) -> Any:
    """Each image (n, h, w) uint8 as it is, then `times` ways it may arrive: row by row, uint8."""
    repeated = np.repeat(np.arange(len(images)), times)
    data = changed(Dataset(images), choice, seed)
    out = np.empty((len(repeated), *images.shape[1:], 1), np.float32)
    ways = np.rint(data.batch(repeated, out) * 255).astype(np.uint8)
    rows = ways.reshape(len(images), times, *images.shape[1:])
    return np.concatenate([images[:, None], rows], axis=1).reshape(-1, *images.shape[1:])
