"""Activations as layers, and at the end of layers."""

from __future__ import annotations

from functools import partial
from typing import Any

from nn.gpu.plan import Refused
from nn.gpu.wgsl import elements, functions, rows
from nn.gpu.wgsl.functions import LINEAR, Function
from nn.layers import elementwise as own

ROWS = ("softmax", "log_softmax")
"""Activations over the last axis."""


def text_of(layer: Any) -> Function | None:
    """Return the text of an activation layer, or None if there is none."""
    kind = type(layer)
    if kind is own.LeakyReLU:
        return functions.leaky(layer.negative_slope)
    if kind is own.ELU:
        return functions.elu(layer.alpha)
    if kind is own.ThresholdedReLU:
        return functions.relu_with(None, 0.0, layer.theta)
    if kind is own.ReLU and (
        layer.max_value is not None or layer.negative_slope or layer.threshold
    ):
        return functions.relu_with(layer.max_value, layer.negative_slope, layer.threshold)
    return functions.of(layer.function)


def at_end(layer: Any, fused: Function, exposed: bool) -> tuple[Function, str | None]:
    """Return what a layer's products apply, and the name of what a kernel after them applies."""
    activation = layer.activation
    if fused is not LINEAR or exposed or activation.name == "linear":
        return fused, None
    function = functions.of(activation)
    if function is not None and function.from_output:
        return function, None
    if function is None and activation.name not in ROWS:
        raise Refused(f"{layer.name}: no kernels for the activation {activation.name!r}")
    return LINEAR, activation.name


def applied(c: Any, z: Any, name: str | None) -> Any:
    """Record the activation of a value, if there is one."""
    if name is None:
        return z
    if name in ROWS:
        return over_rows(c, z, name)
    return _elements(c, z, functions.NAMED[name])


def _elements(c: Any, x: Any, function: Function) -> Any:
    y = c.value(x.shape, [x])
    c.add(elements.apply(x.size, function), x.buffer, y.buffer)
    if function.from_output:
        y.function = function

    if function.from_output:
        c.back(y, lambda dy: c.contribute(x, partial(elements.copy, x.size), dy))
    else:
        made = partial(elements.slope_of, x.size, function)
        c.back(y, lambda dy: c.contribute(x, made, x.buffer, dy))
    return y


def over_rows(c: Any, x: Any, name: str) -> Any:
    """Record softmax, or its logarithm, over the last axis."""
    y = c.value(x.shape, [x])
    count, width = x.size // x.shape[-1], x.shape[-1]
    c.add(rows.softmax(count, width, log=name != "softmax"), x.buffer, y.buffer)

    made = rows.softmax_gradient(count, width, log=name != "softmax")
    c.back(y, lambda dy: c.contribute(x, made, dy, y.buffer))
    return y


def activation(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record a layer that only applies an activation."""
    (x,) = given
    if c.exposed or layer.function.name == "linear":
        return c.alias(x, x.shape)
    if isinstance(layer, own.Softmax) or layer.function.name in ROWS:
        if getattr(layer, "axis", -1) != -1:
            raise Refused(f"{layer.name}: no kernels for softmax over axis {layer.axis}")
        return over_rows(c, x, layer.function.name)
    function = text_of(layer)
    if function is None:
        raise Refused(f"{layer.name}: no kernels for the activation {layer.function.name!r}")
    return _elements(c, x, function)


KINDS = (
    own.Activation,
    own.ReLU,
    own.LeakyReLU,
    own.ELU,
    own.ThresholdedReLU,
    own.Softmax,
)
RECORDERS = dict.fromkeys(KINDS, activation)
