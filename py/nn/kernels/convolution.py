"""2D convolution and its gradients."""

from __future__ import annotations

import numpy as np

from nn.kernels import library, reference
from nn.kernels.elementwise import FUSED, activate
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
    name = g.forward
    getattr(lib, name)(
        g.address, address(x), address(w), optional(bias), address(out), code,
        g.scratch(lib, name),
    )  # fmt: skip


def pack_conv2d(
    w: Array,
    bias: Array | None = None,
    *,
    scale: Array | None = None,
    strides: Pair = (1, 1),
    dilation: Pair = (1, 1),
    groups: int = 1,
    out: Array | None = None,
) -> Array:
    """Return weights and bias (f,) as `conv2d_packed` reads them, in one array of one axis.

    Args:
        w: (kh, kw, c / groups, f).
        bias: added to the results.
        scale: (f,), a factor of each filter.
        strides: those of the convolution.
        dilation: likewise.
        groups: likewise.
        out: what an earlier call for these sizes returned.

    Raises:
        ValueError: the shapes do not match.
    """
    kh, kw, inputs, filters = w.shape
    window = (1, (kh - 1) * dilation[0] + 1, (kw - 1) * dilation[1] + 1, inputs * groups)
    g = geometry(window, w.shape, strides, NO_PADDING, dilation, groups)
    expect_shape(bias, (filters,), "bias")
    expect_shape(scale, (filters,), "scale")
    lib = library.compiled((w, bias, scale, out), (out,))
    if lib is None:
        return reference.pack_conv2d(w, bias, scale=scale, out=out)
    name = "depthwise" if g.depthwise else "convolution"
    size = getattr(lib, f"{name}_packed_size")(g.address)
    expect_shape(out, (size,), "out")
    out = np.empty(size, F4) if out is None else out
    w, bias, scale = (None if v is None else contiguous(v) for v in (w, bias, scale))  # type: ignore[assignment]
    getattr(lib, f"{name}_pack")(
        g.address, address(w), optional(scale), optional(bias), address(out)
    )
    return out


def conv2d_packed(
    x: Array,
    packed: Array,
    kernel_shape: Shape,
    *,
    strides: Pair = (1, 1),
    padding: Padding = NO_PADDING,
    dilation: Pair = (1, 1),
    groups: int = 1,
    activation: str | None = None,
    residual: Array | None = None,
    out: Array | None = None,
) -> Array:
    """Return activation(convolution + bias + residual) of weights that `pack_conv2d` packed.

    Args:
        x: (n, h, w, c).
        packed: packed by the same backend as runs now, for the same strides, dilation and groups.
        kernel_shape: (kh, kw, c / groups, f).
        strides: as for `conv2d`.
        padding: likewise.
        dilation: likewise.
        groups: likewise; no residual where each channel is a group of its own.
        activation: one that `FUSED` lists.
        residual: of the output's shape.
        out: array for the result.

    Raises:
        ValueError: the shapes do not match.
    """
    g = geometry(x.shape, kernel_shape, strides, padding, dilation, groups)
    expect_shape(out, g.output, "out")
    expect_shape(residual, g.output, "residual")
    if not x.size:
        return np.empty(g.output, x.dtype) if out is None else out
    lib = library.compiled((x, packed, residual))
    if lib is None:
        return reference.conv2d_packed(
            x, packed, kernel_shape, strides=strides, padding=padding, dilation=dilation,
            groups=groups, activation=activation, residual=residual, out=out,
        )  # fmt: skip
    if g.depthwise and residual is not None:
        raise ValueError("expected no residual of a depthwise convolution, received one")
    usable = out is not None and out.dtype == F4 and out.flags.c_contiguous and out.flags.writeable
    y = out if out is not None and usable else np.empty(g.output, F4)
    x, name = contiguous(x), f"{g.forward}_packed"
    residual = None if residual is None else contiguous(residual)
    given: list[int | None] = [g.address, address(x), address(packed)]
    if not g.depthwise:
        given.append(optional(residual))
    getattr(lib, name)(*given, address(y), FUSED[activation], g.scratch(lib, name))
    if out is None or usable:
        return y
    lib.refuse()
    out[...] = y
    return out


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

    At stride 1 it is a convolution of dy with the rotated kernel, otherwise columns are added, or,
    where each channel has a filter, what each tap gives.

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
        g.expect_columns()
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
