"""Activations as layers, and at the end of layers."""

from __future__ import annotations

from functools import partial
from typing import Any

from nn import activations
from nn.gpu.plan import Refused
from nn.gpu.wgsl import elements, rows, traced
from nn.gpu.wgsl.functions import LINEAR, Function
from nn.layers import elementwise as own

ROWS = ("softmax", "log_softmax", "sparsemax")
"""Activations over the last axis."""
LATER = Function("v", "1.0", False)
"""In place of the text of one of these."""


def at_end(layer: Any, fused: Function, exposed: bool) -> tuple[Function, Any]:
    """Return what a layer's products apply, and the activation that a kernel after them applies."""
    activation = layer.activation
    if fused is not LINEAR or exposed or activation.name == "linear":
        return fused, None
    function = _text(layer, activation)
    return (function, None) if function.from_output else (LINEAR, activation)


def _text(layer: Any, activation: Any) -> Function:
    """Return the text of an activation; LATER for one over the last axis."""
    function = traced.activation(activation)
    if function is not None:
        return function
    if activation.name in ROWS and activations.get(activation.name) is activation:
        return LATER
    raise Refused(f"{layer.name}: no kernels for the activation {activation.name!r}")


def applied(c: Any, layer: Any, z: Any, activation: Any) -> Any:
    """Record the activation of a value, if there is one."""
    if activation is None:
        return z
    function = _text(layer, activation)
    return over_rows(c, z, activation.name) if function is LATER else _elements(c, z, function)


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
    """Record softmax, its logarithm or sparsemax over the last axis."""
    y = c.value(x.shape, [x])
    count, width = x.size // x.shape[-1], x.shape[-1]
    if name == "sparsemax":
        there, back = rows.sparsemax(count, width), rows.sparsemax_gradient(count, width)
    else:
        log = name != "softmax"
        there, back = (f(count, width, log=log) for f in (rows.softmax, rows.softmax_gradient))
    c.add(there, x.buffer, y.buffer)
    c.back(y, lambda dy: c.contribute(x, back, dy, y.buffer))
    return y


def activation(c: Any, layer: Any, given: list[Any], fused: Function) -> Any:
    """Record a layer that only applies an activation."""
    (x,) = given
    if c.exposed or layer.function.name == "linear":
        return c.alias(x, x.shape)
    if getattr(layer, "axis", -1) != -1:
        raise Refused(f"{layer.name}: no kernels for softmax over axis {layer.axis}")
    return applied(c, layer, x, layer.function)


KINDS = (
    own.Activation,
    own.ReLU,
    own.LeakyReLU,
    own.ELU,
    own.ThresholdedReLU,
    own.Softmax,
)
RECORDERS = dict.fromkeys(KINDS, activation)
