"""Activations that few networks use, imported when one is named; and those of a user's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nn.activations import Activation, along, get, of_kernel
from nn.errors import ConfigError, ShapeError
from nn.keras_arguments import checked
from nn.lazy import load
from nn.types import Array

Slope = Callable[[Array], Any]


def _of(
    name: str, function: Slope, slope: Slope, family: Callable[..., Activation] | None = None
) -> Activation:
    """Return an activation from f(x) and f'(x)."""

    def forward(x: Array, out: Array) -> None:
        out[...] = function(x)

    def gradient(dy: Array, x: Array, out: Array) -> None:
        out[...] = dy * slope(x)

    return Activation(name, forward, gradient, from_output=False, family=family)


def _celu(alpha: float = 1.0) -> Activation:
    if alpha == 1:
        return of_kernel("celu", _celu, a=1.0, b=1.0)
    return _of(
        "celu",
        lambda x: np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0) / alpha),
        lambda x: np.where(x > 0, 1, np.exp(np.minimum(x, 0) / alpha)),
        _celu,
    )


def _hard_shrink(threshold: float = 0.5) -> Activation:
    return _of(
        "hard_shrink",
        lambda x: np.where(np.abs(x) > threshold, x, 0),
        lambda x: np.abs(x) > threshold,
        _hard_shrink,
    )


def _soft_shrink(threshold: float = 0.5) -> Activation:
    return _of(
        "soft_shrink",
        lambda x: np.sign(x) * np.maximum(np.abs(x) - threshold, 0),
        lambda x: np.abs(x) > threshold,
        _soft_shrink,
    )


def _squareplus(b: float = 4.0) -> Activation:
    return _of(
        "squareplus",
        lambda x: (x + np.sqrt(x * x + b)) / 2,
        lambda x: (1 + x / np.sqrt(x * x + b)) / 2,
        _squareplus,
    )


celu = _celu()
hard_shrink = _hard_shrink()
soft_shrink = _soft_shrink()
squareplus = _squareplus()
hard_tanh = _of("hard_tanh", lambda x: np.clip(x, -1, 1), lambda x: np.abs(x) < 1)
log_sigmoid = of_kernel("log_sigmoid", a=-1.0, b=-1.0)
mish = of_kernel("mish")
sparse_plus = _of(
    "sparse_plus",
    lambda x: np.where(x <= -1, 0, np.where(x < 1, (x + 1) ** 2 / 4, x)),
    lambda x: np.clip((x + 1) / 2, 0, 1),
)
sparse_sigmoid = _of(
    "sparse_sigmoid",
    lambda x: np.clip((x + 1) / 2, 0, 1),
    lambda x: (np.abs(x) < 1) / 2,
)
tanh_shrink = _of("tanh_shrink", lambda x: x - np.tanh(x), lambda x: np.tanh(x) ** 2)


def _sparsemax(x: Array, out: Array) -> None:
    """max(x - t, 0), with the t for which the sum is 1 (Martins and Astudillo 2016).

    (In Keras 3.15 the sum is less where several elements are above zero: its t adds up the sums.)
    """
    if not x.ndim:
        raise ShapeError("sparsemax: expected an array, received one number")
    ordered = -np.sort(-x, axis=-1)
    places = np.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    sums = ordered.cumsum(axis=-1)
    count = (1 + places * ordered > sums).sum(axis=-1, keepdims=True)
    t = (np.take_along_axis(sums, count - 1, -1) - 1) / count.astype(x.dtype)
    np.maximum(x - t, 0, out=out)


def _sparsemax_gradient(dy: Array, y: Array, out: Array) -> None:
    kept = y > 0
    mean = (dy * kept).sum(axis=-1, keepdims=True) / kept.sum(axis=-1, keepdims=True)
    out[...] = kept * (dy - mean)


sparsemax = Activation(
    "sparsemax",
    _sparsemax,
    _sparsemax_gradient,
    family=lambda axis=-1: along("sparsemax", axis),
)

APPROXIMATE_GELU = of_kernel("gelu", kernel="gelu_tanh")
"""The gelu of `approximate=True`, by tanh."""


@checked
def glu(x: Any, axis: int = -1) -> Any:
    """Return the first half of an axis times the sigmoid of the second (Dauphin et al. 2017)."""
    x = x if hasattr(x, "shape") else load("nn.data.numeric").numeric(x, "glu")
    size = x.shape[axis]
    if size % 2:
        raise ConfigError(f"glu: expected an even number along axis {axis}, received {size}")
    first, second = np.split(x, 2, axis=axis)
    return first * get("sigmoid")(second)


@checked
def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """Return x where it is above the threshold, and `default_value` elsewhere."""
    return np.where(x > threshold, x, default_value)


def of_function(function: Callable[[Any], Any]) -> Activation:
    """Return the activation of a function of arrays, made of NumPy's; it has the input's shape.

    Training differentiates the function (`nn.differentiate`).
    """
    name = getattr(function, "__name__", type(function).__name__)

    def forward(x: Array, out: Array) -> None:
        y = np.asarray(function(x))
        if y.shape != x.shape:
            raise ConfigError(
                f"activation {name}: expected a result of shape {x.shape}, received {y.shape}"
            )
        out[...] = y

    def gradient(dy: Array, x: Array, out: Array) -> None:
        out[...] = load("nn.differentiate").of_arguments(function, x)[1](dy)

    return Activation(name, forward, gradient, from_output=False)
