"""Activations as text: the function of `v`, and its slope from its result `y` or from `v`."""

from __future__ import annotations

from dataclasses import dataclass


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
