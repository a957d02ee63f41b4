"""Colours of activations: RGBA bytes from tables that mix the theme's inks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from nn.utils.diagram.boxes import Box
from nn.utils.diagram.layout import Layout
from nn.utils.diagram.wires import shown

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

LIGHT = {"tile": (235, 228, 213), "blue": (33, 71, 214), "rust": (168, 72, 31), "ink": (28, 26, 21)}
"""The inks before the page has said its own."""
CURVE = 0.75
"""Exponent of a value's share of ink: small values stay visible."""
STEPS = 255
"""Shades of each sign."""


def table(inks: Mapping[str, Sequence[float]], positive: str = "blue") -> Array:
    """Return RGBA (511, 4) for the values -1 to 1: rust, the silent tile, and a positive ink."""
    tile = np.asarray(inks["tile"], np.float32)
    part = (np.arange(STEPS + 1, dtype=np.float32) / STEPS) ** CURVE
    sides = [tile + part[:, None] * (np.asarray(inks[to]) - tile) for to in ("rust", positive)]
    made = np.full((2 * STEPS + 1, 4), 255, np.uint8)
    made[:, :3] = np.rint(np.concatenate([sides[0][:0:-1], sides[1]]))
    return made


def coloured(values: Array, gain: float, shades: Array) -> Array:
    """Return RGBA (..., 4) of values in -gain..gain."""
    return shades[quantized(values, gain)]


def quantized(values: Array, gain: float) -> Array:
    """Return the places of values in a table."""
    shares = np.clip(values * (STEPS / (gain or 1.0)), -STEPS, STEPS)
    return np.rint(np.nan_to_num(shares)).astype(np.int16) + STEPS


class Canvas:
    """A layer's place among the pixels of a picture, and how its values come there.

    Args:
        found: the layout.
        box: the layer.
        offset: pixels before it.
    """

    def __init__(self, found: Layout, box: Box, offset: int) -> None:
        tiles = box.tiles
        along, across = tiles.canvas
        down = found.place.down
        hidden = found.ends(box) or not tiles.thick
        self.box = box
        self.width, self.height = (0, 0) if hidden else (across, along) if down else (along, across)
        self.offset = offset
        self.maps = [shown(box, tile) for tile in range(tiles.count)]
        sides = (tiles.along, tiles.across) if down else (tiles.across, tiles.along)
        self.rows, self.columns = sides
        self.cut = tiles.cut if down else tiles.cut[::-1]
        self.pixels = self._pixels(down)
        starts = np.arange(tiles.cells) * box.units // max(1, tiles.cells)
        self.starts = starts if tiles.cells < box.units else None

    def _pixels(self, down: bool) -> Array:
        """Return the number of the pixel in the picture for each value."""
        if not self.width:
            return np.zeros(0, np.intp)
        if not self.maps:
            return self.offset + np.arange(self.width * self.height)
        corners = [self.box.tiles.corner(tile) for tile in range(len(self.maps))]
        places = np.asarray([c if down else c[::-1] for c in corners])
        rows = places[:, 0, None] + np.arange(self.rows)
        columns = places[:, 1, None] + np.arange(self.columns)
        return (self.offset + rows[:, :, None] * self.width + columns[:, None, :]).reshape(-1)

    def values(self, output: Array) -> Array:
        """Return what the tiles show of an output: (tiles, rows, columns), or (cells,)."""
        if not self.maps:
            return self._cells(output.reshape(-1))
        maps = as_maps(output, self.box.first)[self.maps]
        for axis, cut in ((1, self.cut[0]), (2, self.cut[1])):
            if cut > 1:
                size = maps.shape[axis]
                starts = np.arange(0, size, cut)
                sums = np.add.reduceat(maps, starts, axis)
                counts = np.minimum(cut, size - starts)
                maps = sums / np.expand_dims(counts, tuple(a for a in range(3) if a != axis))
        return maps

    def _cells(self, units: Array) -> Array:
        """Return the value of each stripe: of several units the one that is farthest from 0."""
        if self.starts is None:
            return units
        high = np.maximum.reduceat(units, self.starts)
        low = np.minimum.reduceat(units, self.starts)
        return np.where(high >= -low, high, low)


def as_maps(output: Array, first: bool) -> Array:
    """Return an output as maps (maps, rows, columns); `boxes.geometry` says of what."""
    if output.ndim < 2:
        return output.reshape(1, 1, -1)
    if output.ndim == 2:
        return output[None]
    maps = output if first else np.moveaxis(output, -1, 0)
    while maps.ndim > 3:
        maps = maps[:, maps.shape[1] // 2]
    return maps
