"""Convolution of volumes, as a sum of convolutions of images: one for each depth of the kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nn import kernels
from nn.layers import padding as pads
from nn.layers.convolution import Conv2D
from nn.layers.transposed import Conv2DTranspose
from nn.types import Array


def conv3d(
    x: Array,
    w: Array,
    bias: Array | None = None,
    *,
    strides: Sequence[int],
    padding: Any,
    dilation: Sequence[int],
    groups: int = 1,
    activation: str | None = None,
    out: Array | None = None,
) -> Array:
    """Convolve volumes (n, d, h, w, c) with a kernel (kd, kh, kw, c / groups, filters)."""
    reach = (len(w) - 1) * dilation[0] + 1
    depth = (x.shape[1] + sum(padding[0]) - reach) // strides[0] + 1
    padded = pads.padded(x, ((0, 0), padding[0], (0, 0), (0, 0), (0, 0)))
    flat = _flat(strides, padding, dilation, groups)
    parts = [
        kernels.conv2d(images, w[k], **flat)
        for k, images in _depths(padded, len(w), depth, strides[0], dilation[0])
    ]
    z = np.add.reduce(parts)
    z = z if bias is None else z + bias
    shape = (len(x), depth, *z.shape[1:])
    y = np.empty(shape, z.dtype) if out is None else out
    y[...] = z.reshape(shape)
    return y if activation is None else kernels.activate(y, activation, y)


def conv3d_weight_gradient(
    x: Array,
    dy: Array,
    kernel_shape: Sequence[int],
    *,
    out: Array,
    bias_out: Array | None = None,
    strides: Sequence[int],
    padding: Any,
    dilation: Sequence[int],
    groups: int = 1,
) -> Array:
    """Return the gradient of the kernel; that of the bias goes to `bias_out`."""
    padded = pads.padded(x, ((0, 0), padding[0], (0, 0), (0, 0), (0, 0)))
    flat = _flat(strides, padding, dilation, groups)
    images = np.ascontiguousarray(dy).reshape(-1, *dy.shape[2:])
    size: Any = tuple(kernel_shape[1:])
    for k, part in _depths(padded, kernel_shape[0], dy.shape[1], strides[0], dilation[0]):
        kernels.conv2d_weight_gradient(part, images, size, out=out[k], **flat)
    if bias_out is not None:
        kernels.column_sums(dy.reshape(-1, dy.shape[-1]), bias_out)
    return out


def conv3d_input_gradient(
    dy: Array,
    w: Array,
    shape: Sequence[int],
    *,
    out: Array,
    strides: Sequence[int],
    padding: Any,
    dilation: Sequence[int],
    groups: int = 1,
) -> Array:
    """Return the gradient of the volumes, of `shape`."""
    before, after = padding[0]
    flat = _flat(strides, padding, dilation, groups)
    images = np.ascontiguousarray(dy).reshape(-1, *dy.shape[2:])
    padded = np.zeros((shape[0], before + shape[1] + after, *shape[2:]), dy.dtype)
    size: Any = (len(images), *shape[2:])
    for k in range(len(w)):
        part = kernels.conv2d_input_gradient(images, w[k], size, **flat)
        place = _place(k, dy.shape[1], strides[0], dilation[0])
        padded[:, place] += part.reshape(*dy.shape[:2], *shape[2:])
    out[...] = padded[:, before : before + shape[1]]
    return out


def _flat(strides: Any, padding: Any, dilation: Any, groups: int) -> dict[str, Any]:
    """Return the geometry of the images, without the depth."""
    options = {"strides": strides[1:], "padding": padding[1:], "dilation": dilation[1:]}
    return options | ({"groups": groups} if groups > 1 else {})


def _place(k: int, depth: int, stride: int, dilation: int) -> slice:
    """Return the depths of the input that depth `k` of the kernel reads."""
    return slice(k * dilation, k * dilation + (depth - 1) * stride + 1, stride)


def _depths(
    padded: Array, size: int, depth: int, stride: int, dilation: int
) -> Iterator[tuple[int, Array]]:
    """Yield each depth of the kernel with the images that it reads, (n * depth, h, w, c)."""
    for k in range(size):
        part = padded[:, _place(k, depth, stride, dilation)]
        yield k, np.ascontiguousarray(part).reshape(-1, *padded.shape[2:])


class Conv3D(Conv2D):
    """3D convolution: (n, d, h, w, c) -> (n, od, oh, ow, filters).

    Kernel (kd, kh, kw, c / groups, filters), bias (filters,), as `keras.layers.Conv3D`.
    """

    rank = 3
    convolve = staticmethod(conv3d)
    weight_gradient = staticmethod(conv3d_weight_gradient)
    input_gradient = staticmethod(conv3d_input_gradient)


class Conv3DTranspose(Conv2DTranspose):
    """Transposed 3D convolution: (n, d, h, w, c) -> (n, od, oh, ow, filters).

    Kernel (kd, kh, kw, filters, c); sizes as those of `Conv2DTranspose`.
    """

    rank = 3
    convolve = staticmethod(conv3d)
    weight_gradient = staticmethod(conv3d_weight_gradient)
    input_gradient = staticmethod(conv3d_input_gradient)

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        output_padding: Any = None,
        dilation_rate: Any = 1,
        **options: Any,
    ) -> None:
        super().__init__(
            filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate,
            **options,
        )  # fmt: skip
