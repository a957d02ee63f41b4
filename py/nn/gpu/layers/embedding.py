"""Embedding: rows of a table, and the sums of their gradients."""

from __future__ import annotations

from typing import Any

from nn.gpu.plan import Refused
from nn.gpu.wgsl import rows
from nn.gpu.wgsl.functions import Function
from nn.layers.embedding import Embedding


def look_up(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record Embedding; an index outside the table is its last row's."""
    (x,) = given
    if layer.mask_zero:
        raise Refused(f"{layer.name}: no kernels for mask_zero")
    table, width = layer.embeddings, layer.output_dim
    y = c.value((*x.shape, width), [x], table)
    at = c.place(table)
    c.add(rows.look_up(x.size, width, layer.input_dim, at), x.buffer, "p", y.buffer)

    def backward(dy: str) -> None:
        if c.trains(table):
            target = c.gradient([table], 1)
            c.add(rows.summed(x.size, width, layer.input_dim, target), x.buffer, dy, "partials")

    c.back(y, backward)
    return y


RECORDERS: dict[type, Any] = {Embedding: look_up}
