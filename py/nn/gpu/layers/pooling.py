"""Pooling over windows and over all places."""

from __future__ import annotations

from functools import partial
from typing import Any

from nn.gpu.layers.convolving import images, shown
from nn.gpu.plan import Refused
from nn.gpu.wgsl import windows
from nn.gpu.wgsl.functions import Function
from nn.gpu.wgsl.windows import Window
from nn.layers import pooling as own


def _window(layer: Any, shape: tuple[int, ...]) -> Window:
    n, h, w, channels = shape
    (_, oh, ow, _), ((top, _), (left, _)) = layer.plan(shape)
    (kh, kw), (sy, sx) = layer.window, layer.hops
    return Window(n, h, w, channels, kh, kw, channels, top, left, oh, ow, sy, sx)


def max_pool(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record MaxPooling2D or MaxPooling1D."""
    (x,) = given
    s = _window(layer, images(layer, x.shape))
    if s.kh * s.kw > 256:  # which element it was is kept as a byte
        raise Refused(f"{layer.name}: no kernels for windows of more than 256 elements")
    y = c.value(shown(layer, (s.n, s.oh, s.ow, s.c)), [x])
    place = c.plan.buffer(c.name("place"), y.size)
    c.add(windows.max_pool(s), x.buffer, y.buffer, place)

    c.back(y, lambda dy: c.contribute(x, partial(windows.max_pool_gradient, s), dy, place))
    return y


def _average(c: Any, x: Any, s: Window, shape: tuple[int, ...]) -> Any:
    y = c.value(shape, [x])
    c.add(windows.average_pool(s), x.buffer, y.buffer)

    c.back(y, lambda dy: c.contribute(x, partial(windows.average_pool_gradient, s), dy))
    return y


def average_pool(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record AveragePooling2D or AveragePooling1D."""
    (x,) = given
    s = _window(layer, images(layer, x.shape))
    return _average(c, x, s, shown(layer, (s.n, s.oh, s.ow, s.c)))


def _whole(layer: Any, x: Any) -> tuple[Window, tuple[int, ...]]:
    """Return a window as large as the image, and the output's shape."""
    n, h, w, channels = images(layer, x.shape)
    ones = (1,) * layer.rank if layer.keepdims else ()
    return Window(n, h, w, channels, h, w, channels), (n, *ones, channels)


def global_average(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record GlobalAveragePooling2D or 1D."""
    (x,) = given
    return _average(c, x, *_whole(layer, x))


def global_max(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record GlobalMaxPooling2D or 1D: equal maxima share the gradient."""
    (x,) = given
    s, shape = _whole(layer, x)
    y = c.value(shape, [x])
    share = c.plan.buffer(c.name("share"), y.size)
    c.add(windows.global_max(s), x.buffer, y.buffer, share)

    made = partial(windows.global_max_gradient, s)
    c.back(y, lambda dy: c.contribute(x, made, dy, x.buffer, y.buffer, share))
    return y


RECORDERS = {
    own.MaxPooling2D: max_pool,
    own.MaxPooling1D: max_pool,
    own.AveragePooling2D: average_pool,
    own.AveragePooling1D: average_pool,
    own.GlobalAveragePooling2D: global_average,
    own.GlobalAveragePooling1D: global_average,
    own.GlobalMaxPooling2D: global_max,
    own.GlobalMaxPooling1D: global_max,
}
