"""Dense layers, convolutions and transposed convolutions."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from nn.gpu.layers.activating import applied, at_end
from nn.gpu.plan import Refused
from nn.gpu.wgsl import windows
from nn.gpu.wgsl.functions import LINEAR, Function
from nn.gpu.wgsl.windows import Window
from nn.layers import convolution, separable, transposed
from nn.layers.core import Dense
from nn.variables import Variable


def dense(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record Dense: over the last axis."""
    (x,) = given
    function, after = at_end(layer, fused, c.exposed)
    return applied(c, layer, project(c, x, layer.kernel, layer.bias, function), after)


def project(
    c: Any, x: Any, kernel: Variable, bias: Variable | None, function: Function = LINEAR
) -> Any:
    """Record a product over the last axis."""
    inputs = x.shape[-1]
    units = kernel.size // inputs
    window = Window(x.size // inputs, 1, 1, inputs, 1, 1, units)
    return _product(c, x, (*x.shape[:-1], units), window, kernel, bias, function)


def images(layer: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of an input as images (n, h, w, c).

    Raises:
        Refused: the layer has its channels first, or more than two axes of places.
    """
    if layer.channels_first:
        raise Refused(f"{layer.name}: no kernels for data_format='channels_first'")
    if layer.rank > 2:
        raise Refused(f"{layer.name}: no kernels for {type(layer).__name__}")
    return shape if layer.rank == 2 else (shape[0], 1, *shape[1:])


def shown(layer: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Undo `images`."""
    return shape if layer.rank == 2 else (shape[0], *shape[2:])


def window_of(layer: Any, shape: tuple[int, ...], filters: int, groups: int) -> Window:
    """Return the window of a convolution over images of this shape."""
    n, h, w, c = shape
    (_, oh, ow, _), options = layer.plan(shape)
    (top, _), (left, _) = options["padding"]
    kh, kw = layer.lifted(layer.kernel_size)
    sy, sx = options["strides"]
    dy, dx = options["dilation"]
    return Window(n, h, w, c, kh, kw, filters, top, left, oh, ow, sy, sx, dy, dx, groups)


def convolve(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record Conv2D or Conv1D."""
    (x,) = given
    window = window_of(layer, images(layer, x.shape), layer.filters, layer.groups)
    shape = shown(layer, (window.n, window.oh, window.ow, window.f))
    function, after = at_end(layer, fused, c.exposed)
    y = _product(c, x, shape, window, layer.kernel, layer.bias, function)
    return applied(c, layer, y, after)


def _product(
    c: Any,
    x: Any,
    shape: tuple[int, ...],
    s: Window,
    kernel: Variable,
    bias: Variable | None,
    function: Function,
) -> Any:
    """Record a product of `x` and a kernel, the bias and an activation."""
    s = replace(s, alone=c.emulated)
    y = c.value(shape, [x], kernel, bias)
    y.function = function
    at = c.place(kernel)
    biased = None if bias is None else c.place(bias)
    c.add(windows.convolution(s, at, biased, function), x.buffer, "p", y.buffer)

    def backward(dz: str) -> None:
        if c.trains(kernel, bias):
            _weights(c, s, [kernel, bias], bias is not None, x.buffer, dz)
        c.contribute(x, partial(windows.input_gradient, s, at), dz, "p")

    c.back(y, backward)
    return y


def depthwise(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    (x,) = given
    shape = images(layer, x.shape)
    s = window_of(layer, shape, shape[-1] * layer.depth_multiplier, 1)
    function, after = at_end(layer, fused, c.exposed)
    kernel, bias = layer.kernel, layer.bias
    y = c.value(shown(layer, (s.n, s.oh, s.ow, s.f)), [x], kernel, bias)
    y.function = function
    w = c.place(kernel)
    made = windows.depthwise(s, w, None if bias is None else c.place(bias), function)
    c.add(made, x.buffer, "p", y.buffer)

    def backward(dz: str) -> None:
        if c.trains(kernel, bias):
            made = windows.depthwise_weight_gradient
            _weights(c, s, [kernel, bias], bias is not None, x.buffer, dz, made)
        c.contribute(x, partial(windows.depthwise_input_gradient, s, w), dz, "p")

    c.back(y, backward)
    return applied(c, layer, y, after)


def separable_convolution(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    middle = depthwise(c, layer.depthwise, given, LINEAR)
    return convolve(c, layer.pointwise, [middle], fused)


def transpose(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record Conv2DTranspose or Conv1DTranspose: the gradient of a convolution's input, whose own
    gradient is that convolution."""
    (x,) = given
    shape = images(layer, x.shape)
    n, h, w, f = layer.output_shape(shape)
    kh, kw = layer.lifted(layer.kernel_size)
    strides, dilation = layer.lifted(layer.strides), layer.lifted(layer.dilation_rate)
    top, left = (layer.edges(axis)[0] for axis in range(2))
    ends = (top, left, *shape[1:3], *strides, *dilation)
    s = replace(Window(n, h, w, f, kh, kw, shape[-1], *ends), alone=c.emulated)
    function, after = at_end(layer, fused, c.exposed)
    kernel, bias = layer.kernel, layer.bias
    y = c.value(shown(layer, (n, h, w, f)), [x], kernel, bias)
    y.function = function
    at = c.place(kernel)
    biased = None if bias is None else c.place(bias)
    made = windows.input_gradient(s, at, bias=biased, function=function)
    c.add(made, x.buffer, "p", y.buffer)

    def backward(dz: str) -> None:
        if c.trains(kernel):
            _weights(c, s, [kernel], False, dz, x.buffer)
        if c.trains(bias):  # as of a layer without inputs
            _weights(c, Window(s.pixels, 1, 1, 0, 1, 1, f), [bias], True, dz, dz)
        c.contribute(x, windows.convolution(s, at, None, LINEAR), dz, "p")

    c.back(y, backward)
    return applied(c, layer, y, after)


def _weights(
    c: Any,
    s: Window,
    variables: Any,
    biased: bool,
    x: str,
    dz: str,
    gradient: Any = windows.weight_gradient,
) -> None:
    """Record the gradients of a kernel and of the bias after it."""
    _, parts = gradient(s, 0, biased)
    made, _ = gradient(s, c.gradient(variables, parts), biased)
    c.add(made, x, dz, "partials")


RECORDERS = {
    Dense: dense,
    convolution.Conv2D: convolve,
    convolution.Conv1D: convolve,
    separable.DepthwiseConv2D: depthwise,
    separable.DepthwiseConv1D: depthwise,
    separable.SeparableConv2D: separable_convolution,
    separable.SeparableConv1D: separable_convolution,
    transposed.Conv2DTranspose: transpose,
    transposed.Conv1DTranspose: transpose,
}
