"""A network's drawing on the page, and the reports that bring it to life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import ref

import numpy as np
from nn import variables
from nn.utils.diagram.layout import Layout, Place, layout
from nn.utils.diagram.svg import corners, svg
from nn.utils.diagram.wires import Wire, thickness, wires

from app.lab.inside.activations import Activations
from app.lab.inside.colours import Canvas, quantized, table
from app.lab.inside.weighing import weighing, weights_of

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

MOVED = 0.05
"""A change of activity or weight that a report names."""
GAIN = 4.5
"""Times its mean, against its layer's largest value, a map is active: most pixels are silent."""
PRESSED = 24
"""CSS pixels from which on a map is pressed by itself."""


class Drawing:
    """The layout of a network, and what the page has shown of it.

    Args:
        model: the network.
        place: arguments of `nn.utils.diagram.layout.Place`.
        number: of this drawing.
    """

    def __init__(self, model: Any, place: Mapping[str, Any], number: int) -> None:
        self.model = ref(model)
        self.number = number
        self.layout: Layout = layout(model.graph, Place(**place))
        self.wires: list[Wire] = wires(self.layout, weighing)
        self._canvases = self._arranged()
        self._pixels = sum(c.width * c.height for c in self._canvases)
        self._places = np.concatenate([c.pixels for c in self._canvases])
        self._sources = self._numbered()
        self._ends = [n for n, w in enumerate(self.wires) if self.layout.ends(w.target)]
        self._lit = np.full(len(self._sources), -1.0)
        self._lit_ends = np.full(len(self._ends), -1.0)
        self._weights = np.asarray([wire.weight for wire in self.wires], np.float32)
        self._written = variables.writes()

    def _arranged(self) -> list[Canvas]:
        canvases, offset = [], 0
        for box in self.layout.boxes:
            canvases.append(Canvas(self.layout, box, offset))
            offset += canvases[-1].width * canvases[-1].height
        return canvases

    def _numbered(self) -> dict[tuple[Any, int], int]:
        """Return the number of each group of wires: by box and tile."""
        return {key: n for n, key in enumerate(dict.fromkeys((w.source, w.i) for w in self.wires))}

    def colour(self, inks: Mapping[str, Sequence[float]]) -> None:
        """Mix the colours."""
        self._shades = np.concatenate([table(inks), table(inks, "ink")])

    # -- what it looks like -----------------------------------------------------------------

    def described(self) -> dict[str, Any]:
        """Return {number, size, svg, layers}, as the page takes them."""
        found = self.layout
        return {
            "number": self.number,
            "size": [found.width, found.height],
            "svg": svg(found, self.wires),
            "layers": [self._described(canvas) for canvas in self._canvases],
        }

    def _described(self, canvas: Canvas) -> dict[str, Any]:
        box, found = canvas.box, self.layout
        tiles = box.tiles
        sides = [canvas.columns * tiles.unit, canvas.rows * tiles.unit] if tiles.count else [0, 0]
        places = [
            round(v, 2) for x, y in corners(found, box) for v in (x - box.x, y - box.y)
        ] if canvas.width else []  # fmt: skip
        return {
            "name": box.name,
            "title": box.title,
            "note": box.note,
            "words": box.words,
            "kind": box.kind,
            "shape": box.shape,
            "x": box.x, "y": box.y, "width": box.width, "height": box.height,
            "canvas": [canvas.width, canvas.height],
            "offset": 4 * canvas.offset,
            "smooth": tiles.smooth,
            "tile": sides,
            "tiles": places,
            "maps": canvas.maps if canvas.width else [],
            "units": box.units,
            "cells": tiles.cells,
            "press": self._press(canvas, sides),
            "block": box.block,
            "frozen": box.frozen,
        }  # fmt: skip

    def _press(self, canvas: Canvas, sides: Sequence[float]) -> str:
        if not canvas.width:
            return ""
        if canvas.box.kind == "Block":
            return "open"
        if not canvas.box.inputs:
            return ""
        return "maps" if canvas.maps and min(sides) >= PRESSED else "layer"

    # -- what it shows ----------------------------------------------------------------------

    def report(self, activations: Activations) -> dict[str, Any]:
        """Return the pixels, and what has changed since the last report."""
        quantities, activity = [], np.zeros(len(self._sources))
        for canvas in self._canvases:
            box = canvas.box
            assert box.node is not None
            values = canvas.values(activations.of(box.node))
            gain = self._gain(box, values)
            if canvas.width:
                shift = len(self._shades) // 2 * (not box.inputs)
                quantities.append(quantized(values, gain).reshape(-1) + shift)
            self._activate(activity, box, values, gain)
        rgba = np.zeros((self._pixels, 4), np.uint8)
        if quantities:
            rgba[self._places] = self._shades[np.concatenate(quantities)]
        return {
            "number": self.number,
            "rgba": rgba.reshape(-1),
            "lit": _moved(self._lit, activity, range(len(activity))),
            "ends": self._ends_moved(activity, activations.probabilities),
            "wires": self._weights_moved(),
        }

    def _gain(self, box: Any, values: Array) -> float:
        """Return the value that has all ink: 1 in images and answers, or the layer's largest."""
        largest = float(np.abs(values).max(initial=0.0))
        if not box.inputs or box is self.layout.last:
            return max(1.0, largest)
        return largest or 1.0

    def _activate(self, activity: Array, box: Any, values: Array, gain: float) -> None:
        """Note how active each source of wires in a box is."""
        size = np.abs(values)
        if values.ndim == 3:
            size = size.mean(axis=(1, 2)) * GAIN
        elif not self._canvases[0].width and not box.inputs:
            size = size.reshape(1, -1).mean(axis=1) * GAIN
        shares = np.minimum(1.0, np.nan_to_num(size / gain))
        for tile, share in enumerate(shares):
            number = self._sources.get((box, tile))
            if number is not None:
                activity[number] = share

    def _ends_moved(self, activity: Array, probabilities: Array) -> list[Any]:
        """Return the changed strengths of the wires into the answers: the flow ends in the
        winner."""
        flows = np.zeros(len(self._ends))
        for n, wire in enumerate(self.wires[number] for number in self._ends):
            source = activity[self._sources[wire.source, wire.i]]
            flows[n] = min(1.0, 1.7 * source * (0.1 + 0.9 * probabilities[wire.j]))
        return _moved(self._lit_ends, flows, self._ends)

    def _weights_moved(self) -> list[Any]:
        """Return [wire, width, sign, ...] of the wires whose weights have changed."""
        if self._written == variables.writes():
            return []
        self._written = variables.writes()
        found = weights_of(self.wires)
        turned = (found < 0) != (self._weights < 0)
        changed = np.flatnonzero((np.abs(found - self._weights) > MOVED) | turned)
        self._weights[changed] = found[changed]
        named: list[Any] = []
        for number in changed.tolist():
            wire = self.wires[number]
            wire.weight = float(found[number])
            named += [number, thickness(wire), -1 if wire.weight < 0 else 1]
        return named


def _moved(before: Array, now: Array, numbers: Sequence[int]) -> list[Any]:
    """Return [number, "0.43", ...] of what has moved, and remember it."""
    changed = np.flatnonzero(np.abs(now - before) >= MOVED)
    before[changed] = now[changed]
    named: list[Any] = []
    for i in changed.tolist():
        named += [numbers[i], f"{now[i]:.2f}"]
    return named
