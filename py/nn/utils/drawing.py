"""Drawing of a model as SVG: its layers as maps and units, and wires between them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nn.keras_arguments import checked
from nn.models.network import Network
from nn.utils.diagram.layout import Place, layout
from nn.utils.diagram.svg import svg
from nn.utils.diagram.wires import wires


@checked
def plot_model(
    model: Network,
    to_file: Any = "model.svg",
    show_shapes: bool = True,
    rankdir: str = "TB",
    **others: Any,
) -> str:
    """Draw a model into a file, and return the drawing.

    Args:
        model: a built model.
        to_file: where to write it; None writes nothing.
        show_shapes: write the size of each layer's output.
        rankdir: "TB" draws from top to bottom, "LR" from left to right.
        others: Keras' other options, which change nothing here.
    """
    drawing = model_to_svg(model, show_shapes, rankdir)
    if to_file is not None:
        Path(to_file).write_text(drawing, encoding="utf-8")
    return drawing


@checked
def model_to_svg(model: Network, show_shapes: bool = True, rankdir: str = "TB") -> str:
    """Return the drawing of a built model as the text of an SVG file; see `plot_model`."""
    down = rankdir != "LR"
    place = Place(width=520 if down else 840, height=360, down=down)
    found = layout(model.graph, place)
    if not show_shapes:
        for box in found.boxes:
            box.note = ""
    return svg(found, wires(found, lambda source, target: None), alone=True, title=model.name)
