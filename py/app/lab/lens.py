"""The lens: how a pixel of a map is made, and which parts of the image an answer rests on."""

from __future__ import annotations

from typing import Any

import numpy as np
from nn.graph import Node
from nn.utils.diagram.boxes import geometry, maps_first

from app.lab.inside import markup
from app.lab.inside.activations import Activations
from app.lab.inside.colours import as_maps, coloured, table
from app.lab.inside.explanations import Question, explain
from app.lab.inside.numbers import exact
from app.lab.picture import Picture
from app.language import tr

GREY = 127
PATCH, STEP = 5, 2
"""Pixels of the square that covers an image of 28, and from one place of it to the next."""

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]


class Lens:
    """Served as `lab.lens`; it looks into what the picture shows.

    Args:
        picture: the picture of the network.
    """

    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    def look(self, layer: str, number: int, row: int, column: int) -> dict[str, Any] | None:
        """Return what `at` does, as the page puts it: `parts` and `sums` are HTML."""
        found = self.at(layer, number, row, column)
        if found is None:
            return None
        del found["reads"]
        made = {"parts": markup.parts(found["parts"]), "sums": markup.sums(found["sums"])}
        return found | made

    def at(self, layer: str, number: int, row: int, column: int) -> dict[str, Any] | None:
        """Return a map, and how a number in it is made.

        Args:
            layer: its name.
            number: of the map, from 0; 0 in a vector.
            row, column: of the pixel, from 0; in a vector 0 and the unit.

        Returns:
            {rgba (rows, columns, 4) of the whole map, rows, columns, maps, title, words, parts,
            sums, value, reads}, or None when the picture's network is gone, or has read nothing
            yet.

        Raises:
            ValueError: no such layer, map, row or column.
        """
        found = self._node(layer)
        if found is None:
            return None
        activations, node, first = found
        output = activations.of(node)
        rows, columns, maps = _size(output, first)
        for name, value, end in (
            ("map", number, maps),
            ("row", row, rows),
            ("column", column, columns),
        ):
            _expect(name, value, end)
        inputs = [activations.of(tensor.node) for tensor in node.inputs]
        index = _index(output, first, number, row, column)
        question = Question(node, inputs, output, index, first)
        made = explain(question)
        spot = tr("row {row}, column {column}") if rows > 1 else tr("unit {column}")
        spot = spot.format(row=row + 1, column=column + 1)
        place = tr("map {number} of {maps}", number=number + 1, maps=maps)
        return {
            "rgba": self._coloured(activations, node, first, number),
            "title": ", ".join([layer, place, spot] if maps > 1 else [layer, spot]),
            "words": made.words,
            "parts": made.parts,
            "sums": made.sums,
            "value": exact(question.value),
            "reads": made.reads,
            "rows": rows,
            "columns": columns,
            "maps": maps,
        }

    def _coloured(self, activations: Activations, node: Node, first: bool, number: int) -> Array:
        """Return a whole map, (rows, columns, 4); a vector is one map of one row."""
        output = activations.of(node)
        rows, columns, _ = _size(output, first)
        values = as_maps(output, first) if output.ndim > 1 else output.reshape(1, 1, -1)
        if output.ndim > 2 and rows == 1 and columns == output.size:
            values = output.reshape(1, 1, -1)
        positive = "ink" if node is activations.input else "blue"
        largest = float(np.abs(values).max(initial=0.0))
        return coloured(values[number], largest, table(self._picture.inks, positive))

    def _node(self, layer: str) -> tuple[Activations, Node, bool] | None:
        """Return the activations with the present weights, the layer's call, the maps' order."""
        activations = self._picture.shown
        if activations is None:
            return None
        activations.refresh()
        node = activations.named(layer)
        first = maps_first([activations.input, *activations.nodes])[node]
        return activations, node, first

    async def why(self, model: Any) -> dict[str, Any] | None:
        """Return which parts of the image speak for the answer, and which against it.

        A grey square covers one part after the other; the more the answer's probability falls, the
        more that part speaks for it (Zeiler and Fergus 2014, https://arxiv.org/abs/1311.2901, 4.2).

        Returns:
            {digit, rgba (h, w, 4), box, words}, or None when nothing is shown.
        """
        image = self._picture.image
        if image is None:
            return None
        side = image.shape[0]
        patch, step = PATCH * side // 28, STEP * side // 28
        starts = range(0, side - patch + 2, step)
        squares = [np.s_[r : r + patch, c : c + patch] for r in starts for c in starts]
        images = np.repeat(image[None], len(squares) + 1, 0)
        for number, square in enumerate(squares):
            images[number][square] = 0 if image.ndim == 2 else GREY
        answers = await model.predict(self._picture.read(images))
        digit = int(answers[-1].argmax())
        falls = answers[-1, digit] - answers[:-1, digit]
        shares = spread(falls, squares, side)
        return {
            "digit": digit,
            "rgba": self._overlay(shares),
            "box": list(self._picture.frame),
            "words": self._words(self._picture.names[digit], falls, float(answers[-1, digit])),
        }

    def _overlay(self, shares: Array) -> Array:
        """Return shares of -1 to 1 as ink whose alpha is their size."""
        inks = self._picture.inks
        rgba = np.empty((*shares.shape, 4), np.uint8)
        rgba[..., :3] = np.where(shares[..., None] >= 0, inks["blue"], inks["rust"])
        rgba[..., 3] = np.rint(np.abs(shares) * 255)
        return rgba

    def _words(self, digit: str, falls: Array, sure: float) -> str:
        most = float(falls.max())
        if most < 0.01:
            return tr(
                "No small part decides: with any of them covered it stays {sure:.0f} % sure.",
                sure=100 * sure,
            )
        return tr(
            "Blue parts speak for {digit}: with the strongest covered, {sure:.0f} % "
            "become {less:.0f} %. Rust parts speak against it.",
            digit=digit,
            sure=100 * sure,
            less=100 * max(0.0, sure - most),
        )


def spread(falls: Array, squares: list[Any], side: int) -> Array:
    """Return for each pixel of an image the mean of what its covering did, -1 to 1."""
    total, count = np.zeros((side, side)), np.zeros((side, side))
    for fall, square in zip(falls, squares, strict=True):
        total[square] += fall
        count[square] += 1
    mean = total / np.maximum(1, count)
    return mean / (float(np.abs(mean).max()) or 1.0)


def _size(output: Array, first: bool) -> tuple[int, int, int]:
    """Return rows, columns and maps of an output."""
    rows, columns, maps, units = geometry((None, *output.shape), first)
    return (1, units, 1) if units else (rows, columns, maps)


def _index(output: Array, first: bool, number: int, row: int, column: int) -> tuple[int, ...]:
    """Return the place of a pixel in an output."""
    if output.ndim < 2:
        return (column,) * output.ndim
    if output.ndim == 2:
        return row, column
    if geometry((None, *output.shape), first)[3]:
        return tuple(int(i) for i in np.unravel_index(column, output.shape))
    middles = tuple(n // 2 for n in output.shape[1 if first else 0 :][: output.ndim - 3])
    return (number, *middles, row, column) if first else (*middles, row, column, number)


def _expect(name: str, value: int, end: int) -> None:
    if not 0 <= value < end:
        raise ValueError(f"{name}: expected 0 to {end - 1}, received {value}")
