"""Transposed convolution of images, and of sequences as images of height 1."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from nn import activations, kernels
from nn.context import Context
from nn.errors import ConfigError, ShapeError
from nn.layers import padding as pads
from nn.layers.base import positive, sizes
from nn.layers.core import activate, activate_backward, kernels_apply
from nn.layers.data_format import Spatial
from nn.types import Array, Shape


class Conv2DTranspose(Spatial):
    """Transposed convolution (Zeiler et al. 2010): (n, h, w, c) -> (n, oh, ow, filters).

    Kernel (kh, kw, filters, c). oh is h * stride with "same", and (h - 1) * stride +
    max(kernel, stride) with "valid"; with `output_padding` it is (h - 1) * stride + kernel % 2 +
    output_padding with "same", (h - 1) * stride + kernel + output_padding with "valid".
    """

    fields: tuple[str, ...] = (
        "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate",
        "activation", "use_bias", "kernel_initializer", "bias_initializer", "kernel_regularizer",
        "bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint",
        "output_padding",
    )  # fmt: skip
    convolve: ClassVar[Any] = staticmethod(kernels.conv2d)
    weight_gradient: ClassVar[Any] = staticmethod(kernels.conv2d_weight_gradient)
    input_gradient: ClassVar[Any] = staticmethod(kernels.conv2d_input_gradient)

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(data_format, activity_regularizer=activity_regularizer, **options)
        self.filters = positive(filters, "filters", self.name)
        self.kernel_size = sizes(kernel_size, self.rank, "kernel_size", self.name)
        self.strides = sizes(strides, self.rank, "strides", self.name)
        self.padding = pads.check(padding, self.name)
        self.dilation_rate = sizes(dilation_rate, self.rank, "dilation_rate", self.name)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.set_options("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self.set_options("bias", bias_initializer, bias_regularizer, bias_constraint)
        self.output_padding = self._extra(output_padding)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ConfigError(f"{self.name}: strides and dilation_rate can't both be above 1")

    @property
    def last_activation(self) -> str | None:
        return None if self.channels_first else self.activation.name

    def _extra(self, value: Any) -> tuple[int, ...] | None:
        if value is None:
            return None
        each = (value,) * self.rank if isinstance(value, int) else tuple(value)
        pairs = zip(each, self.strides, strict=False)
        if len(each) != self.rank or not all(0 <= extra < stride for extra, stride in pairs):
            raise ConfigError(
                f"{self.name}: output_padding must be at least 0 and below strides "
                f"{self.strides}, received {value}"
            )
        return tuple(map(int, each))

    def build(self, *input_shapes: Shape) -> None:
        self.expect_axes(input_shapes[0])
        channels = self.seen_shape(input_shapes[0])[-1]
        if channels is None:
            raise ShapeError(f"{self.name}: channels must be known, received {input_shapes[0]}")
        ends = (self.filters, channels)
        self.kernel_shape = (*self.lifted(self.kernel_size), *ends)
        self.kernel = self.add_named("kernel", (*self.kernel_size, *ends))
        self.bias = self.add_named("bias", (self.filters,)) if self.use_bias else None
        self._ones = np.ones(self.filters, self.dtype)

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        return self.shown_shape(self.output_shape(self.seen_shape(input_shapes[0])))

    def output_shape(self, shape: Shape) -> Shape:
        """Return the output's shape for an input shape, both channels last."""
        n, *sizes, _ = shape
        return (n, *(self._size(s, i) for i, s in enumerate(sizes)), self.filters)

    def _reach(self, axis: int) -> int:
        size, dilation = self.lifted(self.kernel_size)[axis], self.lifted(self.dilation_rate)[axis]
        return (size - 1) * dilation + 1

    def _size(self, size: int | None, axis: int) -> int | None:
        if size is None:
            return None
        cut, extra = self.edges(axis)
        return (size - 1) * self.lifted(self.strides)[axis] + self._reach(axis) - cut + extra

    def edges(self, axis: int) -> tuple[int, int]:
        """Return the amounts cut from the full result before and after (negative: added).

        The amounts are those that Keras passes to JAX; the axes are those of `seen(x)`.
        """
        reach, stride = self._reach(axis), self.lifted(self.strides)[axis]
        extra = None if self.output_padding is None else self.lifted(self.output_padding, 0)[axis]
        if self.padding == "valid":
            return 0, max(stride - reach, 0) if extra is None else extra
        total = stride + reach - 2 if extra is None else reach + reach % 2 - 2 + extra
        before = min(total // 2 + total % 2, reach - 1)
        return reach - 1 - before, total - before - (reach - 1)

    def _options(self) -> dict[str, Any]:
        strides = self.lifted(self.strides)
        edges = [self.edges(axis) for axis in range(len(strides))]
        return {
            "strides": strides,
            "padding": tuple((cut, max(-extra, 0)) for cut, extra in edges),
            "dilation": self.lifted(self.dilation_rate),
        }

    def only_kernels(self, ctx: Context) -> bool:
        plain = self.rank == 2 and not self.channels_first
        return plain and kernels_apply(self.activation, ctx)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        x = self.seen(inputs[0])
        shape: Any = self.output_shape(x.shape)
        kernel = self.kernel.value.reshape(self.kernel_shape)
        z = self.input_gradient(x, kernel, shape, out=ctx.buffer("z", shape), **self._options())
        function, fused = self.activation, None
        if self.bias:
            fused = function.name if function.fused else None
            rows = z.reshape(-1, self.filters)
            kernels.column_affine(rows, self._ones, self.bias.value, rows, activation=fused)
        y = activate(function, ctx, z) if fused is None else z
        ctx.saved = x, y if function.from_output else z
        return self.shown(y)

    def backward(self, ctx: Context, dy: Any) -> Any:
        x, v = ctx.saved
        dz = activate_backward(self.activation, ctx, self.seen(dy), v)
        options = self._options()
        if ctx.trains(self.kernel):
            out = ctx.gradient(self.kernel, overwrite=True).reshape(self.kernel_shape)
            self.weight_gradient(dz, x, self.kernel_shape, out=out, **options)
        if self.bias and ctx.trains(self.bias):
            rows = dz.reshape(-1, self.filters)
            kernels.column_sums(rows, ctx.gradient(self.bias, overwrite=True))
        if not ctx.needs_input_gradient:
            return None
        kernel = self.kernel.value.reshape(self.kernel_shape)
        dx = self.convolve(dz, kernel, out=ctx.buffer("dx", x.shape), **options)
        return self.shown(dx)


class Conv1DTranspose(Conv2DTranspose):
    """Transposed convolution: (n, steps, c) -> (n, new steps, filters).

    Kernel (k, filters, c); steps as the height of `Conv2DTranspose`.
    """

    rank = 1
