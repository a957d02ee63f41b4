"""Random changes of training images (shift, rotation, zoom, noise), and a preview of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from nn.data import AugmentedDataset, Dataset

from app.lab.images import pictures
from app.lab.images.mnist import Mnist, class_name


class Augmentation:
    """Served as `lab.augmentation`."""

    def __init__(self, mnist: Mnist) -> None:
        self._mnist = mnist
        self._rng = np.random.default_rng(0)

    def samples(self, choice: dict[str, int], columns: int, rows: int) -> dict[str, Any]:
        """Return random training images, one a row: as they are, then as they may be changed, and
        the names of their classes."""
        indices = self._rng.integers(0, len(self._mnist.train), rows)
        seed = int(self._rng.integers(0, 2**31))
        images, labels = self._mnist.training_images(indices)
        ways = variations(images, choice, columns - 1, seed)
        names = [class_name(self._mnist.train, label) for label in labels]
        return {"rgba": pictures.mosaic(ways, columns), "names": names}


def strengths(choice: Mapping[str, float], side: int) -> dict[str, Any]:
    """Return the arguments of `nn.data.AugmentedDataset` for the page's switches.

    Args:
        side: of the images, in pixels.
        choice: shift in pixels, rotate in degrees, zoom and noise in percent; 0 is off.
    """
    return {
        "shift": choice["shift"] / side,
        "rotate": choice["rotate"],
        "zoom": choice["zoom"] / 100,
        "noise": choice["noise"] / 100,
    }


def changed(source: Dataset, choice: Mapping[str, float], seed: int) -> AugmentedDataset:
    """Return a data set whose batches are changed as the switches say."""
    return AugmentedDataset(source, **strengths(choice, source.shape[0]), seed=seed)


def variations(images: Any, choice: Mapping[str, float], times: int, seed: int) -> Any:
    """Return each image (n, h, w, ...) uint8 followed by `times` changed copies, row by row."""
    repeated = np.repeat(np.arange(len(images)), times)
    data = changed(Dataset(images), choice, seed)
    out = np.empty((len(repeated), *data.shape), np.float32)
    ways = np.rint(data.batch(repeated, out) * 255).astype(np.uint8)
    rows = ways.reshape(len(images), times, *images.shape[1:])
    return np.concatenate([images[:, None], rows], axis=1).reshape(-1, *images.shape[1:])
