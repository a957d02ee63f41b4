"""Tiles: how large the maps of a layer are drawn, and in how many lines.

A layer is one canvas at its maps' own resolution; gaps between maps are whole pixels of it. A pixel
of a small map is a whole number of the screen's pixels, so that all are of one size; a map larger
than its tile is reduced, each pixel of the tile then holds several of the map's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor

SHOWN = 48
"""Maps of a layer that are drawn at most; of more, as many at even distances."""
MOST_LINES = 12
LONGEST = 4
"""How many times longer than wide a tile may be."""
SMOOTH = 2.0
"""Below so many screen pixels a pixel, a map is scaled smoothly."""


@dataclass
class Tiles:
    """The arrangement of a layer's tiles, along the way (from the input to the answer) and across.

    Attributes:
        count: tiles that are drawn; 0 in a bar code of units.
        cells: of a bar code.
        along, across: pixels of the canvas that a tile has.
        cut: how many of a map's rows and columns are one of the canvas: (along, across).
        unit: CSS pixels of a pixel of the canvas.
        gap: pixels of the canvas between lines, and at least between the tiles of a line.
        lines: how many lines of tiles.
        per: tiles in a line.
        stride: pixels of the canvas from a tile to the next in its line.
        smooth: whether the canvas is scaled smoothly.
    """

    count: int = 0
    cells: int = 0
    along: int = 1
    across: int = 1
    cut: tuple[int, int] = (1, 1)
    unit: float = 0.0
    gap: int = 0
    lines: int = 1
    per: int = 1
    stride: int = 1
    smooth: bool = False
    thick: float = 0.0
    """CSS pixels along the way, of all lines."""
    length: float = 0.0
    """CSS pixels across."""

    @property
    def canvas(self) -> tuple[int, int]:
        """The pixels of the canvas, along the way and across."""
        if not self.count:
            return 1, self.cells
        along = self.lines * (self.along + self.gap) - self.gap
        return along, (self.per - 1) * self.stride + self.across

    def corner(self, tile: int) -> tuple[int, int]:
        """Return where a tile begins on the canvas, along the way and across."""
        line, place = divmod(tile, self.per)
        return line * (self.along + self.gap), place * self.stride

    def port(self, tile: int) -> float:
        """Return where the wires of a tile meet the layer's edge, in CSS pixels across.

        Wires end at the edge, in the order of the maps: none passes behind another tile.
        """
        if not self.count:
            return (tile + 0.5) * self.unit
        line, place = divmod(tile, self.per)
        return (place * self.stride + self.across * (line + 0.5) / self.lines) * self.unit

    @property
    def ends(self) -> int:
        """How many places there are for wires."""
        return self.count or self.cells


def bar_code(units: int, room: float, thick: float, ratio: float) -> Tiles:
    """Return the arrangement of a vector: a stripe for each unit, or for several.

    Args:
        units: elements of the vector.
        room: CSS pixels across.
        thick: CSS pixels along the way.
        ratio: pixels of the screen in a CSS pixel.
    """
    most = max(1, floor(room * ratio))
    each = max(1, min(floor(most / units), floor(24 * ratio)))
    if units > 20:
        each = max(1, min(each, floor(3 * ratio)))
    cells = min(units, most)
    return Tiles(cells=cells, unit=each / ratio, thick=thick, length=cells * each / ratio)


@dataclass
class Room:
    """The space that tiles may take.

    Attributes:
        across: CSS pixels of the lane.
        want: CSS pixels of the longer side of a tile.
        least: below so many CSS pixels, another line is begun.
        most: tiles that may be drawn.
        ratio: pixels of the screen in a CSS pixel.
    """

    across: float
    want: float
    least: float
    most: int
    ratio: float


def arranged(maps: int, along: int, across: int, room: Room) -> Tiles:
    """Return the arrangement of maps.

    Args:
        maps: how many.
        along, across: pixels of a map, along the way and across.
        room: the space.
    """
    count = min(maps, room.most)
    while True:
        for lines in _lines(count, along, across, room):
            found = _fitted(count, lines, along, across, room)
            if found is not None:
                return found
        count = ceil(count / 2)


def _lines(count: int, along: int, across: int, room: Room) -> Iterator[int]:
    """Yield numbers of lines to try: the first lets tiles be of the size wanted, if six can."""
    enough = min(room.least, room.want)
    for lines in range(1, min(count, MOST_LINES) + 1):
        full = ceil(count / ceil(count / lines)) == lines
        if full and (lines > 6 or _side(count, lines, along, across, room) >= enough):
            yield lines
    if count == 1:
        yield 1


def _side(count: int, lines: int, along: int, across: int, room: Room) -> float:
    """Return the longer side of a tile that lets a line fit."""
    longer = max(1.0, min(LONGEST, along / across))
    return room.across / ceil(count / lines) * across / (across + _gap(across)) * longer


def _gap(across: int) -> int:
    return 1 if across < 10 else 2


def _fitted(count: int, lines: int, along: int, across: int, room: Room) -> Tiles | None:
    """Return the arrangement for so many lines, or None where a line does not fit."""
    per = ceil(count / lines)
    side = min(room.want, max(4.0, _side(count, lines, along, across, room)), room.across)
    cut = _cuts(along, across, side * room.ratio)
    a, b = ceil(along / cut[0]), ceil(across / cut[1])
    gap = _gap(b)
    step = 1 / room.ratio
    unit = side / max(a, b)
    length = per * (b + gap) - gap
    if unit < SMOOTH * step * 1.5 and unit < SMOOTH:
        smooth = unit > step
        unit = max(unit, step)
        if length * unit > room.across:
            unit = room.across / length
            if unit < step:
                return None
    else:
        smooth, unit = False, max(step, round(unit / step) * step)
        while length * unit > room.across and unit > step:
            unit -= step
        if length * unit > room.across:
            return None
    tiles = Tiles(count, 0, a, b, cut, unit, gap, lines, per, b + gap, smooth and unit % step > 0)
    spare = room.across / unit - length
    if per > 1 and spare > 0:
        tiles.stride += floor(min(spare / (per - 1), 0.4 * max(a, b)))
    along_pixels, across_pixels = tiles.canvas
    tiles.thick, tiles.length = along_pixels * unit, across_pixels * unit
    return tiles


def _cuts(along: int, across: int, screen: float) -> tuple[int, int]:
    """Return how many pixels of a map are one of its tile, to be no longer than `screen`."""
    most = max(1, floor(screen))
    short = min(along, across)
    return tuple(  # type: ignore[return-value]
        max(ceil(side / most), ceil(side / (LONGEST * max(short, most // 8))))
        for side in (along, across)
    )
