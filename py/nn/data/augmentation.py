"""Augmentation: every epoch sees each image moved, turned, scaled and noised differently."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nn.data.dataset import Dataset
from nn.types import Array


class Augmented:
    """A stream of augmented batches for `fit`: floats scaled as the data set says.

    Args:
        dataset: images (n, h, w, c).
        shift: largest move, as a share of the size.
        rotate: largest turn, in degrees.
        zoom: largest change of scale, as a share.
        noise: deviation of normal noise, after scaling.
        seed: of all draws and of the order.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 32,
        *,
        shift: float = 0.0,
        rotate: float = 0.0,
        zoom: float = 0.0,
        noise: float = 0.0,
        seed: int | None = None,
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.shift = shift
        self.rotate = rotate
        self.zoom = zoom
        self.noise = noise
        self.rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Array, Any]]:
        order = self.rng.permutation(len(self.dataset)).astype(np.intp)
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            out = np.empty((len(rows), *self.dataset.shape), np.float32)
            yield self.apply(self.dataset.batch(rows, out)), self.dataset.labels(rows)

    def get_state(self) -> Any:
        """Return the generator's state: a resumed run draws the same changes."""
        return {"generator": self.rng.bit_generator.state}

    def set_state(self, state: Any) -> None:
        """Restore what `get_state` returned."""
        self.rng.bit_generator.state = state["generator"]

    def apply(self, images: Array) -> Array:
        """Return a new batch, each image changed by its own draw, zero from outside."""
        n, h, w, _ = images.shape
        angle = np.deg2rad(self.rng.uniform(-self.rotate, self.rotate, n))[:, None, None]
        scale = self.rng.uniform(1 - self.zoom, 1 + self.zoom, n)[:, None, None]
        move = self.rng.uniform(-self.shift, self.shift, (2, n, 1, 1)) * np.reshape(
            [h, w], (2, 1, 1, 1)
        )
        y, x = np.mgrid[:h, :w] - np.reshape([(h - 1) / 2, (w - 1) / 2], (2, 1, 1))
        rows = (np.cos(angle) * y - np.sin(angle) * x) / scale + (h - 1) / 2 - move[0]
        columns = (np.sin(angle) * y + np.cos(angle) * x) / scale + (w - 1) / 2 - move[1]
        out = _sample(images, rows, columns)
        if self.noise:
            out += self.rng.normal(0, self.noise, out.shape).astype(out.dtype)
        return out


def _sample(images: Array, rows: Array, columns: Array) -> Array:
    """Read images at (n, h, w) places, bilinearly, zero outside."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = images.shape[1:3]
    y = np.clip(rows + 1, 0, height + 1 - 1e-6)
    x = np.clip(columns + 1, 0, width + 1 - 1e-6)
    top, left = y.astype(np.intp), x.astype(np.intp)
    dy, dx = (y - top)[..., None], (x - left)[..., None]
    n = np.arange(len(images))[:, None, None]
    upper = padded[n, top, left] * (1 - dx) + padded[n, top, left + 1] * dx
    lower = padded[n, top + 1, left] * (1 - dx) + padded[n, top + 1, left + 1] * dx
    return np.asarray((upper * (1 - dy) + lower * dy).astype(images.dtype))
