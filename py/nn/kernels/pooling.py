"""Pooling: the maximum, alone or fused with the convolution before it, and means."""

from __future__ import annotations

import numpy as np

from nn.kernels import library, reference
from nn.kernels.geometry import expect_shape, geometry
from nn.kernels.library import F4, address, contiguous, optional
from nn.kernels.reference import NO_PADDING, Array, Padding, Pair

Shape = tuple[int, ...]
U1 = np.dtype(np.uint8)
POOLED = {None: 0, "linear": 0, "relu": 1}


def max_pool2d(
    x: Array,
    pool_size: Pair,
    *,
    strides: Pair,
    padding: Padding = NO_PADDING,
    out: Array | None = None,
    argmax: Array | None = None,
) -> tuple[Array, Array]:
    """Return each window's maximum and the index (row-major, uint8) of its first occurrence.

    Raises:
        ValueError: shapes do not match, or a window has more than 256 elements.
    """
    _check_window(pool_size)
    g = geometry(x.shape, (*pool_size, x.shape[3], x.shape[3]), strides, padding)
    expect_shape(out, g.output, "out")
    expect_shape(argmax, g.output, "argmax")
    lib = library.compiled((x, out), (out, argmax))
    if lib is None:
        return reference.max_pool2d(
            x, pool_size, strides=strides, padding=padding, out=out, argmax=argmax
        )
    out = np.empty(g.output, F4) if out is None else out
    argmax = np.empty(g.output, U1) if argmax is None else argmax
    x = contiguous(x)
    lib.max_pool(g.address, address(x), address(out), address(argmax))
    return out, argmax


def max_pool2d_gradient(
    dy: Array,
    argmax: Array,
    input_shape: Shape,
    pool_size: Pair,
    *,
    strides: Pair,
    padding: Padding = NO_PADDING,
    out: Array | None = None,
    relu_output: Array | None = None,
) -> Array:
    """Assign each gradient to its window's maximum; `relu_output` masks by the pooled relu.

    Raises:
        ValueError: shapes do not match, or a window has more than 256 elements.
    """
    _check_window(pool_size)
    channels = input_shape[3]
    g = geometry(input_shape, (*pool_size, channels, channels), strides, padding)
    expect_shape(dy, g.output, "dy")
    expect_shape(argmax, g.output, "argmax")
    expect_shape(relu_output, g.output, "relu_output")
    expect_shape(out, input_shape, "out")
    lib = library.compiled((dy, relu_output, out), (out,))
    if lib is None:
        return reference.max_pool2d_gradient(
            dy, argmax, input_shape, pool_size, strides=strides, padding=padding, out=out,
            relu_output=relu_output,
        )  # fmt: skip
    out = np.empty(input_shape, F4) if out is None else out
    dy, argmax = contiguous(dy), contiguous(argmax)
    relu = None if relu_output is None else contiguous(relu_output)
    lib.max_pool_gradient(g.address, address(dy), address(argmax), optional(relu), address(out))
    return out


def _check_window(size: Pair) -> None:
    if not 0 < size[0] * size[1] <= 256:
        raise ValueError(f"expected a window of 1 to 256 elements, received {size}")


def average_pool2d(
    x: Array,
    pool_size: Pair,
    *,
    strides: Pair,
    padding: Padding = NO_PADDING,
    summed: bool = False,
    out: Array | None = None,
) -> Array:
    """Return the mean of each window's elements that are not padding, or their sum.

    Every window must have one: each amount of padding must be smaller than the window.

    Raises:
        ValueError: shapes do not match.
    """
    g = geometry(x.shape, (*pool_size, x.shape[3], x.shape[3]), strides, padding)
    expect_shape(out, g.output, "out")
    lib = library.compiled((x, out), (out,))
    if lib is None:
        return reference.average_pool2d(
            x, pool_size, strides=strides, padding=padding, summed=summed, out=out
        )
    out = np.empty(g.output, F4) if out is None else out
    x = contiguous(x)
    lib.average_pool(g.address, address(x), address(out), summed)
    return out


def average_pool2d_gradient(
    dy: Array,
    input_shape: Shape,
    pool_size: Pair,
    *,
    strides: Pair,
    padding: Padding = NO_PADDING,
    summed: bool = False,
    out: Array | None = None,
) -> Array:
    """Return the gradient of the images: a share of its windows' gradients to each element, or the
    whole of them where the windows are summed.

    Raises:
        ValueError: shapes do not match.
    """
    channels = input_shape[3]
    g = geometry(input_shape, (*pool_size, channels, channels), strides, padding)
    expect_shape(dy, g.output, "dy")
    expect_shape(out, input_shape, "out")
    lib = library.compiled((dy, out), (out,))
    if lib is None:
        return reference.average_pool2d_gradient(
            dy, input_shape, pool_size, strides=strides, padding=padding, summed=summed, out=out
        )
    out = np.empty(input_shape, F4) if out is None else out
    dy = contiguous(dy)
    lib.average_pool_gradient(g.address, address(dy), address(out), summed)
    return out


def mean_places(x: Array, out: Array | None = None) -> Array:
    """Return the mean over the places: (n, places, channels) -> (n, channels)."""
    n, places, channels = x.shape
    expect_shape(out, (n, channels), "out")
    lib = library.compiled((x, out), (out,))
    if lib is None:
        return reference.mean_places(x, out)
    out = np.empty((n, channels), F4) if out is None else out
    x = contiguous(x)
    lib.mean_places(address(x), address(out), lib.scratch(channels), n, places, channels)
    return out


def mean_places_gradient(dy: Array, places: int, out: Array | None = None) -> Array:
    """Return the gradient of `mean_places`' input: (n, channels) -> (n, places, channels)."""
    n, channels = dy.shape
    expect_shape(out, (n, places, channels), "out")
    lib = library.compiled((dy, out), (out,))
    if lib is None:
        return reference.mean_places_gradient(dy, places, out)
    out = np.empty((n, places, channels), F4) if out is None else out
    dy = contiguous(dy)
    lib.spread_places(address(dy), address(out), n, places, channels)
    return out


def conv2d_max_pool2d(
    x: Array,
    w: Array,
    bias: Array | None = None,
    *,
    strides: Pair = (1, 1),
    padding: Padding = NO_PADDING,
    activation: str | None = None,
    out: Array | None = None,
    argmax: Array | None = None,
) -> tuple[Array, Array]:
    """Return the 2x2 max pooling of a convolution with optional relu: (n, oh // 2, ow // 2, f).

    The full activation is never stored. If relu sets a window to zero, its argmax may be any of its
    elements, as they get no gradient.

    Raises:
        ValueError: shapes do not match, or the activation is not supported.
    """
    g = geometry(x.shape, w.shape, strides, padding)
    pooled = _pooled(g.output)
    _check_activation(activation)
    expect_shape(bias, pooled[3:], "bias")
    expect_shape(out, pooled, "out")
    expect_shape(argmax, pooled, "argmax")
    lib = library.compiled((x, w, bias, out), (out, argmax))
    if lib is None:
        return reference.conv2d_max_pool2d(
            x, w, bias, strides=strides, padding=padding, activation=activation, out=out,
            argmax=argmax,
        )  # fmt: skip
    out = np.empty(pooled, F4) if out is None else out
    argmax = np.empty(pooled, U1) if argmax is None else argmax
    x, w = contiguous(x), contiguous(w)
    bias = None if bias is None else contiguous(bias)
    lib.pooled_convolution(
        g.address, address(x), address(w), optional(bias), address(out), address(argmax),
        POOLED[activation], g.scratch(lib, "pooled_convolution"),
    )  # fmt: skip
    return out, argmax


def conv2d_max_pool2d_gradient(
    x: Array,
    w: Array,
    dy: Array,
    y: Array,
    argmax: Array,
    *,
    strides: Pair = (1, 1),
    padding: Padding = NO_PADDING,
    activation: str | None = None,
    out: Array | None = None,
    bias_out: Array | None = None,
    input_out: Array | None = None,
) -> Array:
    """Return the kernel's gradient, given that of `conv2d_max_pool2d`'s output y.

    The gradients of bias and images go to `bias_out` and `input_out`, if given.

    Raises:
        ValueError: shapes do not match, or the activation is not supported.
    """
    g = geometry(x.shape, w.shape, strides, padding)
    _check_activation(activation)
    for array, name in ((dy, "dy"), (y, "y"), (argmax, "argmax")):
        expect_shape(array, _pooled(g.output), name)
    expect_shape(out, w.shape, "out")
    expect_shape(bias_out, w.shape[3:], "bias_out")
    expect_shape(input_out, x.shape, "input_out")
    lib = library.compiled((x, w, dy, y, out, bias_out, input_out), (out, bias_out, input_out))
    if lib is None:
        return reference.conv2d_max_pool2d_gradient(
            x, w, dy, y, argmax, strides=strides, padding=padding, activation=activation, out=out,
            bias_out=bias_out, input_out=input_out,
        )  # fmt: skip
    out = np.empty(w.shape, F4) if out is None else out
    bias_out = np.empty(w.shape[3:], F4) if bias_out is None else bias_out
    x, w, dy, y, argmax = (contiguous(a) for a in (x, w, dy, y, argmax))
    lib.pooled_gradient(
        g.address, address(x), address(w), address(dy), address(y), address(argmax), address(out),
        address(bias_out), optional(input_out), POOLED[activation],
        g.scratch(lib, "pooled_gradient"),
    )  # fmt: skip
    return out


def _pooled(shape: Shape) -> Shape:
    n, height, width, filters = shape
    return n, height // 2, width // 2, filters


def _check_activation(name: str | None) -> None:
    if name not in POOLED:
        raise ValueError(f"expected activation relu, linear or None, received {name!r}")
