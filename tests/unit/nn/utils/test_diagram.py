"""A network's diagram has everything in its place: nothing overlaps, no wire crosses a layer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, pairwise
from typing import Any

import nn
from hypothesis import given, settings
from hypothesis import strategies as st
from nn import config
from nn.utils.diagram import captions
from nn.utils.diagram.boxes import Box, read
from nn.utils.diagram.layout import Layout, Place, layout, names
from nn.utils.diagram.svg import corners, svg
from nn.utils.diagram.wires import Wire, wires

NEAR = 0.2
"""Pixels that coordinates are rounded by."""

Rectangle = tuple[float, float, float, float]


def unknown(source: Box, target: Box) -> None:
    """No weights: wires as `plot_model` draws them."""


def images(draw: Any, x: Any) -> Any:
    """Return a layer, or branches, after maps."""
    kind = draw(st.sampled_from(["conv", "conv", "pool", "bead", "branch", "skip"]))
    filters = draw(st.sampled_from([1, 2, 3, 6, 8, 16, 31, 32, 48, 64, 100, 512]))
    size = draw(st.sampled_from([1, 3, 5]))
    if kind == "conv":
        return nn.Conv2D(filters, size, padding=draw(st.sampled_from(["same", "valid"])))(x)
    if kind == "pool":
        return nn.MaxPooling2D(2)(x)
    if kind == "bead":
        return nn.BatchNormalization()(nn.Dropout(0.1)(x))
    parts = [nn.Conv2D(filters, 1, padding="same")(x) for _ in range(draw(st.integers(1, 3)))]
    if kind == "branch":
        deep = nn.Conv2D(filters, 3, padding="same")(parts[0])
        return nn.Concatenate()([*parts, deep])
    for _ in range(draw(st.integers(1, 3))):
        parts[0] = nn.Conv2D(filters, 1, padding="same")(nn.Activation("relu")(parts[0]))
    return nn.Add()(parts) if len(parts) > 1 else parts[0]


@st.composite
def networks(draw: Any) -> nn.Model:
    """Networks of 2 to about 40 layers: images, sequences, vectors, several inputs."""
    with config.later_weights():
        shape = draw(
            st.sampled_from([(28, 28, 1), (32, 32, 3), (12, 50, 2), (28, 28), (3,), (784,)])
        )
        start = x = nn.Input(shape)
        for _ in range(draw(st.integers(0, 9))):
            if len(x.shape) == 4 and min(x.shape[1:3]) > 8:
                x = images(draw, x)
            elif len(x.shape) == 3:
                x = nn.LSTM(draw(st.sampled_from([1, 7, 64])), return_sequences=True)(x)
            elif len(x.shape) == 2:
                x = nn.Dense(draw(st.sampled_from([1, 2, 10, 128, 2048])), activation="relu")(x)
        if len(x.shape) > 2:
            x = nn.Flatten()(x)
        return nn.Model(start, nn.Dense(10, activation="softmax")(x))


@st.composite
def places(draw: Any) -> Place:
    down = draw(st.booleans())
    width = draw(st.integers(300, 700) if down else st.integers(400, 1700))
    height = draw(st.integers(200, 700))
    across = width if down else height
    ends = [across * (k + 0.5) / 10 for k in range(10)] if draw(st.booleans()) else ()
    middle = draw(st.sampled_from([None, across * 0.4]))
    text, ratio = draw(st.sampled_from([12.0, 13.0, 19.5])), draw(st.sampled_from([1.0, 1.5, 2.0]))
    return Place(width, height, down, ends, middle, (), text, ratio)


def rectangle(box: Any) -> Rectangle:
    return box.x, box.y, box.x + box.width, box.y + box.height


def overlap(one: Rectangle, other: Rectangle) -> bool:
    return (
        min(one[2], other[2]) - max(one[0], other[0]) > NEAR
        and min(one[3], other[3]) - max(one[1], other[1]) > NEAR
    )


def inside(one: Rectangle, found: Layout) -> bool:
    return min(one[:2]) >= -NEAR and one[2] <= found.width + NEAR and one[3] <= found.height + NEAR


def drawn(found: Layout) -> list[Box]:
    """The boxes that tiles are drawn for."""
    return [box for box in found.boxes if box.width > 0 and box.height > 0]


def tiles(found: Layout, box: Box) -> list[Rectangle]:
    sides = box.tiles.across * box.tiles.unit, box.tiles.along * box.tiles.unit
    wide, high = sides if found.place.down else sides[::-1]
    return [(x, y, x + wide, y + high) for x, y in corners(found, box)]


def points(wire: Wire) -> Iterator[tuple[float, float]]:
    """Points along a path, close enough to hit whatever it crosses."""
    at = (0.0, 0.0)
    for letter, text in re.findall(r"([MLC])([^MLC]*)", wire.path):
        numbers = [float(number) for number in text.split()]
        stops = list(zip(numbers[::2], numbers[1::2], strict=True))
        if letter == "L":
            yield from (along(at, stops[0], k / 16) for k in range(17))
        if letter == "C":
            yield from (bend([at, *stops], k / 24) for k in range(25))
        at = stops[-1]


def along(a: tuple[float, float], b: tuple[float, float], t: float) -> tuple[float, float]:
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t


def bend(stops: list[tuple[float, float]], t: float) -> tuple[float, float]:
    while len(stops) > 1:
        stops = [along(a, b, t) for a, b in pairwise(stops)]
    return stops[0]


def crosses(point: tuple[float, float], box: Rectangle) -> bool:
    return box[0] + NEAR < point[0] < box[2] - NEAR and box[1] + NEAR < point[1] < box[3] - NEAR


@settings(max_examples=40)
@given(networks(), places())
def test_everything_drawn_has_room_of_its_own(model: nn.Model, place: Place) -> None:
    found = layout(model.graph, place)
    boxes, shown = drawn(found), names(found)
    for one in [*boxes, *shown]:
        assert inside(rectangle(one), found)
    for one, other in combinations([*boxes, *shown], 2):
        assert not overlap(rectangle(one), rectangle(other))
    for box in boxes:
        for one, other in combinations(tiles(found, box), 2):
            assert not overlap(one, other)
        assert all(inside(tile, found) for tile in tiles(found, box))
    for name in shown:
        assert captions.width(name.title, place.text, bold=True) <= name.width + NEAR


@settings(max_examples=40)
@given(networks(), places())
def test_no_wire_crosses_a_layer_or_leaves_the_diagram(model: nn.Model, place: Place) -> None:
    found = layout(model.graph, place)
    made = wires(found, unknown)
    boxes = [rectangle(box) for box in drawn(found)]
    for wire in made:
        for point in points(wire):
            assert inside((*point, *point), found)
            assert not any(crosses(point, box) for box in boxes)
    reached = {wire.target for wire in made}
    assert all(box in reached for box in found.boxes if box.inputs)


@settings(max_examples=10)
@given(networks(), places())
def test_a_diagram_is_the_same_each_time(model: nn.Model, place: Place) -> None:
    texts = set()
    for _ in range(2):
        found = layout(model.graph, place)
        texts.add(svg(found, wires(found, unknown)))
    assert len(texts) == 1


@st.composite
def deep_networks(draw: Any) -> nn.Model:
    """Networks of more layers than there is room for, with blocks by name or without."""
    named = draw(st.booleans())
    with config.later_weights():
        start = x = nn.Input((16, 16, 3))
        for number in range(draw(st.integers(6, 18))):
            into = x
            for part in range(draw(st.integers(2, 5))):
                name = f"block_{number}_part{part}" if named else None
                x = nn.Conv2D(draw(st.sampled_from([1, 8, 48])), 1, padding="same", name=name)(x)
            if draw(st.booleans()) and into.shape == x.shape:
                x = nn.Add(name=f"block_{number}_add" if named else None)([into, x])
        x = nn.GlobalAveragePooling2D()(x)
        return nn.Model(start, nn.Dense(10, activation="softmax")(x))


def blocks(found: Layout) -> list[Box]:
    return [box for box in found.boxes if box.kind == "Block"]


@settings(max_examples=12)
@given(deep_networks(), places())
def test_a_block_opens_into_its_layers_and_leaves_the_others(model: nn.Model, place: Place) -> None:
    closed = layout(model.graph, place)
    layers = [box.name for box in read(model.graph)]
    shown = [box.name for box in closed.boxes]
    for block in blocks(closed)[:2]:
        found = layout(model.graph, replace(place, opened=(block.name,)))
        inside = [box.name for box in found.boxes if box.block == block.name]
        at = shown.index(block.name)
        assert [box.name for box in found.boxes] == [*shown[:at], *inside, *shown[at + 1 :]]
        assert block.words.startswith(f"Block {block.name} of {len(inside)} layers")
        assert inside == [name for name in layers if name in inside]
        for one, other in combinations(drawn(found), 2):
            assert not overlap(rectangle(one), rectangle(other))
        made = wires(found, unknown)
        assert {wire.target for wire in made} >= {box for box in found.boxes if box.inputs}
    everything = layout(model.graph, replace(place, opened=[box.name for box in blocks(closed)]))
    assert [box.name for box in everything.boxes] == layers
