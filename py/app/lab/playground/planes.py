"""Planes: what each unit of a network answers at each place of the plane, as colours and words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import nn
import numpy as np

from app.lab.inside.colours import coloured
from app.lab.playground import features
from app.lab.playground.points import REACH
from app.language import tr

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

SIDE = 56
"""Places in a row of the plane, and rows."""
STRIDE = 2
"""Of so many places a unit's small plane shows one."""
SMALL = SIDE // STRIDE
UNDECIDED = 0.2
"""A part of the plane whose mean is nearer to 0 has neither colour in words."""


def grid() -> Array:
    """Return the places (SIDE * SIDE, 2) of the plane, from the top left, row by row."""
    line = (np.arange(SIDE) + 0.5) * (2 * REACH / SIDE) - REACH
    x, y = np.meshgrid(line, line[::-1])
    return np.stack([x.ravel(), y.ravel()], axis=1)


class Planes:
    """The planes of a network: of its features, of its units, and of its answer.

    Args:
        model: dense layers, the last of which has one unit.
        names: its features.

    Attributes:
        layers: what each layer answers, (SIDE * SIDE, units); of a sigmoid -1 to 1 too.
    """

    def __init__(self, model: Any, names: Sequence[str]) -> None:
        places = grid()
        self._inputs = features.values(places, names)
        small = places.reshape(SIDE, SIDE, 2)[::STRIDE, ::STRIDE].reshape(-1, 2)
        self._features = features.values(small, tuple(features.FEATURES))
        nodes = model.graph.nodes
        self._part = nn.Model(model.inputs, [node.outputs[0] for node in nodes])
        self._sigmoid = [node.layer.last_activation == "sigmoid" for node in nodes]
        self.layers: list[Array] = []

    def refresh(self) -> None:
        """Ask the network, whose weights may have changed."""
        outputs = self._part.run([self._inputs])
        self.layers = [
            2 * output - 1 if sigmoid else output
            for output, sigmoid in zip(outputs, self._sigmoid, strict=True)
        ]

    @property
    def answer(self) -> Array:
        """What the network answers, (SIDE, SIDE): -1 rust to 1 blue."""
        return self.layers[-1].reshape(SIDE, SIDE)

    def plane(self, place: Sequence[int] | None) -> Array:
        """Return the plane (SIDE, SIDE) of a unit (layer, number), or of the answer."""
        if place is None:
            return self.answer
        layer, number = place
        return self.layers[layer][:, number].reshape(SIDE, SIDE)

    def pixels(self, shades: Array, place: Sequence[int] | None, discretise: bool = False) -> Array:
        """Return RGBA (n, 4) of the features, of each unit, and of the plane that is looked at.

        Args:
            shades: colours, see `app.lab.inside.colours`.
            place: unit (layer, number) whose plane is looked at, None for the answer's.
            discretise: whether that plane has two colours alone.
        """
        small = [_shaded(self._features, shades)]
        for layer in self.layers[:-1]:
            units = layer.reshape(SIDE, SIDE, -1)[::STRIDE, ::STRIDE]
            small.append(_shaded(units.reshape(SMALL * SMALL, -1), shades))
        whole: Array = self.plane(place).reshape(-1, 1)
        if discretise:
            whole = np.where(whole > 0, 1.0, -1.0)
        gain = 1.0 if place is None else _gains(whole)
        return np.concatenate([*small, coloured(whole.T / gain, 1.0, shades).reshape(-1, 4)])

    def words(self) -> str:
        """Return the answer in words, for those who do not see the plane: its nine parts."""
        edges = [0, SIDE // 3, SIDE - SIDE // 3, SIDE]
        rows = []
        names = (
            tr("Top from left to right: {colours}"),
            tr("middle from left to right: {colours}"),
            tr("bottom from left to right: {colours}"),
        )
        for name, (top, bottom) in zip(names, pairwise(edges), strict=True):
            parts = [
                _colour(float(self.answer[top:bottom, left:right].mean()))
                for left, right in pairwise(edges)
            ]
            rows.append(name.format(colours=", ".join(parts)))
        blue = round(100 * float((self.answer > 0).mean()))
        return tr("{blue} % of the plane is blue.", blue=blue) + f" {'; '.join(rows)}."


def _colour(mean: float) -> str:
    if abs(mean) < UNDECIDED:
        return tr("undecided")
    return tr("blue") if mean > 0 else tr("rust")


def _gains(columns: Array) -> Array:
    """Return by how much each column is divided to lie between -1 and 1."""
    found: Array = np.maximum(1.0, np.abs(columns).max(axis=0))
    return found


def _shaded(columns: Array, shades: Array) -> Array:
    """Return RGBA (n, 4) of planes (places, planes), one after another."""
    return coloured((columns / _gains(columns)).T, 1.0, shades).reshape(-1, 4)
