"""Dropout and noise: what a step draws follows from its seed and the layer's number."""

from __future__ import annotations

from functools import partial
from typing import Any

from nn.gpu.plan import Refused
from nn.gpu.wgsl import elements
from nn.gpu.wgsl.functions import Function, number
from nn.layers import gaussian as own
from nn.layers import noise
from nn.types import prod


def _text(layer: Any) -> tuple[str, str]:
    """Return how a value `v` changes, and how its gradient `v` does."""
    kind = type(layer)
    if kind is own.GaussianNoise:
        return f"v + normal(k) * {number(layer.stddev)}", "v"
    if kind is own.GaussianDropout:
        deviation = number((layer.rate / (1 - layer.rate)) ** 0.5)
        text = f"v * (1.0 + normal(k) * {deviation})"
        return text, text
    keep = f"share(k) >= {number(layer.rate)}"
    if kind is own.AlphaDropout:
        factor = ((1 - layer.rate) * (1 + layer.rate * own.LOWEST**2)) ** -0.5
        a, low = number(factor), number(own.LOWEST)
        shift = number(-factor * own.LOWEST * layer.rate)
        return f"select({low}, v, {keep}) * {a} + {shift}", f"select(0.0, v * {a}, {keep})"
    scale = number(1 / (1 - layer.rate) if layer.rate < 1 else 0.0)
    text = f"select(0.0, v * {scale}, {keep})"
    return text, text


def _place(layer: Any, shape: tuple[int, ...]) -> str:
    """Return the text of an element's place in the draw: axes of size 1 share one."""
    drawn = layer.mask_shape(shape) if hasattr(layer, "mask_shape") else shape
    if drawn == shape:
        return "i"
    parts, step, at = [], 1, 1
    for size, own_size in reversed(list(zip(shape, drawn, strict=True))):
        if own_size == size:
            parts.append(f"i / {at}u % {size}u * {step}u")
            step *= size
        elif own_size != 1:
            raise Refused(f"{layer.name}: no kernels for noise_shape {layer.noise_shape}")
        at *= size
    return " + ".join(parts) or "0u"


def noisy(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record a layer that is random in training."""
    (x,) = given
    strength = layer.stddev if type(layer) is own.GaussianNoise else layer.rate
    if not strength or not c.training:
        return c.alias(x, x.shape)
    if layer.seed is not None:
        raise Refused(f"{layer.name}: no kernels for a seed of its own")
    y = c.value(x.shape, [x])
    forward, backward_text = _text(layer)
    place, layer_number = _place(layer, x.shape), c.numbers
    size = prod(x.shape)
    c.add(elements.noise(size, forward, place, layer_number), x.buffer, y.buffer)

    made = partial(elements.noise, size, backward_text, place, layer_number)
    c.back(y, lambda dy: c.contribute(x, made, dy))
    return y


KINDS = (
    noise.Dropout,
    noise.SpatialDropout1D,
    noise.SpatialDropout2D,
    own.AlphaDropout,
    own.GaussianDropout,
    own.GaussianNoise,
)
RECORDERS = dict.fromkeys(KINDS, noisy)
