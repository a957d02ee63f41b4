"""Boxes: what a diagram shows of a graph, a box for each layer that changes its input's shape.

Layers that keep the shape (dropout, normalization, activations) are beads on the wires instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from nn.graph import Graph, Node, SymbolicTensor
from nn.types import Shape
from nn.utils.diagram import captions
from nn.utils.diagram.tiles import Tiles

BEADS = {"elementwise", "noise", "normalization", "rescaling", "masking", "unit_length"}
"""Modules of layers that keep the shape; so do these classes of others:"""
KEEPERS = {"ActivityRegularization", "Identity", "RandomContrast", "RandomBrightness"}
UNKNOWN = 8
"""Drawn for a side that is not known yet."""


@dataclass(eq=False)
class Box:
    """A layer in a diagram, a block of them, or the lane in which a wire passes by a column.

    Attributes:
        name: of the layer or the block, as the model has it.
        node: the call whose first output is shown; None in a lane.
        kind: class of the layer, "Block" or "Pass".
        rows, columns, maps: of the output as maps; `units` is 0 then.
        units: of an output that is a vector.
        first: whether the maps' axis of the output comes before its rows.
        inputs: the boxes that it reads, and the layers that stand on each wire as beads.
        block: name of the opened block around it, "".
        rank: its column, from the input's 0.
        low, high: the lane across the column, in pixels.
        x, y, width, height: of its tiles together.
        tiles: their size and arrangement.
    """

    name: str
    kind: str
    node: Node | None = None
    rows: int = 1
    columns: int = 1
    maps: int = 1
    units: int = 0
    first: bool = False
    inputs: list[tuple[Box, list[Any]]] = field(default_factory=list)
    title: str = ""
    note: str = ""
    words: str = ""
    block: str = ""
    frozen: bool = False
    rank: int = 0
    low: float = 0.0
    high: float = 0.0
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0
    tiles: Tiles = field(default_factory=Tiles)

    @property
    def passes(self) -> bool:
        """Whether it is only a lane for a wire."""
        return self.kind == "Pass"

    @property
    def layer(self) -> Any:
        """The layer that computes what is shown; None in a lane."""
        return None if self.node is None else self.node.layer

    @property
    def shape(self) -> list[int | None]:
        """The shape of the output, without the batch axis."""
        return [] if self.node is None else list(self.node.outputs[0].shape[1:])


def read(graph: Graph) -> list[Box]:
    """Return the boxes of a graph, each after those that it reads."""
    nodes = [*(t.node for t in graph.inputs), *graph.nodes]
    ends = {t.node for t in graph.outputs}
    readers = {t.node for node in graph.nodes for t in node.inputs}
    first = maps_first(nodes)
    made: dict[Node, Box] = {}
    beads: dict[Node, tuple[SymbolicTensor, list[Any]]] = {}
    for node in nodes:
        if node not in ends and node in readers and _is_bead(node):
            source, before = _source(beads, node.inputs[0])
            beads[node] = source, [*before, node.layer]
            continue
        box = made[node] = _box(node, first[node])
        for tensor in node.inputs if node not in {t.node for t in graph.inputs} else ():
            source, strung = _source(beads, tensor)
            box.inputs.append((made[source.node], strung))
    return list(made.values())


def _source(
    beads: dict[Node, tuple[SymbolicTensor, list[Any]]], tensor: SymbolicTensor
) -> tuple[SymbolicTensor, list[Any]]:
    return beads.get(tensor.node, (tensor, []))


def _is_bead(node: Node) -> bool:
    kind = type(node.layer)
    one = len(node.inputs) == 1 == len(node.outputs)
    keeps = kind.__module__.rpartition(".")[2] in BEADS or kind.__name__ in KEEPERS
    return one and keeps and node.inputs[0].shape == node.outputs[0].shape


def maps_first(nodes: Sequence[Node]) -> dict[Node, bool]:
    """Return whether an output's maps come before its rows; a layer that cannot tell does as its
    input."""
    found: dict[Node, bool] = {}
    for node in nodes:
        own = getattr(node.layer, "channels_first", None)
        before = node.inputs[0].node if node.inputs else None
        found[node] = found.get(before, False) if own is None and before else bool(own)
    return found


def _box(node: Node, first: bool) -> Box:
    layer = node.layer
    box = Box(layer.name, type(layer).__name__, node)
    rows, columns, maps, units = geometry(node.outputs[0].shape, first)
    box.rows, box.columns, box.maps, box.units, box.first = rows, columns, maps, units, first
    box.title = captions.title(layer)
    if box.kind == "InputLayer" and not units and maps in (1, 3, 4):
        box.title = "Seen"
    box.note = captions.note(maps, rows, columns, units)
    box.words = captions.words(layer, maps, rows, columns, units)
    box.frozen = bool(layer.variables) and not layer.trainable_variables
    return box


def geometry(shape: Shape, first: bool = False) -> tuple[int, int, int, int]:
    """Return rows, columns and maps of a value, or its units.

    A sequence (steps, features) is one map of as many rows as steps; of a volume or a sequence of
    images the middle slice is shown; maps of one pixel are units.

    Args:
        shape: with the batch axis, which is left out.
        first: whether the maps' axis comes first.
    """
    sides = [UNKNOWN if side is None else side for side in shape[1:]]
    if len(sides) < 2:
        return 1, 1, 1, sides[0] if sides else 1
    if len(sides) == 2:
        return sides[0], sides[1], 1, 0
    if first:
        sides = [*sides[1:], sides[0]]
    rows, columns, maps = sides[-3:]
    return (1, 1, 1, maps) if rows == columns == 1 else (rows, columns, maps, 0)


def place_ranks(boxes: Sequence[Box]) -> list[list[Box]]:
    """Give each box its column, by the longest path to it; return the columns.

    A wire that skips columns gets a lane in each of them, so that it crosses no layer.
    """
    ranks: list[list[Box]] = []
    for box in boxes:
        box.rank = 1 + max((source.rank for source, _ in box.inputs), default=-1)
        ranks.extend([] for _ in range(box.rank + 1 - len(ranks)))
        ranks[box.rank].append(box)
    lanes: dict[tuple[Box, int], Box] = {}
    for box in boxes:
        box.inputs = [(_led(source, box, ranks, lanes), beads) for source, beads in box.inputs]
    return ranks


def _led(source: Box, box: Box, ranks: list[list[Box]], lanes: dict[tuple[Box, int], Box]) -> Box:
    """Return the last lane of a wire on its way to a box: wires from one source share theirs."""
    last = source
    for rank in range(source.rank + 1, box.rank):
        lane = lanes.get((source, rank))
        if lane is None:
            lane = Box(source.name, "Pass", rank=rank, inputs=[(last, [])])
            lanes[source, rank] = lane
            ranks[rank].append(lane)
        last = lane
    return last
