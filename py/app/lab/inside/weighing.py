"""Weights of wires: how strongly a tile of a layer acts on a tile of the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from nn.utils.diagram.boxes import Box
from nn.utils.diagram.wires import Wire, shown

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]


class TileWeights:
    """The weights between the tiles of two boxes: (targets, sources), -1 to 1."""

    def __init__(self, matrix: Array) -> None:
        self.matrix = matrix

    def strongest(self, target: int, most: int) -> Sequence[tuple[int, float]]:
        """Return at most `most` (source, weight) of a target, the largest first."""
        row = self.matrix[target]
        order = np.argsort(-np.abs(row), kind="stable")[:most]
        return [(int(i), float(row[i])) for i in order]


def weighing(source: Box, target: Box) -> TileWeights | None:
    """Return the weights between two boxes; None where the target has none by tile.

    A convolution's is the size of the filter on one map, with the sign of its sum; of several units
    in a stripe, the first counts.
    """
    kernel = _kernel(source, target)
    if kernel is None:
        return None
    taken, made = _units(source), _units(target)
    if kernel.ndim == 2:
        matrix = kernel[np.ix_(taken, made)]
    else:
        part = kernel[..., taken, :][..., made].reshape(-1, len(taken), len(made))
        matrix = np.sqrt((part * part).sum(0)) * np.where(part.sum(0) < 0, -1, 1)
    largest = float(np.abs(matrix).max(initial=0.0))
    return TileWeights(np.nan_to_num(matrix.T / (largest or 1.0)))


def _kernel(source: Box, target: Box) -> Array | None:
    """Return the kernel (..., inputs, outputs) between two boxes, where there is one by channel."""
    layer = target.layer
    kind = type(layer).__name__
    if target.kind == "Block" or kind not in ("Conv1D", "Conv2D", "Dense"):
        return None
    if len(source.shape) == 2 or getattr(layer, "groups", 1) > 1:
        return None  # a sequence is one tile
    kernel: Array = layer.kernel.value
    inputs, outputs = (box.units or box.maps for box in (source, target))
    return kernel if kernel.shape[-2:] == (inputs, outputs) else None


def _units(box: Box) -> list[int]:
    """Return the map or unit that each tile or stripe shows."""
    tiles = box.tiles
    if tiles.count:
        return [shown(box, tile) for tile in range(tiles.count)]
    if tiles.cells == 1 and not box.units:  # the input is the pad
        return [0]
    return [cell * box.units // tiles.cells for cell in range(tiles.cells)]


class WireWeights:
    """The weights of wires, to be read again and again.

    Args:
        wires: of a diagram.

    Attributes:
        crowds: `nn.utils.diagram.wires.Wire.crowd` of each.
    """

    def __init__(self, wires: Sequence[Wire]) -> None:
        self._drawn = np.asarray([wire.weight for wire in wires], np.float32)
        self.crowds = np.asarray([wire.crowd for wire in wires], np.float32)
        pairs: dict[tuple[Box, Box], list[int]] = {}
        for number, wire in enumerate(wires):
            if wire.weighs:
                pairs.setdefault((wire.source, wire.target), []).append(number)
        self._places = [
            (pair, numbers, [wires[n].j for n in numbers], [wires[n].i for n in numbers])
            for pair, numbers in pairs.items()
        ]

    def now(self) -> Array:
        """Return the present weight of each wire; those without one keep what they were drawn
        with."""
        found = self._drawn.copy()
        for (source, target), numbers, rows, columns in self._places:
            weights = weighing(source, target)
            assert weights is not None
            found[numbers] = weights.matrix[rows, columns]
        return found
