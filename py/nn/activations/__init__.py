"""Activation functions and their gradients, named and defined as in Keras 3 (`keras.activations`).

An `Activation` is a pair of functions on arrays. `from_output` says whether the gradient is
computed from the function's result (relu, tanh, ...) or from its argument (gelu, silu, ...);
a layer keeps only the one it needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nn import kernels
from nn.errors import ConfigError
from nn.identifiers import CUSTOM
from nn.keras_arguments import Explained
from nn.kernels.elementwise import OF_INPUT
from nn.lazy import load
from nn.types import Array

__all__ = [
    "Activation",
    "get",
    "serialize",
]

Forward = Callable[[Array, Array], object]
Gradient = Callable[[Array, Array, Array], object]


class Activation:
    """An activation function and its gradient.

    Attributes:
        name: Keras' name.
        forward: `forward(x, out)` writes f(x); `out` may be `x` if `from_output`.
        gradient: `gradient(dy, v, out)` writes dy * f'; v is f(x) if `from_output`, else x.
        from_output: whether the gradient is computed from the function's result.
        fused: whether the matrix and convolution kernels can apply it where a gradient will be
            needed: its gradient is computed from its result.
        kernel: whether both functions are one kernel call and nothing else.
        increasing: whether it never decreases, and its slope is 0 where it does not increase.
        formulas: both functions in NumPy alone.
        family: returns the activation with other options, which Keras' function of the name has.
    """

    def __init__(
        self,
        name: str,
        forward: Forward,
        gradient: Gradient,
        *,
        from_output: bool = True,
        fused: bool = False,
        increasing: bool = False,
        twins: tuple[Forward, Gradient] | None = None,
        family: Callable[..., Activation] | None = None,
    ) -> None:
        self.name = name
        self.family = family
        self.forward = forward
        self.gradient = gradient
        self.from_output = from_output
        self.fused = fused
        self.increasing = increasing
        self.kernel = twins is not None
        self.formulas = twins or (forward, gradient)

    def __call__(self, x: Any, *args: Any, **options: Any) -> Any:
        """Return f(x) in a new array, or a symbolic tensor of it; options are Keras'.

        Raises:
            ConfigError: an option is none that the function can compute with.
            DataError: `x` is no array of numbers.
            TypeError: the function has no such options.
        """
        if args or options:
            if self.family is None:
                raise TypeError(f"{self.name}: expected no options, received {args or options}")
            with Explained(self.name, args, options):
                return self.family(*args, **options)(x)
        if hasattr(x, "node"):
            return load("nn.layers").Activation(self)(x)
        if hasattr(x, "through"):  # a function that calls this one is being differentiated
            return self._through(x)
        x = load("nn.data.numeric").numeric(x, self.name)
        out = np.empty(x.shape, x.dtype if x.dtype.kind == "f" else np.float32)
        if x.size:
            self.forward(x.astype(out.dtype, copy=False), out)
        return out

    def _through(self, x: Any) -> Any:
        value = x.value
        y = self(value)

        def gradient(dy: Array) -> Array:
            dx = np.empty_like(value)
            self.gradient(np.asarray(dy, value.dtype), y if self.from_output else value, dx)
            return dx

        return x.through(lambda _: y, gradient)

    def __repr__(self) -> str:
        return f"<Activation {self.name}>"


def of_kernel(
    name: str,
    family: Callable[..., Activation] | None = None,
    kernel: str = "",
    *,
    increasing: bool = True,
    fused: bool = False,
    a: float = 0.0,
    b: float = 0.0,
) -> Activation:
    """Return an activation that a kernel computes, by default the one of its name; `a` and `b` as
    `kernels.activate` takes them."""
    kernel = kernel or name
    from_output = kernel not in OF_INPUT

    def forward(x: Array, out: Array) -> None:
        kernels.activate(x, kernel, out, a, b)

    def gradient(dy: Array, v: Array, out: Array) -> None:
        kernels.activation_gradient(dy, v, kernel, out, a, b)

    twins = (
        lambda x, out: kernels.reference.activate(x, kernel, out, a, b),
        lambda dy, v, out: kernels.reference.activation_gradient(dy, v, kernel, out, a, b),
    )
    return Activation(
        name,
        forward,
        gradient,
        from_output=from_output,
        fused=fused,
        increasing=increasing and from_output,
        twins=twins,
        family=family,
    )


def _linear(x: Array, out: Array) -> None:
    if out is not x:
        out[...] = x


def _linear_gradient(dy: Array, y: Array, out: Array) -> None:
    out[...] = dy


def _softmax(x: Array, out: Array) -> None:
    kernels.softmax(x, out)


def _softmax_gradient(dy: Array, y: Array, out: Array) -> None:
    kernels.softmax_gradient(dy, y, out)


def _log_softmax(x: Array, out: Array) -> None:
    np.subtract(x, x.max(axis=-1, keepdims=True), out=out)
    out -= np.log(np.exp(out).sum(axis=-1, keepdims=True))


def _log_softmax_gradient(dy: Array, y: Array, out: Array) -> None:
    out[...] = dy - np.exp(y) * dy.sum(axis=-1, keepdims=True)


def leaky_relu_with(negative_slope: float = 0.2) -> Activation:
    """Return leaky relu, f(x) = x above zero and negative_slope * x below."""
    rises = negative_slope >= 0
    return of_kernel("leaky_relu", leaky_relu_with, increasing=rises, a=negative_slope)


def elu_with(alpha: float = 1.0) -> Activation:
    """Return elu, f(x) = x above zero and alpha * (exp(x) - 1) below (Clevert et al. 2015)."""
    return of_kernel("elu", elu_with, increasing=alpha >= 0, a=alpha, b=1.0)


def relu_with(
    negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Activation:
    """Return Keras' general relu: f(x) = x between `threshold` and `max_value`."""
    if not negative_slope and not threshold and max_value in (None, 6):
        return RELU if max_value is None else RELU6

    def forward(x: Array, out: Array) -> None:
        y = np.where(x > threshold, x, negative_slope * (x - threshold))
        out[...] = y if max_value is None else np.minimum(y, max_value)

    def gradient(dy: Array, x: Array, out: Array) -> None:
        slope = np.where(x > threshold, 1.0, negative_slope)
        if max_value is not None:
            slope = np.where(x >= max_value, 0.0, slope)
        out[...] = dy * slope

    return Activation("relu", forward, gradient, from_output=False)


def along(name: str, axis: int) -> Activation:
    """Return an activation of the last axis, such as softmax, for another axis."""
    function = get(name)

    def forward(x: Array, out: Array) -> None:
        out[...] = np.moveaxis(function(np.moveaxis(x, axis, -1)), -1, axis)

    def gradient(dy: Array, v: Array, out: Array) -> None:
        moved = np.empty_like(np.moveaxis(v, axis, -1))
        function.gradient(np.moveaxis(dy, axis, -1), np.moveaxis(v, axis, -1), moved)
        out[...] = np.moveaxis(moved, -1, axis)

    return Activation(name, forward, gradient, from_output=function.from_output)


def _softsign(x: Array, out: Array) -> None:
    out[...] = x / (1 + np.abs(x))


def _softsign_gradient(dy: Array, x: Array, out: Array) -> None:
    out[...] = dy / np.square(1 + np.abs(x))


def _gelu_family(approximate: bool = False) -> Activation:
    return load("nn.activations.further").APPROXIMATE_GELU if approximate else get("gelu")


def _exponential(x: Array, out: Array) -> None:
    np.exp(x, out=out)


def _exponential_gradient(dy: Array, y: Array, out: Array) -> None:
    np.multiply(dy, y, out=out)


def _keras2_hard_sigmoid(x: Array, out: Array) -> None:
    """0.2 x + 0.5 between 0 and 1, as in Keras 2 and TensorFlow.js, whose files mean this one."""
    out[...] = np.clip(0.2 * x + 0.5, 0, 1)


def _keras2_hard_sigmoid_gradient(dy: Array, x: Array, out: Array) -> None:
    out[...] = dy * (np.abs(x) < 2.5) * x.dtype.type(0.2)


# Klambauer et al. 2017.
_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805

LINEAR = Activation("linear", _linear, _linear_gradient, increasing=True)
RELU = of_kernel("relu", relu_with, fused=True)
RELU6 = of_kernel("relu6", fused=True)
SIGMOID = of_kernel("sigmoid")
TANH = of_kernel("tanh")
SOFTMAX = Activation(
    "softmax", _softmax, _softmax_gradient, family=lambda axis=-1: along("softmax", axis)
)

ACTIVATIONS: dict[str, Activation] = {
    a.name: a
    for a in (
        LINEAR,
        RELU,
        SIGMOID,
        TANH,
        SOFTMAX,
        Activation(
            "log_softmax",
            _log_softmax,
            _log_softmax_gradient,
            family=lambda axis=-1: along("log_softmax", axis),
        ),
        leaky_relu_with(),
        elu_with(),
        of_kernel("selu", a=_SELU_SCALE * _SELU_ALPHA, b=_SELU_SCALE),
        of_kernel("softplus", a=1.0, b=1.0),
        Activation("softsign", _softsign, _softsign_gradient, from_output=False),
        of_kernel("silu"),
        of_kernel("gelu", _gelu_family),
        Activation("exponential", _exponential, _exponential_gradient),
        of_kernel("hard_sigmoid", fused=True),
        Activation(
            "keras2_hard_sigmoid",
            _keras2_hard_sigmoid,
            _keras2_hard_sigmoid_gradient,
            from_output=False,
        ),
        of_kernel("hard_silu"),
        RELU6,
    )
}
_ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}

FURTHER = (
    "celu", "hard_shrink", "hard_tanh", "log_sigmoid", "mish", "soft_shrink",
    "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "tanh_shrink",
)  # fmt: skip
"""Names of activations in `nn.activations.further`, which is imported when one of them is named."""

FUNCTIONS = ("glu", "threshold")
"""Functions there that no layer applies: they have an option without default, or another shape."""


def names() -> list[str]:
    """Return the names of all activations that a layer can apply."""
    return sorted([*ACTIVATIONS, *FURTHER])


def get(identifier: Any) -> Activation:
    """Return the activation for a name, an activation, or a function of NumPy's; None means linear.

    Raises:
        ConfigError: the name is unknown.
    """
    if isinstance(identifier, str):
        identifier = CUSTOM.get(identifier, identifier)
    if identifier is None:
        return LINEAR
    if isinstance(identifier, Activation):
        return identifier
    if isinstance(identifier, str):
        name = _ALIASES.get(identifier, identifier)
        if name in FURTHER:
            found: Activation = getattr(load("nn.activations.further"), name)
            return found
        if name in ACTIVATIONS:
            return ACTIVATIONS[name]
    elif callable(identifier) and not isinstance(identifier, type):
        return load("nn.activations.further").of_function(identifier)  # type: ignore[no-any-return]
    raise ConfigError(f"activation: expected one of {names()}, received {identifier!r}")


deserialize = get


def serialize(activation: Activation) -> str:
    """Return the activation's name."""
    return get(activation).name


def __getattr__(name: str) -> Any:
    """Return an activation by its name, as `nn.activations.relu`."""
    if name in FUNCTIONS:
        return getattr(load("nn.activations.further"), name)
    if name in ACTIVATIONS or name in FURTHER or name in _ALIASES:
        return get(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *names(), *FUNCTIONS, *_ALIASES})
