"""Drawing of a model's graph as SVG: a box for each layer, an arrow for each of its inputs."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from nn.graph import Graph, Node
from nn.models.network import Network

WIDTH, HEIGHT, GAP = 220, 48, 28
"""Size of a box, and the space between boxes, in pixels."""

Place = tuple[int, int]


def plot_model(
    model: Network, to_file: Any = "model.svg", show_shapes: bool = True, **others: Any
) -> str:
    """Draw a model into a file, and return the drawing.

    Args:
        model: a built model.
        to_file: where to write it; None writes nothing.
        show_shapes: write the shape of each layer's output.
        others: Keras' other options, which change nothing here.
    """
    drawing = model_to_svg(model, show_shapes)
    if to_file is not None:
        Path(to_file).write_text(drawing, encoding="utf-8")
    return drawing


def model_to_svg(model: Network, show_shapes: bool = True) -> str:
    """Return the drawing of a built model as the text of an SVG file."""
    graph = model.graph
    nodes = [*(tensor.node for tensor in graph.inputs), *graph.nodes]
    places = _places(graph, nodes)
    columns = 1 + max(column for column, _ in places.values())
    rows = 1 + max(row for _, row in places.values())
    lines = [_arrow(places[tensor.node], places[node]) for node in nodes for tensor in node.inputs]
    boxes = [_box(node, places[node], show_shapes) for node in nodes]
    size = columns * (WIDTH + GAP) + GAP, rows * (HEIGHT + GAP) + GAP
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}" '
            f'viewBox="0 0 {size[0]} {size[1]}" font-family="sans-serif" font-size="12">',
            f"<title>{escape(model.name)}</title>",
            '<defs><marker id="head" markerWidth="8" markerHeight="8" refX="7" refY="4" '
            'orient="auto"><path d="M0 0 8 4 0 8z" fill="#666"/></marker></defs>',
            *lines,
            *boxes,
            "</svg>",
        ]
    )


def _places(graph: Graph, nodes: list[Node]) -> dict[Node, Place]:
    """Return the column and row of each node: below the nodes that it reads."""
    depths: dict[Node, int] = {}
    taken: dict[int, int] = {}
    places: dict[Node, Place] = {}
    for node in nodes:
        depth = 1 + max((depths[tensor.node] for tensor in node.inputs), default=-1)
        depths[node] = depth
        places[node] = taken.get(depth, 0), depth
        taken[depth] = taken.get(depth, 0) + 1
    return places


def _corner(place: Place) -> tuple[int, int]:
    return GAP + place[0] * (WIDTH + GAP), GAP + place[1] * (HEIGHT + GAP)


def _arrow(start: Place, stop: Place) -> str:
    (x1, y1), (x2, y2) = _corner(start), _corner(stop)
    return (
        f'<line x1="{x1 + WIDTH // 2}" y1="{y1 + HEIGHT}" x2="{x2 + WIDTH // 2}" y2="{y2}" '
        'stroke="#666" marker-end="url(#head)"/>'
    )


def _box(node: Node, place: Place, show_shapes: bool) -> str:
    x, y = _corner(place)
    title = f"{node.layer.name} ({type(node.layer).__name__})"
    shapes = ", ".join(str(tensor.shape) for tensor in node.outputs)
    middle = x + WIDTH // 2
    words = [(title, y + (20 if show_shapes else 29))]
    if show_shapes:
        words.append((shapes, y + 38))
    return "".join(
        [
            f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="4" fill="#eef" '
            'stroke="#669"/>',
            *(f'<text x="{middle}" y="{line}" text-anchor="middle">{escape(text)}</text>'
              for text, line in words),
        ]
    )  # fmt: skip
