"""Layers that move elements: other shapes, edges, repetition, scaling."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from nn.gpu.layers.convolving import images
from nn.gpu.plan import Refused
from nn.gpu.wgsl import elements, windows
from nn.gpu.wgsl.functions import LINEAR, Function
from nn.gpu.wgsl.windows import Window
from nn.layers import core, padding_layers, rescaling
from nn.layers import shaping as own


def reshape(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record Flatten, Reshape or Identity: the same memory under another shape."""
    (x,) = given
    if getattr(layer, "data_format", None) == "channels_first" and len(x.shape) > 2:
        raise Refused(f"{layer.name}: no kernels for data_format='channels_first'")
    shape = layer.compute_output_shape(x.shape)
    return c.alias(x, shape)


def edges(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record zero padding or cropping."""
    (x,) = given
    padding = isinstance(layer, padding_layers.ZeroPadding2D)
    n, h, w, channels = images(layer, x.shape)
    around = layer.edges()[1:-1]
    (top, bottom), (left, right) = around if layer.rank == 2 else [(0, 0), *around]
    sign = 1 if padding else -1
    inner, outer = (h, w), (h + sign * (top + bottom), w + sign * (left + right))
    y = c.value(layer.compute_output_shape(x.shape), [x])
    there = elements.framed(n, inner, outer, channels, sign * top, sign * left)
    back = elements.framed(n, outer, inner, channels, -sign * top, -sign * left)
    c.add(there, x.buffer, y.buffer)
    c.back(y, lambda dy: c.contribute(x, back, dy))
    return y


def upsample(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record UpSampling2D (nearest) or UpSampling1D."""
    (x,) = given
    if getattr(layer, "interpolation", "nearest") != "nearest":
        raise Refused(f"{layer.name}: no kernels for interpolation={layer.interpolation!r}")
    n, h, w, channels = images(layer, x.shape)
    fy, fx = layer.lifted(layer.size)
    # Sums of windows that touch, the other way round.
    s = Window(n, h * fy, w * fx, channels, fy, fx, channels, 0, 0, h, w, fy, fx)
    y = c.value(layer.compute_output_shape(x.shape), [x])
    c.add(windows.average_pool_gradient(s, LINEAR, summed=True), x.buffer, y.buffer)
    made = windows.average_pool(s, summed=True)
    c.back(y, lambda dy: c.contribute(x, made, dy))
    return y


def rescale(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record Rescaling by one scale and one offset."""
    (x,) = given
    if np.ndim(layer.scale) or np.ndim(layer.offset):
        raise Refused(f"{layer.name}: no kernels for several scales or offsets")
    scale, offset = float(layer.scale), float(layer.offset)
    y = c.value(x.shape, [x])
    c.add(elements.rescaled(x.size, scale, offset), x.buffer, y.buffer)

    made = partial(elements.copy, x.size, factor=scale)
    c.back(y, lambda dy: c.contribute(x, made, dy))
    return y


RECORDERS = {
    core.Flatten: reshape,
    own.Reshape: reshape,
    own.Identity: reshape,
    rescaling.Rescaling: rescale,
    own.UpSampling1D: upsample,
    own.UpSampling2D: upsample,
    padding_layers.ZeroPadding1D: edges,
    padding_layers.ZeroPadding2D: edges,
    padding_layers.Cropping1D: edges,
    padding_layers.Cropping2D: edges,
}
