"""Attention of several heads: projections, and two products for each sample and head."""

from __future__ import annotations

from typing import Any

from nn.gpu.layers.activating import over_rows
from nn.gpu.layers.convolving import project
from nn.gpu.layers.noising import noisy
from nn.gpu.plan import Refused
from nn.gpu.wgsl.functions import LINEAR, Function
from nn.gpu.wgsl.heads import Matrix, paired
from nn.layers.attention import MultiHeadAttention
from nn.layers.noise import Dropout


def attend(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record MultiHeadAttention."""
    if layer.cpu_only:
        raise Refused(f"{layer.name}: no {layer.cpu_only}")
    query, value, key = (*given, given[1])[:3]
    for x in given:
        x.root.readers += 1  # at least two projections read it: none may take its slope
    q = project(c, query, *layer.query)
    k = project(c, key, *layer.key)
    v = project(c, value, *layer.value)
    t, s, heads = q.shape[1], k.shape[1], layer.num_heads
    each = Matrix(heads, t, s, heads * t * s, t * s, s)
    scores = c.value((c.batch, heads, t, s), [q, k]), each
    keys = k, _headed(k, heads).turned
    _pair(c, (q, _headed(q, heads)), keys, scores, layer.factor, layer.use_causal_mask)
    weights = over_rows(c, scores[0], "softmax")
    weights = noisy(c, Dropout(layer.dropout, name=layer.name), [weights], LINEAR)
    read = c.value((c.batch, t, v.shape[-1]), [weights, v])
    _pair(c, (weights, each), (v, _headed(v, heads)), (read, _headed(read, heads)))
    return project(c, read, *layer.output_projection)


def _headed(x: Any, heads: int) -> Matrix:
    """Return where each head's part of a projection lies."""
    _, steps, width = x.shape
    return Matrix(heads, steps, width // heads, steps * width, width // heads, width)


Operand = tuple[Any, Matrix]


def _pair(
    c: Any, a: Operand, b: Operand, y: Operand, factor: float = 1.0, causal: bool = False
) -> None:
    """Record y = a b times a factor, for each sample and head."""
    (left, m), (right, k), (made, n) = a, b, y
    forward = paired(c.batch, m, k, n, factor, causal)
    c.add(forward, left.buffer, right.buffer, made.buffer)

    def backward(dy: str) -> None:
        c.contribute(left, paired(c.batch, n, k.turned, m, factor), dy, right.buffer)
        c.contribute(right, paired(c.batch, m.turned, n, k, factor), left.buffer, dy)

    c.back(made, backward)


RECORDERS: dict[type, Any] = {MultiHeadAttention: attend}
