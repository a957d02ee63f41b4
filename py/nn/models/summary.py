"""Model summary: the table of layers that `Model.summary` prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nn.errors import ConfigError
from nn.layers.base import Layer
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


def text(
    model: Network,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Any = None,
) -> str:
    """Return the summary as text: a table of the layers and the totals."""
    head = ["Layer (type)", "Output shape", "Param #", *(["Trainable"] if show_trainable else [])]
    lines = list(_lines(model, expand_nested, layer_range))
    shown = [head, *(line[: len(head)] for line in lines)]
    widths = [max(len(line[i]) for line in shown) for i in range(len(head))]
    bar = "-" * (sum(widths) + 2 * len(widths) - 2)
    table = [
        "  ".join(
            cell.rjust(width) if column == 2 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in shown
    ]
    total, trainable, frozen = totals(model)
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


def _lines(
    model: Network, expand_nested: bool, layer_range: Any = None, depth: int = 0
) -> Iterator[list[str]]:
    for layer, shape in _between(model.layer_shapes(), layer_range):
        name = f"{'  ' * depth}{layer.name} ({type(layer).__name__})"
        trained = bool(layer.trainable_variables) if layer.variables else None
        yes_or_no = "-" if trained is None else "Y" if trained else "N"
        yield [name, str(shape or "?"), f"{layer.count_params():,}", yes_or_no]
        if expand_nested and isinstance(layer, Network):
            yield from _lines(layer, expand_nested, depth=depth + 1)


def _between(layers: list[tuple[Layer, Shape]], layer_range: Any) -> list[tuple[Layer, Shape]]:
    if layer_range is None:
        return layers
    names = [layer.name for layer, _ in layers]
    ends = layer_range if isinstance(layer_range, list | tuple) else ()
    if len(ends) != 2 or not all(end in names for end in ends):
        raise ConfigError(f"layer_range: expected two of {names}, received {layer_range!r:.80}")
    first, last = map(names.index, ends)
    return layers[first : last + 1]
