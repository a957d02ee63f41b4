"""Blocks: layers of a large network that a diagram shows as one box, which opens when pressed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Any

from nn.identifiers import snake_case
from nn.utils.diagram.boxes import Box


def folded(boxes: Sequence[Box], most: int, opened: Collection[str]) -> list[Box]:
    """Return at most about `most` boxes: neighbours joined to blocks, but those of opened blocks.

    Layers whose names begin with the same words are a block ("block_3_expand", "block_3_project");
    where that does not help, as many neighbours as needed.

    Args:
        boxes: of the whole network, in the order of computation.
        most: boxes that there is room for, while no block is open.
        opened: names of the blocks that are shown layer by layer.
    """
    if len(boxes) <= most:
        return list(boxes)
    for words in (3, 2, 1):
        groups = _named(boxes, words)
        if len(groups) <= most:
            return _joined(groups, opened)
    size = -(-len(boxes) // most)
    numbered = [list(boxes[i : i + size]) for i in range(0, len(boxes), size)]
    return _joined([(_span(group), group) for group in numbered], opened)


def _named(boxes: Sequence[Box], words: int) -> list[tuple[str, list[Box]]]:
    """Group neighbours whose given names begin with the same words."""

    def key(box: Box) -> str:
        parts = box.name.split("_")
        own = box.name.removeprefix(snake_case(box.kind))
        given = len(parts) > 1 and box.inputs and own == box.name
        return "_".join(parts[:words]) if given else f"\0{box.name}"

    found = [(name, list(group)) for name, group in groupby(boxes, key)]
    return [(group[0].name if name[0] == "\0" else name, group) for name, group in found]


def _span(group: list[Box]) -> str:
    return f"{group[0].name} to {group[-1].name}"


def _joined(groups: list[tuple[str, list[Box]]], opened: Collection[str]) -> list[Box]:
    """Return a box for each group of several, which stands in for all of them."""
    made: list[Box] = []
    stands: dict[Box, Box] = {}
    for name, group in groups:
        if len(group) == 1 or name in opened:
            for box in group:
                box.block = name if len(group) > 1 else ""
            shown = group
        else:
            shown = [_block(name, group)]
            stands.update(dict.fromkeys(group, shown[0]))
        for box in shown:
            box.inputs = [(stands.get(s, s), beads) for s, beads in box.inputs]
        made += shown
    return made


def _block(name: str, group: list[Box]) -> Box:
    """Return one box for a group: it shows the last output, and reads what the group reads."""
    inside, last = set(group), group[-1]
    inputs: dict[Box, list[Any]] = {}
    for box in group:
        for source, beads in box.inputs:
            if source not in inside:
                inputs.setdefault(source, beads)
    block = Box(name, "Block", last.node, last.rows, last.columns, last.maps, last.units)
    block.first = last.first
    block.inputs, block.title, block.note = list(inputs.items()), name.replace("_", " "), last.note
    block.words = f"Block {name} of {len(group)} layers, the last: {last.words}"
    block.frozen = all(box.frozen or not box.layer.variables for box in group)
    return block
