"""Geometry of convolution and pooling: shapes, checked and packed for the kernels."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from nn.kernels.library import Library, address
from nn.kernels.reference import Array, Padding, Pair

Shape = tuple[int, ...]
LARGEST = (
    2**28
)  # floats of an image, an output, a kernel: C counts in int32, of a few of them together
PANEL = 8  # COLUMNS of tile.h


class Geometry:
    """The sizes of a layer for one batch size, as C's `struct geometry`."""

    def __init__(
        self, x: Shape, kernel: Shape, strides: Pair, padding: Padding, dilation: Pair, groups: int
    ) -> None:
        _check(x, kernel, groups)
        n, height, width, channels = x
        kh, kw, _, filters = kernel
        (top, bottom), (left, right) = padding
        tall, wide = height + top + bottom, width + left + right
        oh = (tall - (kh - 1) * dilation[0] - 1) // strides[0] + 1
        ow = (wide - (kw - 1) * dilation[1] - 1) // strides[1] + 1
        if oh < 1 or ow < 1:
            raise ValueError(
                f"expected images that hold a window of {(kh, kw)} with dilation {dilation}, "
                f"received {(height, width)} padded by {padding}"
            )
        self.output = (n, oh, ow, filters)
        self._columns = (oh, ow, kh, kw, kernel[2])
        _expect_countable("a padded image", tall, wide, channels)
        # An output's place takes at least the sums of a panel, a kernel at least one panel.
        _expect_countable("an output", oh, ow, max(filters, PANEL))
        _expect_countable("a kernel", kh, kw, max(kernel[2], PANEL), max(filters, PANEL * groups))
        self.winograd = (
            kernel[:2] == (3, 3)
            and strides == dilation == (1, 1)
            and groups == 1
            and _tiles_pay(channels, filters, self.output)
        )
        self.depthwise = groups == channels == filters >= 4
        self._packed = np.array(
            [
                n, height, width, channels, oh, ow, filters, kh, kw, *strides, *dilation,
                top, left, tall, wide, groups,
            ],
            np.int32,
        )  # fmt: skip
        self._scratch: dict[tuple[str | None, str], int] = {}

    @property
    def forward(self) -> str:
        """The name of the kernel that computes the convolution."""
        if self.depthwise:
            return "depthwise"
        return "winograd" if self.winograd else "convolution"

    @property
    def address(self) -> int:
        """The address of the packed sizes."""
        return address(self._packed)

    def expect_columns(self) -> None:
        """Raise MemoryError unless the columns of a gradient, a window a place, can be counted."""
        _expect_countable("an image's columns", *self._columns)

    def scratch(self, library: Library, function: str) -> int:
        """Return the address of the scratch memory that `function` needs for these sizes."""
        key = library.path, function
        floats = self._scratch.get(key)
        if floats is None:
            floats = getattr(library, function + "_scratch")(self.address)
            self._scratch[key] = floats
        return library.scratch(floats)


def _expect_countable(what: str, *sizes: int) -> None:
    if math.prod(sizes) > LARGEST:
        raise MemoryError(f"expected at most {LARGEST:,} floats in {what}, received {sizes}")


def _tiles_pay(channels: int, filters: int, output: Shape) -> bool:
    """Return whether Winograd's 4x4 tiles (36 products, not 9 per output) are faster.

    The transforms cost about as much as 8 channels by 8 filters, and need multiples of eight; that
    of the weights, which grow to four times their size, as much as a dozen tiles.
    """
    n, height, width, _ = output
    if channels % 8 or filters % 8 or min(channels, filters) < 16:
        return False
    tiles = -(-height // 4) * -(-width // 4)
    if n * tiles < 12 and channels * filters > 64 * 64:
        return False
    return 36 * tiles <= 0.6 * 9 * height * width


def _check(x: Shape, kernel: Shape, groups: int) -> None:
    if len(x) != 4 or len(kernel) != 4:
        raise ValueError(
            "expected images (n, h, w, c) and a kernel (kh, kw, c, filters), "
            f"received {x} and {kernel}"
        )
    if groups < 1 or x[3] != kernel[2] * groups or kernel[3] % groups:
        raise ValueError(
            f"expected {kernel[2]} channels in each of {groups} groups that divide the filters, "
            f"received {x[3]} channels and {kernel[3]} filters"
        )


@lru_cache(maxsize=512)
def geometry(
    x: Shape,
    kernel: Shape,
    strides: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Geometry:
    """Return the geometry of images of shape `x` under a kernel.

    Raises:
        ValueError: the shapes do not match.
        MemoryError: an image or the weights have more than `LARGEST` floats.
    """
    return Geometry(x, kernel, strides, padding, dilation, groups)


def expect_shape(array: Array | None, shape: Shape, name: str) -> None:
    """Raise ValueError unless an array that a kernel writes has this shape."""
    if array is not None and array.shape != shape:
        raise ValueError(f"expected {name} of shape {shape}, received {array.shape}")
