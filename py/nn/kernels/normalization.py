"""Column sums, column-wise affine maps, batch normalization made of them; layer normalization."""

from __future__ import annotations

import numpy as np

from nn.kernels import library, reference
from nn.kernels.elementwise import FUSED
from nn.kernels.geometry import expect_shape
from nn.kernels.library import F4, address, contiguous, optional
from nn.kernels.reference import Array


def column_sums(x: Array, out: Array | None = None) -> Array:
    """Return the sum of the rows of (rows, columns)."""
    expect_shape(out, x.shape[1:], "out")
    lib = library.compiled((x, out), (out,))
    if lib is None:
        return reference.column_sums(x, out)
    out = np.empty(x.shape[1], F4) if out is None else out
    x = contiguous(x)
    lib.column_sums(address(x), address(out), lib.scratch(x.shape[1]), *x.shape)
    return out


def column_moments(x: Array) -> tuple[Array, Array]:
    """Return the mean and the variance (over n, not n - 1) of each column of (rows, columns)."""
    lib = library.compiled((x,))
    if lib is None:
        return reference.column_moments(x)
    x = contiguous(x)
    mean, variance = np.empty(x.shape[1], F4), np.empty(x.shape[1], F4)
    scratch = lib.scratch(5 * x.shape[1])
    lib.column_moments(address(x), address(mean), address(variance), scratch, *x.shape)
    return mean, variance


def column_affine(
    x: Array,
    a: Array,
    b: Array,
    out: Array | None = None,
    *,
    y: Array | None = None,
    e: Array | None = None,
    shown: Array | None = None,
    activation: str | None = None,
) -> Array:
    """Return activation(x a + b) per column, or x a + y e + b; `out` may be `x` or `y`.

    Args:
        x: (rows, columns).
        a: (columns,).
        b: (columns,).
        out: array for the result.
        y: (rows, columns).
        e: (columns,).
        shown: with `y`: the output of the activation (relu or relu6); x is taken as 0 where that is
            at an end of its range.
        activation: one that `FUSED` lists.
    """
    expect_shape(out, x.shape, "out")
    expect_shape(y, x.shape, "y")
    expect_shape(shown, x.shape, "shown")
    for array, name in ((a, "a"), (b, "b"), (e, "e")):
        expect_shape(array, x.shape[1:], name)
    lib = library.compiled((x, a, b, out, y, e, shown), (out,))
    if lib is None:
        return reference.column_affine(x, a, b, out, y=y, e=e, shown=shown, activation=activation)
    out = np.empty(x.shape, F4) if out is None else out
    x, a, b = contiguous(x), contiguous(a), contiguous(b)
    y, e, shown = (None if v is None else contiguous(v) for v in (y, e, shown))
    lib.column_affine(
        address(x), address(a), optional(y), optional(e), address(b), optional(shown), address(out),
        FUSED[activation], *x.shape,
    )  # fmt: skip
    return out


def batch_norm(
    x: Array, mean: Array, variance: Array, gamma: Array, beta: Array, epsilon: float,
    out: Array | None = None, *, activation: str | None = None,
) -> Array:  # fmt: skip
    """Return gamma (x - mean) / sqrt(variance + epsilon) + beta for (rows, columns).

    `activation` is one that `FUSED` lists.
    """
    scale = gamma / np.sqrt(variance + epsilon)
    return column_affine(x, scale, beta - mean * scale, out, activation=activation)


def batch_norm_gradient(
    x: Array, dy: Array, mean: Array, variance: Array, gamma: Array, epsilon: float,
    *, dgamma: Array | None = None, dbeta: Array | None = None, out: Array | None = None,
    shown: Array | None = None, activation: str | None = None,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Return (dx, dgamma, dbeta); mean and variance are those of the columns of x.

    dx = gamma / s (dy - mean(dy) - z mean(dy z)), s = sqrt(variance + epsilon), z = (x - mean) / s.
    `shown` is the result of `batch_norm` with `activation`, relu or relu6, if dy is its gradient.
    """
    deviation = np.sqrt(variance + epsilon)
    sums, products = column_products(x, mean, dy, shown, activation)
    products /= deviation
    a = gamma / deviation
    e = -a * products / deviation / len(x)
    b = -a * sums / len(x) - e * mean
    dx = column_affine(dy, a, b, out, y=x, e=e, shown=shown, activation=activation)
    return dx, _into(dgamma, products), _into(dbeta, sums)


def column_products(
    x: Array, mean: Array, dy: Array, shown: Array | None, activation: str | None
) -> tuple[Array, Array]:
    """Return the sums of dy and of (x - mean) dy of each column."""
    expect_shape(dy, x.shape, "dy")
    lib = library.compiled((x, mean, dy, shown))
    if lib is None:
        return reference.column_products(x, mean, dy, shown, activation)
    x, dy, mean = contiguous(x), contiguous(dy), contiguous(mean)
    shown = None if shown is None else contiguous(shown)
    sums, products = np.empty(x.shape[1], F4), np.empty(x.shape[1], F4)
    lib.column_products(
        address(x), address(mean), address(dy), optional(shown), FUSED[activation],
        address(products), address(sums), lib.scratch(2 * x.shape[1]), *x.shape,
    )  # fmt: skip
    return sums, products


def _into(out: Array | None, value: Array) -> Array:
    if out is None:
        return value
    out[...] = value
    return out


def layer_norm(
    x: Array, gamma: Array | None, beta: Array | None, epsilon: float,
    out: Array | None = None, moments: Array | None = None,
) -> tuple[Array, Array]:  # fmt: skip
    """Return gamma z + beta and the moments, z = (x - mean) / sqrt(variance + epsilon) of each row.

    Args:
        x: (rows, columns).
        gamma: (columns,), or None for 1.
        beta: (columns,), or None for 0.
        epsilon: added to the variance.
        out: array for the result.
        moments: array (rows, 2) for the mean and 1 / sqrt(variance + epsilon) of each row.
    """
    expect_shape(gamma, x.shape[1:], "gamma")
    expect_shape(beta, x.shape[1:], "beta")
    expect_shape(out, x.shape, "out")
    expect_shape(moments, (len(x), 2), "moments")
    lib = library.compiled((x, gamma, beta, out, moments), (out, moments))
    if lib is None:
        return reference.layer_norm(x, gamma, beta, epsilon, out, moments)
    out = np.empty(x.shape, F4) if out is None else out
    moments = np.empty((len(x), 2), F4) if moments is None else moments
    x = contiguous(x)
    gamma, beta = (None if v is None else contiguous(v) for v in (gamma, beta))
    lib.layer_norm(
        address(x), optional(gamma), optional(beta), address(out), address(moments), *x.shape,
        epsilon,
    )  # fmt: skip
    return out, moments


def layer_norm_gradient(
    x: Array, dy: Array, gamma: Array | None, moments: Array, out: Array | None = None,
    *, dgamma: Array | None = None, dbeta: Array | None = None,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Return (dx, dgamma, dbeta) from `x`, `gamma` and the moments of `layer_norm`."""
    expect_shape(dy, x.shape, "dy")
    expect_shape(gamma, x.shape[1:], "gamma")
    expect_shape(moments, (len(x), 2), "moments")
    expect_shape(out, x.shape, "out")
    expect_shape(dgamma, x.shape[1:], "dgamma")
    expect_shape(dbeta, x.shape[1:], "dbeta")
    results = (out, dgamma, dbeta)
    lib = library.compiled((x, dy, gamma, moments, *results), results)
    if lib is None:
        return reference.layer_norm_gradient(x, dy, gamma, moments, *results)
    out = np.empty(x.shape, F4) if out is None else out
    dgamma, dbeta = (np.empty(x.shape[1], F4) if v is None else v for v in (dgamma, dbeta))
    x, dy, moments = contiguous(x), contiguous(dy), contiguous(moments)
    gamma = None if gamma is None else contiguous(gamma)
    lib.layer_norm_gradient(
        address(x), address(dy), optional(gamma), address(moments), address(out), address(dgamma),
        address(dbeta), *x.shape, lib.scratch(2 * x.shape[1]),
    )  # fmt: skip
    return out, dgamma, dbeta
