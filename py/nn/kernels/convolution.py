"""2D convolution and its gradients."""

from __future__ import annotations

import numpy as np

from nn.kernels import library, reference
from nn.kernels.dense import FUSED
from nn.kernels.elementwise import activate
from nn.kernels.geometry import Geometry, expect_shape, geometry
from nn.kernels.library import F4, Library, address, contiguous, optional
from nn.kernels.normalization import column_sums
from nn.kernels.reference import NO_PADDING, Array, Padding, Pair

Shape = tuple[int, ...]


def conv2d(
    x: Array,
    w: Array,
    bias: Array | None = None,
    *,
    strides: Pair = (1, 1),
    padding: Padding = NO_PADDING,
    dilation: Pair = (1, 1),
    groups: int = 1,
    activation: str | None = None,
    out: Array | None = None,
) -> Array:
    """Return the convolution: (n, h, w, c), (kh, kw, c / groups, f) -> (n, oh, ow, f).

    Raises:
        ValueError: the shapes do not match.
    """
    g = geometry(x.shape, w.shape, strides, padding, dilation, groups)
    expect_shape(out, g.output, "out")
    expect_shape(bias, g.output[3:], "bias")
    lib = library.compiled((x, w, bias, out), (out,))
    if lib is None:
        return reference.conv2d(
            x, w, bias, strides=strides, padding=padding, dilation=dilation, groups=groups,
            activation=activation, out=out,
        )  # fmt: skip
    out = np.empty(g.output, F4) if out is None else out
    _convolve(lib, g, x, w, bias, FUSED.get(activation, 0), out)
    return out if activation in FUSED else activate(out, str(activation), out)


def _convolve(
    lib: Library, g: Geometry, x: Array, w: Array, bias: Array | None, code: int, out: Array
) -> None:
    x, w = contiguous(x), contiguous(w)
    bias = None if bias is None else contiguous(bias)
    name = "winograd" if g.winograd else "convolution"
    getattr(lib, name)(
        g.address, address(x), address(w), optional(bias), address(out), code,
        g.scratch(lib, name),
    )  # fmt: skip


def conv2d_weight_gradient(
    x: Array,
    dy: Array,
    kernel_shape: Shape,
    *,
    strides: Pair = (1, 1),
    padding: Padding = NO_PADDING,
    dilation: Pair = (1, 1),
    groups: int = 1,
    out: Array | None = None,
    bias_out: Array | None = None,
) -> Array:
    """Return the gradient of the kernel (`kernel_shape`); that of the bias goes to `bias_out` (f,).

    Raises:
        ValueError: the shapes do not match.
    """
    g = geometry(x.shape, kernel_shape, strides, padding, dilation, groups)
    expect_shape(dy, g.output, "dy")
    expect_shape(out, kernel_shape, "out")
    expect_shape(bias_out, g.output[3:], "bias_out")
    lib = library.compiled((x, dy, out, bias_out), (out, bias_out))
    if lib is None:
        return reference.conv2d_weight_gradient(
            x, dy, kernel_shape, strides=strides, padding=padding, dilation=dilation,
            groups=groups, out=out, bias_out=bias_out,
        )  # fmt: skip
    out = np.empty(kernel_shape, F4) if out is None else out
    x, dy = contiguous(x), contiguous(dy)
    if g.winograd:
        lib.winograd_gradient(
            g.address, address(x), address(dy), address(out), g.scratch(lib, "winograd_gradient")
        )
        if bias_out is not None:
            column_sums(dy.reshape(-1, dy.shape[3]), bias_out)
        return out
    lib.weight_gradient(
        g.address, address(x), address(dy), address(out), optional(bias_out),
        g.scratch(lib, "weight_gradient"),
    )  # fmt: skip
    return out


def conv2d_input_gradient(
    dy: Array,
    w: Array,
    input_shape: Shape,
    *,
    strides: Pair = (1, 1),
    padding: Padding = NO_PADDING,
    dilation: Pair = (1, 1),
    groups: int = 1,
    out: Array | None = None,
) -> Array:
    """Return the gradient of the images.

    At stride 1 it is a convolution of dy with the rotated kernel, otherwise columns are added.

    Raises:
        ValueError: the shapes do not match.
    """
    g = geometry(input_shape, w.shape, strides, padding, dilation, groups)
    expect_shape(dy, g.output, "dy")
    expect_shape(out, input_shape, "out")
    lib = library.compiled((dy, w, out), (out,))
    if lib is None:
        return reference.conv2d_input_gradient(
            dy, w, input_shape, strides=strides, padding=padding, dilation=dilation,
            groups=groups, out=out,
        )  # fmt: skip
    out = np.empty(input_shape, F4) if out is None else out
    dy, w = contiguous(dy), contiguous(w)
    reach = (w.shape[0] - 1) * dilation[0], (w.shape[1] - 1) * dilation[1]
    if strides != (1, 1) or any(max(p) > r for p, r in zip(padding, reach, strict=True)):
        lib.input_gradient(
            g.address, address(dy), address(w), address(out), g.scratch(lib, "input_gradient")
        )
        return out
    kh, kw, inputs, filters = w.shape
    turned = np.empty((kh, kw, filters // groups, inputs * groups), F4)
    lib.turn_weights(g.address, address(w), address(turned))
    (top, bottom), (left, right) = padding
    around = (reach[0] - top, reach[0] - bottom), (reach[1] - left, reach[1] - right)
    back = geometry(dy.shape, turned.shape, (1, 1), around, dilation, groups)
    _convolve(lib, back, dy, turned, None, 0, out)
    return out
