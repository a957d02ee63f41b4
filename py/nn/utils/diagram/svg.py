"""SVG of a laid out network: wires in a group for each tile that they leave, names and beads."""

from __future__ import annotations

from html import escape
from itertools import groupby

from nn.utils.diagram.boxes import Box
from nn.utils.diagram.captions import WORDS
from nn.utils.diagram.layout import Layout, names
from nn.utils.diagram.wires import Wire, port, thickness

STYLE = """
.wires{font-family:Georgia,"DejaVu Serif",serif;color-scheme:light dark}
.wires path{fill:none;stroke:light-dark(#2147d6,#9fb1ff);stroke-width:var(--w);stroke-opacity:.45}
.wires path.neg{stroke:light-dark(#a8481f,#f0a06a)}
.wires rect{fill:light-dark(#ebe4d5,#16130e)}
.wires circle{fill:light-dark(#fffdf6,#211e18);stroke:light-dark(#5b5548,#b5ab97);stroke-width:1.5}
.wires text{fill:light-dark(#1c1a15,#f2ecdf)}
.wires .title{font-style:italic;font-weight:bold}
.wires .note{fill:light-dark(#5b5548,#b5ab97);font-family:system-ui,sans-serif}
"""
"""Colours of a drawing that stands alone; a page gives its own."""


def svg(found: Layout, made: list[Wire], *, alone: bool = False, title: str = "") -> str:
    """Return the diagram as the text of an element, or of a file of its own.

    Args:
        found: the layout.
        made: its wires, as `wires` returns them.
        alone: with tiles, colours and a title, for a file; otherwise the page draws the tiles.
        title: of a file.
    """
    wide, high = _number(found.width), _number(found.height)
    head = f'class="wires" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {head} aria-hidden="true">']
    if alone:
        head = head.replace("<svg", "")
        parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {head} role="img">']
        parts += [f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>"]
    parts += [_neck(found), *_groups(found, made)]
    if not alone:  # wires end behind the names
        parts += [_rect(name.x, name.y, name.width, name.height) for name in names(found)]
    parts += _beads(found)
    if alone:
        parts += [_tiles(found, box) for box in found.boxes]
    parts += [*_names(found), "</svg>"]
    return "".join(parts)


def _groups(found: Layout, made: list[Wire]) -> list[str]:
    numbers = {box: number for number, box in enumerate(found.boxes)}
    groups = []
    for (source, i), group in groupby(made, lambda wire: (wire.source, wire.i)):
        paths = [_wire(numbers, wire) for wire in group]
        origin = f' data-from="{numbers[source]}/{i}"' if source in numbers else ""
        groups.append(f'<g class="source"{origin}>{"".join(paths)}</g>')
    return groups


def _wire(numbers: dict[Box, int], wire: Wire) -> str:
    kinds = ["neg"] * (wire.weight < 0) + ["pass"] * (wire.target.passes or wire.source.passes)
    kind = f' class="{" ".join(kinds)}"' if kinds else ""
    into = f' data-to="{numbers[wire.target]}/{wire.j}"' if wire.target in numbers else ""
    width = f"{thickness(wire.weight, wire.crowd):.2f}px"
    return f'<path{kind}{into} style="--w:{width}" d="{wire.path}"/>'


def _neck(found: Layout) -> str:
    """Return the dashes from what stands before the diagram to the input."""
    first, place = found.boxes[0], found.place
    if place.middle is None or place.down:
        return ""
    return f'<path class="neck" d="M-20 {_number(place.middle)}H{_number(first.x - 4)}"/>'


def _beads(found: Layout) -> list[str]:
    circles = []
    for box in found.boxes:
        for number, (_, strung) in enumerate(box.inputs):
            for k, layer in enumerate(reversed(strung)):
                x, y = _bead(found, box, number, k)
                kind = type(layer).__name__
                circles.append(
                    f'<circle class="bead" data-layer="{escape(layer.name)}" cx="{_number(x)}" '
                    f'cy="{_number(y)}" r="4.5"><title>{WORDS.get(kind, kind)}</title></circle>'
                )
    return circles


def _bead(found: Layout, box: Box, number: int, k: int) -> tuple[float, float]:
    """Return the middle of a bead: before the box, the last bead next to it."""
    middle = (box.low + box.high) / 2 + 12 * (number - (len(box.inputs) - 1) / 2)
    if not box.passes and not found.ends(box):
        middle = box.x + box.width * 0.75 if found.place.down else box.y + box.height / 2
    start = found.starts[box.rank]
    if found.ends(box):
        start = port(found, box, 0, False)[0] - 16
    return (middle + 12 * k, start - 7) if found.place.down else (start - 8 - 11 * k, middle)


def _tiles(found: Layout, box: Box) -> str:
    """Return the tiles of a box as rectangles."""
    tiles, down = box.tiles, found.place.down
    sides = tiles.across * tiles.unit, tiles.along * tiles.unit
    wide, high = sides if down else sides[::-1]
    shown = [_rect(x, y, wide, high) for x, y in corners(found, box)]
    whole = [_rect(box.x, box.y, box.width, box.height)]
    about = f"<title>{escape(box.name)} ({box.kind}), {escape(box.words)}</title>"
    return f'<g class="layer">{about}{"".join(shown if tiles.count else whole)}</g>'


def corners(found: Layout, box: Box) -> list[tuple[float, float]]:
    """Return the upper left corner of each tile in CSS pixels."""
    unit, made = box.tiles.unit, []
    for tile in range(box.tiles.count):
        along, across = box.tiles.corner(tile)
        x, y = (across, along) if found.place.down else (along, across)
        made.append((box.x + x * unit, box.y + y * unit))
    return made


def _rect(x: float, y: float, wide: float, high: float) -> str:
    return "<rect " + " ".join(
        f'{name}="{_number(value)}"'
        for name, value in (("x", x), ("y", y), ("width", wide), ("height", high))
    ) + "/>"  # fmt: skip


def _names(found: Layout) -> list[str]:
    text = found.place.text
    made = []
    for name in names(found):
        if found.place.down:
            x, anchor = name.x, "start"
            note = f' <tspan class="note" font-size="{text * 0.92:.1f}">{escape(name.note)}</tspan>'
        else:
            x, anchor = name.x + name.width / 2, "middle"
            note = (
                f'<tspan class="note" font-size="{text * 0.92:.1f}" x="{_number(x)}" '
                f'dy="1.25em">{escape(name.note)}</tspan>'
            )
        made.append(
            f'<text class="name" x="{_number(x)}" y="{_number(name.y + text)}" '
            f'font-size="{text:.1f}" text-anchor="{anchor}">'
            f'<tspan class="title">{escape(name.title)}</tspan>{note if name.note else ""}</text>'
        )
    return made


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
