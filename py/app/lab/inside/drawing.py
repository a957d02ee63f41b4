"""A network's drawing on the page, and the reports that bring it to life.

A report holds everything that may have changed; the page shows what has moved visibly.
"""

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
from app.lab.inside.weighing import WireWeights, weighing

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

GAIN = 4.5
"""Times its mean, against its layer's largest value, a map is active: most pixels are silent."""
PRESSED = 24
"""CSS pixels from which on a map is pressed by itself."""


class Drawing:
    """The layout of a network, and what each layer shows in it.

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
        sources = list(dict.fromkeys((wire.source, wire.i) for wire in self.wires))
        self._count = len(sources)
        self._sources = [self._lit_by(canvas.box, sources) for canvas in self._canvases]
        self._ends = [n for n, w in enumerate(self.wires) if self.layout.ends(w.target)]
        ends = [self.wires[number] for number in self._ends]
        self._flow = [sources.index((wire.source, wire.i)) for wire in ends]
        self._digits = [wire.j for wire in ends]
        self._weights = WireWeights(self.wires)
        self._written = -1
        self._widths: Array = np.zeros(len(self.wires), np.float32)

    def _arranged(self) -> list[Canvas]:
        canvases, offset = [], 0
        for box in self.layout.boxes:
            canvases.append(Canvas(self.layout, box, offset))
            offset += canvases[-1].width * canvases[-1].height
        return canvases

    @staticmethod
    def _lit_by(box: Any, sources: Sequence[tuple[Any, int]]) -> Array:
        """Return (2, n): the tiles of a box that wires leave, and their numbers among all."""
        found = [(tile, number) for number, (b, tile) in enumerate(sources) if b is box]
        return np.asarray(found, np.intp).reshape(-1, 2).T

    def colour(self, inks: Mapping[str, Sequence[float]]) -> None:
        """Mix the colours."""
        self._shades = np.concatenate([table(inks), table(inks, "ink")])

    # -- what it looks like -----------------------------------------------------------------

    def described(self) -> dict[str, Any]:
        """Return {number, size, svg, layers, ends}, as the page takes them.

        `layers` are dicts; `ends` the numbers of the wires into the answers.
        """
        found = self.layout
        return {
            "number": self.number,
            "size": [found.width, found.height],
            "svg": svg(found, self.wires),
            "layers": [self._described(canvas) for canvas in self._canvases],
            "ends": self._ends,
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
        """Return {number, rgba, strengths}.

        Returns:
            rgba: the canvases' pixels one after the other, uint8. strengths: float32, the activity
            of each source of wires (0 to 1), that of each wire into an answer, and the width of
            each wire in CSS pixels, negative for a negative weight.
        """
        quantities, activity = [], np.zeros(self._count)
        for canvas, (tiles, numbers) in zip(self._canvases, self._sources, strict=True):
            box = canvas.box
            assert box.node is not None
            values = canvas.values(activations.of(box.node))
            gain = self._gain(box, values)
            if canvas.width:
                shift = len(self._shades) // 2 * (not box.inputs)
                quantities.append(quantized(values, gain).reshape(-1) + shift)
            shares = self._shares(box, values, gain)
            given = tiles < len(shares)
            activity[numbers[given]] = shares[tiles[given]]
        rgba = np.zeros((self._pixels, 4), np.uint8)
        if quantities:
            rgba[self._places] = self._shades[np.concatenate(quantities)]
        return {
            "number": self.number,
            "rgba": rgba.reshape(-1),
            "strengths": np.concatenate(
                [activity, self._flows(activity, activations.probabilities), self._weighed()],
                dtype=np.float32,
            ),
        }

    def _gain(self, box: Any, values: Array) -> float:
        """Return the value that has all ink: 1 in images and answers, or the layer's largest."""
        largest = float(np.abs(values).max(initial=0.0))
        if not box.inputs or box is self.layout.last:
            return max(1.0, largest)
        return largest or 1.0

    def _shares(self, box: Any, values: Array, gain: float) -> Array:
        """Return how active each tile of a box is, 0 to 1."""
        size = np.abs(values)
        if values.ndim == 3:
            size = size.mean(axis=(1, 2)) * GAIN
        elif not self._canvases[0].width and not box.inputs:
            size = size.reshape(1, -1).mean(axis=1) * GAIN
        return np.minimum(1.0, np.nan_to_num(size / gain))

    def _flows(self, activity: Array, probabilities: Array) -> Array:
        """Return the strengths of the wires into the answers: the flow ends in the winner."""
        winning = 0.1 + 0.9 * probabilities[self._digits]
        return np.minimum(1.0, 1.7 * activity[self._flow] * winning)

    def _weighed(self) -> Array:
        """Return the width of each wire, negative for a negative weight."""
        if self._written != variables.writes():
            self._written = variables.writes()
            weights = self._weights.now()
            widths = thickness(weights, self._weights.crowds)
            self._widths = np.where(weights < 0, -widths, widths)
        return self._widths
