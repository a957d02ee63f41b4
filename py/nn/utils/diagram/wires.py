"""Wires of a diagram: which tiles they join, and their paths, which cross no box.

A wire leaves its layer straight, bends in the gap between two columns, and enters the next layer
straight, at the port of its tile on the layer's edge. Past other columns it runs in a lane of its
own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from nn.utils.diagram.boxes import Box
from nn.utils.diagram.layout import FLAT, Layout

FAN = 48
"""Wires of one kind between two layers, about, where not each tile has its own."""
INTO_ANSWER, INTO_TILE = 6, 3
"""The strongest wires into a class of the answer, and into any other tile."""


class Weights(Protocol):
    """The weights between two boxes, as wires show them."""

    def strongest(self, target: int, most: int) -> Sequence[tuple[int, float]]:
        """Return at most `most` (tile of the source, weight in -1..1) into a tile of the target,
        the largest first."""


class Weighing(Protocol):
    """Finds the weights between two boxes."""

    def __call__(self, source: Box, target: Box) -> Weights | None:
        """Return the weights; None where the layer has none, or none by tile."""


@dataclass(eq=False)
class Wire:
    """A wire from a tile to a tile.

    Attributes:
        source, target: the boxes.
        i, j: the tiles' numbers, or the stripes' in a bar code.
        weight: -1..1; its size is the wire's width, its sign the colour.
        weighs: whether the weight is a layer's, and changes with training.
        path: as SVG writes it.
    """

    source: Box
    target: Box
    i: int
    j: int
    weight: float
    weighs: bool
    path: str = ""

    @property
    def crowd(self) -> float:
        """Its share of the width that a wire has which is one of few."""
        return 0.6 if self.target.tiles.ends > 24 else 1.0


def wires(found: Layout, weighing: Weighing) -> list[Wire]:
    """Return the wires of a layout, grouped by the tile that they start from."""
    made = [
        wire
        for column in found.ranks
        for box in column
        for number in range(len(box.inputs))
        for wire in _between(found, box, number, weighing)
    ]
    order = {box: number for number, box in enumerate(b for c in found.ranks for b in c)}
    made.sort(key=lambda wire: (order[wire.source], wire.i))
    for wire in made:
        wire.path = _path(found, wire)
    return made


def _between(found: Layout, box: Box, number: int, weighing: Weighing) -> Iterator[Wire]:
    """Yield the wires into a box from one of its inputs."""
    source = box.inputs[number][0]
    count, into = source.tiles.ends, box.tiles.ends
    weights = None if source.passes or box.passes else weighing(source, box)
    if box.passes:
        yield Wire(source, box, count // 2, 0, 0.8, False)
    elif weights is not None:
        most = INTO_ANSWER if box is found.last else INTO_TILE if into <= 24 else 2
        step = 1 if box is found.last else -(-into // FAN)
        for j in range(0, into, step):
            for i, weight in weights.strongest(j, most):
                yield Wire(source, box, i, j, weight, True)
    elif box.kind in FLAT and source.tiles.count and box.units:
        yield from _flattened(source, box)
    else:
        first = _offset(box, number) if box.kind == "Concatenate" else None
        yield from _copied(source, box, first)


def _flattened(source: Box, box: Box) -> Iterator[Wire]:
    """Yield wires from each map to some of its pixels' places in the row: maps lie innermost."""
    count, wanted = source.tiles.count, max(source.tiles.count, 24)
    for k in range(wanted):
        channel = shown(source, k % count)
        unit = int((k + 0.5) * box.units / wanted) // source.maps * source.maps + channel
        cell = min(unit, box.units - 1) * box.tiles.cells // box.units
        yield Wire(source, box, k % count, cell, 0.3, False)


def _copied(source: Box, box: Box, first: tuple[int, int] | None) -> Iterator[Wire]:
    """Yield wires from place to place, in order; of many only some."""
    count, into = source.tiles.ends, box.tiles.ends
    start, stop = first or (0, into)
    wanted = min(FAN, max(count, 1 if count == 1 and box.units else stop - start))
    for k in range(wanted):
        j = start + int((k + 0.5) * (stop - start) / wanted)
        yield Wire(source, box, int((k + 0.5) * count / wanted), min(j, into - 1), 0.5, False)


def _offset(box: Box, number: int) -> tuple[int, int]:
    """Return which tiles of a concatenation come from one of its inputs."""
    sizes = [max(1, origin(source).maps * (origin(source).units or 1)) for source, _ in box.inputs]
    whole, into = sum(sizes), box.tiles.ends
    start = sum(sizes[:number]) * into // whole
    return start, max(start + 1, sum(sizes[: number + 1]) * into // whole)


def origin(box: Box) -> Box:
    """Return the layer whose output a lane carries; of a layer, itself."""
    while box.passes:
        box = box.inputs[0][0]
    return box


def shown(box: Box, tile: int) -> int:
    """Return the map that a tile shows."""
    count = box.tiles.count
    return tile if count == box.maps else tile * box.maps // count


def port(found: Layout, box: Box, tile: int, leaving: bool) -> tuple[float, float]:
    """Return where a wire meets a box: (along the way, across)."""
    place = found.place
    down = place.down
    start, across = (box.y, box.x) if down else (box.x, box.y)
    if found.ends(box):
        return (found.height if down else found.width), place.ends[tile]
    if box.passes:
        rank = box.rank
        middle = (box.low + box.high) / 2
        return (found.stops if leaving else found.starts)[rank], middle
    if down and not box.tiles.thick:
        return start, place.middle if place.middle is not None else across
    return start + (box.tiles.thick if leaving else 0.0), across + box.tiles.port(tile)


def _path(found: Layout, wire: Wire) -> str:
    """Return the path of a wire: straight to the gap, a bend in it, straight to the tile."""
    source, target = wire.source, wire.target
    a, p = port(found, source, wire.i, True)
    b, q = port(found, target, wire.j, False)
    leave = found.stops[source.rank]
    enter = found.starts[target.rank] if not found.ends(target) else b
    stop = found.stops[target.rank] if target.passes else b
    middle = (leave + enter) / 2
    points = [(a, p), (leave, p), (middle, p), (middle, q), (enter, q), (stop, q)]
    shown = [f"{_number(q)} {_number(t)}" if found.place.down else f"{_number(t)} {_number(q)}"
             for t, q in points]  # fmt: skip
    first = f"M{shown[0]}" + (f"L{shown[1]}" if leave != a else "")
    bend = f"C{shown[2]} {shown[3]} {shown[4]}"
    return first + bend + (f"L{shown[5]}" if stop != enter else "")


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def thickness(weight: Any, crowd: Any) -> Any:
    """Return the width in CSS pixels of a wire, or of many: larger for a larger weight.

    Args:
        weight: -1..1, a number or an array.
        crowd: `Wire.crowd`, likewise.
    """
    return (0.6 + 2.8 * np.minimum(1.0, np.abs(weight)) ** 1.3) * crowd
