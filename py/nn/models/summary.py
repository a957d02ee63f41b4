"""Model summary: the table of layers that `Model.summary` prints."""

from __future__ import annotations

from nn.models.network import Network
from nn.types import Shape

Row = tuple[str, str, Shape, int]


def rows(model: Network) -> list[Row]:
    """Return (name, type, output shape, number of parameters) of each layer.

    The batch axis of a shape is None.
    """
    return [
        (layer.name, type(layer).__name__, shape, layer.count_params())
        for layer, shape in model.layer_shapes()
    ]


def totals(model: Network) -> tuple[int, int, int]:
    """Return the numbers of all, trainable and non-trainable parameters."""
    total = model.count_params()
    trainable = sum(v.size for v in model.trainable_variables)
    return total, trainable, total - trainable


def text(model: Network) -> str:
    """Return the summary as text: a table of the layers and the totals."""
    head = ("Layer (type)", "Output shape", "Param #")
    lines = [(f"{name} ({kind})", str(shape), f"{n:,}") for name, kind, shape, n in rows(model)]
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(3)]
    bar = "-" * (sum(widths) + 4)
    total, trainable, frozen = totals(model)
    table = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in [head, *lines]]
    return "\n".join(
        [
            f'Model: "{model.name}"',
            bar,
            table[0],
            bar,
            *table[1:],
            bar,
            f"Total params: {total:,} ({total * model.itemsize:,} bytes)",
            f"Trainable params: {trainable:,}",
            f"Non-trainable params: {frozen:,}",
        ]
    )
