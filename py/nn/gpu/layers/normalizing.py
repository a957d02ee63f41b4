"""Batch normalization and layer normalization."""

from __future__ import annotations

from functools import partial
from typing import Any

from nn.gpu.plan import Refused
from nn.gpu.wgsl import normalization
from nn.gpu.wgsl.functions import Function
from nn.gpu.wgsl.normalization import Norm
from nn.layers import normalization as own


def _norm(c: Any, layer: Any, x: Any, moving: tuple[int, int] = (0, 0)) -> Norm:
    if layer.moves:
        raise Refused(f"{layer.name}: no kernels for axis {layer.axis}, but for the last axes")
    pixels = x.size // (c.batch * layer.features)
    gamma = None if layer.gamma is None else c.place(layer.gamma)
    beta = None if layer.beta is None else c.place(layer.beta)
    return Norm(c.batch, pixels, layer.features, layer.epsilon, gamma, beta, moving)


def _kept(c: Any, layer: Any) -> tuple[int | None, int | None]:
    """Return where the gradients of gamma and beta go in `partials`, or None."""
    places: list[int | None] = []
    for variable in (layer.gamma, layer.beta):
        trained = variable is not None and c.trains(variable)
        places.append(c.gradient([variable], 1) if trained else None)
    return places[0], places[1]


def batch(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record BatchNormalization; a frozen one uses the running statistics."""
    (x,) = given
    moving = c.state(layer.moving_mean), c.state(layer.moving_variance)
    s = _norm(c, layer, x, moving)
    stats = c.plan.buffer(c.name("stats"), 2 * s.c)
    parts = c.scratch("parts", 2 * s.c * s.parts)
    own_moments = layer.trainable and c.training
    if own_moments:
        c.add(normalization.moments(s), x.buffer, parts)
        settled = normalization.settle_moments(s, layer.momentum)
        c.add(settled, x.buffer, parts, stats, "state")
    else:
        c.add(normalization.moving_moments(s), "state", stats)
    y = c.value(x.shape, [x], layer.gamma, layer.beta)
    y.function = fused
    c.add(normalization.normalize(s, fused), x.buffer, stats, "p", y.buffer)

    def backward(dy: str) -> None:
        sums = c.scratch("sums", 2 * s.c)
        if own_moments:
            c.add(normalization.norm_sums(s), dy, x.buffer, stats, parts)
            _settle(c, layer, s, parts, sums)
        made = partial(normalization.norm_gradient, s, not own_moments)
        c.contribute(x, made, dy, x.buffer, stats, "p", sums)

    c.back(y, backward)
    return y


def _settle(c: Any, layer: Any, s: Norm, parts: str, sums: str) -> None:
    kept = _kept(c, layer)
    partials = ["partials"] if any(place is not None for place in kept) else []
    c.add(normalization.settle_norm(s, *kept), parts, sums, *partials)


def layer_norm(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record LayerNormalization over the last axes."""
    (x,) = given
    s = _norm(c, layer, x)
    stats = c.plan.buffer(c.name("stats"), 2 * s.rows)
    y = c.value(x.shape, [x], layer.gamma, layer.beta)
    c.add(normalization.layer_norm(s), x.buffer, "p", y.buffer, stats)

    def backward(dy: str) -> None:
        if c.trains(layer.gamma, layer.beta):
            parts = c.scratch("parts", 2 * s.c * s.parts)
            c.add(normalization.layer_norm_sums(s), dy, x.buffer, stats, parts)
            _settle(c, layer, s, parts, c.scratch("sums", 2 * s.c))
        made = partial(normalization.layer_norm_gradient, s)
        c.contribute(x, made, dy, x.buffer, "p", stats)

    c.back(y, backward)
    return y


RECORDERS = {own.BatchNormalization: batch, own.LayerNormalization: layer_norm}
FUSING = (own.BatchNormalization,)
"""Layers that apply an activation after them."""
