"""Layout: the place of each box of a diagram, in columns from left to right or in rows downwards.

A box's column is its longest path from the input; boxes of one column have lanes, sorted by the
middle of what feeds them. What is left of the length goes to the gaps, more where wires mix. If it
does not fit, tiles become smaller, then names stand on two or three levels, then fewer maps are
drawn, then layers are joined to blocks, and at last the diagram is larger than asked.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, floor

from nn.graph import Graph
from nn.utils.diagram import captions
from nn.utils.diagram.blocks import folded
from nn.utils.diagram.boxes import Box, place_ranks, read
from nn.utils.diagram.tiles import SHOWN, Room, Tiles, arranged, bar_code

MIXES = ("Conv", "Dense", "LSTM", "GRU", "SimpleRNN", "Bidirectional", "Separable", "Attention")
"""Beginnings of the classes whose wires mix; the others copy, and need a shorter gap."""
FLAT = ("Flatten", "Reshape")
ROOMY = 9.0
"""CSS pixels of a gap beyond its least, for each share, that are worth smaller tiles."""
MOST = 30
"""Columns at most before layers are joined to blocks."""


@dataclass
class Place:
    """Where a diagram is to stand.

    Attributes:
        width, height: CSS pixels.
        down: rows from top to bottom instead of columns from left to right.
        ends: CSS pixels across of what shows the last layer, beside the diagram; () draws it.
        middle: CSS pixels across where a wire from outside meets the input; None is none.
        opened: names of the blocks that are shown layer by layer.
        text: size of the names' font in CSS pixels.
        ratio: pixels of the screen in a CSS pixel.
    """

    width: float = 840.0
    height: float = 400.0
    down: bool = False
    ends: Sequence[float] = ()
    middle: float | None = None
    opened: Collection[str] = ()
    text: float = 13.0
    ratio: float = 1.0


@dataclass
class Attempt:
    """How much is drawn: the scale of tiles, levels of names, most tiles of a layer."""

    scale: float
    levels: int
    most: int


ATTEMPTS = [
    *(Attempt(scale, 1, SHOWN) for scale in (1.0, 0.9, 0.8, 0.7)),
    *(Attempt(scale, 2, SHOWN) for scale in (1.0, 0.9, 0.8, 0.7)),
    *(Attempt(scale, 2, 32) for scale in (0.7, 0.6, 0.5)),
    *(Attempt(scale, 3, most) for most in (24, 12, 6) for scale in (0.7, 0.5, 0.4)),
]


@dataclass
class Layout:
    """The boxes of a network, placed.

    Attributes:
        place: what was asked for.
        boxes: layers and blocks in the order of computation.
        ranks: the same, and the lanes of wires, by column.
        width, height: CSS pixels; more than asked for where the network needs more.
        levels: how many levels the names stand on; notes are written on a single one only.
        starts, stops: CSS pixels along the way where each column begins and ends.
    """

    place: Place
    boxes: list[Box]
    ranks: list[list[Box]] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0
    levels: int = 1
    starts: list[float] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)

    @property
    def last(self) -> Box:
        """The box of the answer."""
        return self.boxes[-1]

    def ends(self, box: Box) -> bool:
        """Whether a box is drawn outside, where the place's `ends` are."""
        return bool(self.place.ends) and box is self.last

    @property
    def head(self) -> float:
        """The CSS pixels above a box for its name and note."""
        text = self.place.text
        return text * (2.7 if self.levels == 1 else 1.35 * self.levels)


def layout(graph: Graph, place: Place) -> Layout:
    """Return the layout of a graph; opened blocks are among those that it has while none is."""
    count = len(read(graph))
    coarser = [] if place.down else [most for most in (22, 16, 12) if most < count]
    for most in (MOST, *coarser):
        found, fits = _folded(graph, replace(place, opened=()), most)
        if fits:
            break
    if place.opened:
        found, fits = _folded(graph, place, most)
    if not fits:
        _grow(found)
    return found


def _folded(graph: Graph, place: Place, most: int) -> tuple[Layout, bool]:
    """Return the layout of at most about `most` boxes, and whether it fits."""
    found = Layout(place, folded(read(graph), most, place.opened))
    found.ranks = place_ranks(found.boxes)
    return found, _fit(found)


def _fit(found: Layout) -> bool:
    """Place all boxes, if they fit."""
    for attempt in ATTEMPTS:
        if attempt.levels > 1 and found.place.down:
            continue
        _try(found, attempt)
        if _spare(found) >= _least_spare(found, attempt) and _names_fit(found):
            return True
    return False


def _least_spare(found: Layout, attempt: Attempt) -> float:
    """Return the length that is left for the gaps at least, where tiles may still be smaller."""
    roomy = attempt.scale > 0.5 and not found.place.down
    return sum(_gaps(found)[1]) * ROOMY * roomy


def _grow(found: Layout) -> None:
    """Let the diagram be as large as the boxes need."""
    place = found.place
    attempt = Attempt(0.7, 1, 24) if place.down else Attempt(0.5, 3, 12)
    _try(found, attempt)
    if place.down:
        found.height = max(found.height, found.height - _spare(found))
    else:
        found.width = max(found.width, found.width - _spare(found))
    _place(found)


def _try(found: Layout, attempt: Attempt) -> None:
    place = found.place
    found.levels = attempt.levels
    found.width, found.height = place.width, place.height
    _lanes(found)
    for column in found.ranks:
        for box in column:
            box.tiles = _tiles(found, box, attempt)
    if _spare(found) >= 0:
        _place(found)


def _lanes(found: Layout) -> None:
    """Give each box its lane across its column."""
    place = found.place
    head = 0.0 if place.down else found.head
    least = 3 * place.text if place.down else head + 24
    across = place.width if place.down else place.height
    for column in found.ranks:
        across = max(across, sum(10 if box.passes else least for box in column))
    if place.down:
        found.width = across
    else:
        found.height = across
    for column in found.ranks:
        if len(column) > 1:
            column.sort(key=_centre)
        passing = sum(box.passes for box in column)
        narrow = min(across * 0.1, 0.3 * across / passing) if passing else 0.0
        wide = (across - narrow * passing) / max(1, len(column) - passing)
        at = 0.0
        for box in column:
            box.low, at = at, at + (narrow if box.passes else wide)
            if not box.passes:
                box.low += head
            box.low = ceil(box.low * place.ratio) / place.ratio
            box.high = at - (4 if len(column) > 1 and not box.passes else 0)


def _centre(box: Box) -> tuple[bool, float]:
    """Return what a column is sorted by: wires that pass run below its boxes."""
    middles = [(source.low + source.high) / 2 for source, _ in box.inputs]
    return box.passes, sum(middles) / max(1, len(middles))


def _tiles(found: Layout, box: Box, attempt: Attempt) -> Tiles:
    """Return the tiles of a box in its lane."""
    place = found.place
    zoom = place.text / 13
    if box.passes or found.ends(box):
        return Tiles(cells=len(place.ends) if found.ends(box) else 1)
    if place.down and not box.inputs and place.middle is not None:
        return Tiles(cells=1)
    across = box.high - box.low
    if box.units:
        thick = (8 if box.kind in FLAT else 16) * zoom * max(0.6, attempt.scale)
        whole = max(1, round(thick * place.ratio)) / place.ratio
        return bar_code(box.units, across, whole, place.ratio)
    long = max(box.rows, box.columns)
    want = 20.0 + min(long, 44)
    if not box.inputs:
        want = 80.0 if box.maps == 1 else 60.0
    least = (18 if place.down else 27) * attempt.scale * zoom
    room = Room(across, want * attempt.scale * zoom, least, attempt.most, place.ratio)
    along, side = (box.rows, box.columns) if place.down else (box.columns, box.rows)
    return arranged(box.maps, along, side, room)


def _gaps(found: Layout) -> tuple[list[float], list[float]]:
    """Return the least gap before each column, and its share of what is left."""
    least, shares = [0.0], [0.0]
    for before, column in zip(found.ranks, found.ranks[1:], strict=False):
        beads = max(len(strung) for box in column for _, strung in box.inputs)
        gap = 14.0 + 11 * beads
        if found.place.down:
            gap = 1.5 * found.place.text + 8 + (11 * bool(beads))
        elif found.levels == 1:
            labels = _label(found, before) + _label(found, column)
            gap = max(gap, labels + 6 - (_thick(before) + _thick(column)) / 2)
        least.append(gap)
        mixes = any(box.kind.startswith(MIXES) or box.kind == "Block" for box in column)
        shares.append(2.0 if mixes else 0.8)
    return least, shares


def _thick(column: list[Box]) -> float:
    return max(box.tiles.thick for box in column)


def _label(found: Layout, column: list[Box]) -> float:
    """Return half the width of the widest name over a column; all of it at the end."""
    widest = max(name_width(found, box) for box in column)
    return widest if found.last in column else widest / 2


def name_width(found: Layout, box: Box) -> float:
    """Return the width of a name, and of its note where that is written."""
    if box.passes:
        return 0.0
    text = found.place.text
    wide = captions.width(box.title, text, bold=True)
    return max(wide, captions.width(box.note, text * 0.92)) if found.levels == 1 else wide


def _begin(found: Layout) -> float:
    """Return where the first column begins."""
    if found.place.down:
        return 0.0 if found.place.middle is not None else 1.5 * found.place.text
    neck = 24.0 if found.place.middle is not None else 0.0
    first = _label(found, found.ranks[0]) if found.levels == 1 else 0.0
    return max(neck, first - _thick(found.ranks[0]) / 2)


def _end(found: Layout) -> float:
    """Return the space after the last column."""
    return 0.0 if found.place.ends else 2.0


def _spare(found: Layout) -> float:
    """Return the length that is left for the gaps."""
    whole = found.height if found.place.down else found.width
    taken = sum(map(_thick, found.ranks)) + sum(_gaps(found)[0])
    return whole - _begin(found) - _end(found) - taken


def _place(found: Layout) -> None:
    """Place the columns along the way, and the boxes in their lanes."""
    least, shares = _gaps(found)
    part = _spare(found) / (sum(shares) or 1.0)
    at = _begin(found)
    found.starts, found.stops = [], []
    for column, gap, share in zip(found.ranks, least, shares, strict=True):
        at = _whole(found, at + gap + share * part)
        thick = _thick(column)
        found.starts.append(at)
        for box in column:
            _settle(found, box, at, thick)
        at += thick
        found.stops.append(at)


def _whole(found: Layout, length: float) -> float:
    """Return the length that is whole pixels of the screen, at most so long."""
    return floor(length * found.place.ratio + 1e-6) / found.place.ratio


def _settle(found: Layout, box: Box, start: float, thick: float) -> None:
    place, tiles = found.place, box.tiles
    along = start + _whole(found, (thick - tiles.thick) / 2)
    across = (box.low + box.high - tiles.length) / 2
    if not box.inputs and place.middle is not None:
        limit = (place.width if place.down else found.height) - tiles.length
        across = min(max(place.middle - tiles.length / 2, box.low), limit)
    across = _whole(found, across)
    if place.down:
        box.x, box.y, box.width, box.height = across, along, tiles.length, tiles.thick
    else:
        box.x, box.y, box.width, box.height = along, across, tiles.thick, tiles.length


@dataclass
class Name:
    """A name above a box: its texts, and the rectangle that they stand in."""

    box: Box
    title: str
    note: str
    x: float
    y: float
    width: float
    height: float


def names(found: Layout) -> list[Name]:
    """Return the names, none over another or over a box; too long ones are shortened."""
    made = []
    for rank, column in enumerate(found.ranks):
        for box in column:
            if box.passes or (found.place.down and not box.tiles.thick and not found.ends(box)):
                continue
            name = _name_down(found, box) if found.place.down else _name(found, rank, box)
            if name.title:
                made.append(name)
    return made


def _name_down(found: Layout, box: Box) -> Name:
    text = found.place.text
    room = box.high - box.low
    height = 1.35 * text
    y = (found.height if found.ends(box) else box.y) - height - 2
    title = captions.shortened(box.title, room, text, bold=True)
    wide = captions.width(title, text, bold=True)
    note = captions.shortened(box.note, room - wide - 5, text * 0.92)
    if note:
        wide += 5 + captions.width(note, text * 0.92)
    return Name(box, title, note, box.low, max(0.0, y), wide, height)


def _is_first(found: Layout, box: Box) -> bool:
    """Return whether a box is in its column's first lane, its name above all boxes."""
    return box.low < found.head + 2


def _slot(found: Layout, rank: int, first: bool) -> tuple[float, float]:
    """Return where a name of a column may begin and end, along the way.

    Those of the first lanes stand above all boxes, on one of the levels; others between the gaps.
    """
    starts, stops = found.starts, found.stops
    if not first:
        start = (stops[rank - 1] + starts[rank]) / 2 + 2 if rank else 0.0
        last = rank == len(starts) - 1
        return start, found.width if last else (stops[rank] + starts[rank + 1]) / 2 - 2

    def middle(number: int) -> float:
        return (found.starts[number] + found.stops[number]) / 2

    own, low, high = middle(rank), rank - found.levels, rank + found.levels
    start = (middle(low) + own) / 2 + 3 if low >= 0 else 0.0
    return start, (middle(high) + own) / 2 - 3 if high < len(found.starts) else found.width


def _name(found: Layout, rank: int, box: Box) -> Name:
    text = found.place.text
    start, stop = _slot(found, rank, _is_first(found, box))
    title = captions.shortened(box.title, stop - start, text, bold=True)
    note = box.note if found.levels == 1 else ""
    note = captions.shortened(note, stop - start, text * 0.92)
    wide = max(captions.width(title, text, bold=True), captions.width(note, text * 0.92))
    middle = found.width if found.ends(box) else box.x + box.width / 2
    x = min(max(middle - wide / 2, start), stop - wide)
    y = box.low - found.head + 1.35 * text * (rank % found.levels)
    height = 1.35 * text + (1.25 * text if note else 0.0)
    return Name(box, title, note, x, y, wide, height)


def _names_fit(found: Layout) -> bool:
    """Whether all names are whole; those of the last attempts may be shortened."""
    if found.place.down or found.levels == 3:
        return True
    whole = {name.box: name for name in names(found)}
    return all(
        box.passes
        or not _is_first(found, box)  # shortened, if need be
        or (box in whole and whole[box].title == box.title)
        for column in found.ranks
        for box in column
    )
