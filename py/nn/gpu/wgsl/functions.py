"""Activations as text: the function of `v`, and its slope from its result `y` or from `v`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nn import activations


def number(value: float) -> str:
    """Return a float as WGSL's f32."""
    return f"f32({float(value)!r})"


@dataclass(frozen=True)
class Function:
    """An activation of single elements.

    Attributes:
        forward: the function of `v`.
        slope: its derivative, from `y` if `from_output`, else from `v`.
        from_output: which of the two `slope` uses.
        helpers: functions that the text calls.
    """

    forward: str
    slope: str
    from_output: bool = True
    helpers: str = ""


SIGMOID = "(1.0 / (1.0 + exp(-v)))"
# Abramowitz and Stegun 7.1.26: the error is below 1.5e-7.
ERF = """
fn erf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.3275911 * abs(x));
    let a = (1.061405429 * t - 1.453152027) * t + 1.421413741;
    let s = (a * t - 0.284496736) * t + 0.254829592;
    return sign(x) * (1.0 - s * t * exp(-x * x));
}
"""

LINEAR = Function("v", "1.0")
NAMED: dict[str, Function] = {
    "linear": LINEAR,
    "relu": Function("max(v, 0.0)", "select(0.0, 1.0, y > 0.0)"),
    "relu6": Function("clamp(v, 0.0, 6.0)", "select(0.0, 1.0, y > 0.0 && y < 6.0)"),
    "sigmoid": Function(SIGMOID, "(y * (1.0 - y))"),
    "tanh": Function("tanh(clamp(v, -20.0, 20.0))", "(1.0 - y * y)"),
    "exponential": Function("exp(v)", "y"),
    "softplus": Function("(max(v, 0.0) + log(1.0 + exp(-abs(v))))", SIGMOID, False),
    "softsign": Function(
        "(v / (1.0 + abs(v)))", "(1.0 / ((1.0 + abs(v)) * (1.0 + abs(v))))", False
    ),
    "silu": Function(f"(v * {SIGMOID})", f"({SIGMOID} * (1.0 + v * (1.0 - {SIGMOID})))", False),
    "gelu": Function(
        "(v * 0.5 * (1.0 + erf(v * 0.70710678)))",
        "(0.5 * (1.0 + erf(v * 0.70710678)) + v * exp(-0.5 * v * v) * 0.39894228)",
        False,
        ERF,
    ),
    "hard_sigmoid": Function(
        "clamp(v / 6.0 + 0.5, 0.0, 1.0)", "select(0.0, 1.0 / 6.0, abs(v) < 3.0)", False
    ),
    "hard_silu": Function(
        "(v * clamp(v / 6.0 + 0.5, 0.0, 1.0))",
        "select(select(0.0, 1.0, v >= 3.0), v / 3.0 + 0.5, abs(v) < 3.0)",
        False,
    ),
}


def leaky(negative_slope: float) -> Function:
    """Return leaky relu."""
    k = number(negative_slope)
    return Function(f"select(v * {k}, v, v > 0.0)", f"select({k}, 1.0, y > 0.0)")


def elu(alpha: float, scale: float = 1.0) -> Function:
    """Return elu, times `scale`."""
    a, s = number(alpha), number(scale)
    return Function(
        f"({s} * select({a} * (exp(min(v, 0.0)) - 1.0), v, v > 0.0))",
        f"select(y + {number(scale * alpha)}, {s}, y > 0.0)",
    )


def relu_with(max_value: float | None, negative_slope: float, threshold: float) -> Function:
    """Return Keras' general relu."""
    k, edge = number(negative_slope), number(threshold)
    forward = f"select({k} * (v - {edge}), v, {'v >= ' + edge if threshold else 'v > 0.0'})"
    slope = f"select({k}, 1.0, v > {edge})"
    if max_value is not None:
        top = number(max_value)
        forward, slope = f"min({forward}, {top})", f"select({slope}, 0.0, v >= {top})"
    return Function(forward, slope, False)


NAMED["leaky_relu"] = leaky(0.2)
NAMED["elu"] = elu(1.0)
NAMED["selu"] = elu(1.6732632423543772, 1.0507009873554805)


def of(function: Any) -> Function | None:
    """Return the text of an activation of the engine, or None if there is none."""
    known = NAMED.get(function.name)
    return known if known is not None and activations.get(function.name) is function else None
