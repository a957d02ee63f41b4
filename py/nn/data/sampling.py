"""Images sampled at other places: affine maps with a rule for what lies outside."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np

from nn.kernels import library
from nn.kernels.geometry import expect_shape
from nn.kernels.library import address, contiguous
from nn.types import Array

FILL_MODES = ("reflect", "wrap", "constant", "nearest")
"""In the order of sampling.c."""


class Sampling(NamedTuple):
    """How images are sampled.

    Attributes:
        maps: (n, 6), the rows a0 a1 a2 b0 b1 b2: the pixel at x, y is that of the input at
            x' = a0 x + a1 y + a2, y' = b0 x + b1 y + b2.
        interpolation: "bilinear" or "nearest".
        fill_mode: "constant" outside an image, the pixel of its edge ("nearest"), or of the image
            repeated, mirrored ("reflect") or not ("wrap").
    """

    maps: Array
    interpolation: str
    fill_mode: str

    def forward(self, images: Array, fill_value: float) -> Array:
        """Return the images (n, h, w, c), sampled.

        Raises:
            ValueError: there are not as many maps as images, of six numbers each.
        """
        expect_shape(self.maps, (len(images), 6), "maps")
        lib = library.compiled((images,))
        if lib is None:
            return Sampled(images.shape, *self).forward(images, fill_value)
        kind = self.interpolation == "nearest", FILL_MODES.index(self.fill_mode)
        sizes = np.array([*images.shape, *kind], np.int32)
        images, maps = contiguous(images), np.ascontiguousarray(self.maps, np.float64)
        y = np.empty(images.shape, images.dtype)
        lib.sample_images(address(sizes), address(images), address(maps), fill_value, address(y))
        return y


class Sampled:
    """Where each pixel of the outputs comes from: up to four pixels of an input, each with a share.

    Args:
        shape: (n, h, w, c) of the images.
        maps, interpolation, fill_mode: as those of `Sampling`.
    """

    def __init__(
        self, shape: tuple[int, ...], maps: Array, interpolation: str, fill_mode: str
    ) -> None:
        self.shape = shape
        n, h, w, _ = shape
        y, x = np.mgrid[:h, :w]
        a0, a1, a2, b0, b1, b2 = maps.T[:, :, None, None]
        along_x = _neighbours(a0 * x + a1 * y + a2, w, interpolation, fill_mode)
        along_y = _neighbours(b0 * x + b1 * y + b2, h, interpolation, fill_mode)
        first = np.arange(n)[:, None, None] * (h * w)
        self.parts = [
            (first + row.pixel * w + col.pixel, row.share * col.share, row.inside & col.inside)
            for row, col in product(along_y, along_x)
        ]

    def forward(self, images: Array, fill_value: float) -> Array:
        """Return the sampled images."""
        pixels = images.reshape(-1, self.shape[-1])
        fill = images.dtype.type(fill_value)
        y = np.zeros(self.shape, images.dtype)
        for places, share, inside in self.parts:
            taken = pixels[places]
            if not inside.all():
                taken = np.where(inside[..., None], taken, fill)
            y += taken * share[..., None].astype(images.dtype)
        return y

    def backward(self, dy: Array) -> Array:
        """Return the gradient of the images."""
        dx = np.zeros(self.shape, dy.dtype)
        pixels = dx.reshape(-1, self.shape[-1])
        for places, share, inside in self.parts:
            part = dy * (share * inside)[..., None].astype(dy.dtype)
            np.add.at(pixels, places.reshape(-1), part.reshape(-1, self.shape[-1]))
        return dx


class _Neighbours(NamedTuple):
    pixel: Array
    inside: Array
    share: Array


def _neighbours(places: Array, size: int, interpolation: str, fill_mode: str) -> list[_Neighbours]:
    """Return the pixels beside each place of an axis."""
    if interpolation == "nearest":
        found = [(np.trunc(places + np.copysign(0.5, places)), np.ones_like(places))]
    else:
        low = np.floor(places)
        found = [(low, 1 - (places - low)), (low + 1, places - low)]
    return [
        _Neighbours(
            _folded(index.astype(np.intp), size, fill_mode), _inside(index, size, fill_mode), share
        )
        for index, share in found
    ]


def _inside(index: Array, size: int, fill_mode: str) -> Array:
    inside: Array = (index >= 0) & (index < size) | (fill_mode != "constant")
    return inside


def _folded(index: Array, size: int, fill_mode: str) -> Array:
    """Return indices of an image's axis for those of the plane around it."""
    if fill_mode == "wrap":
        return index % size
    if fill_mode == "reflect":  # d c b a | a b c d | d c b a
        folded = index % (2 * size)
        return np.minimum(folded, 2 * size - 1 - folded)
    return np.clip(index, 0, size - 1)
