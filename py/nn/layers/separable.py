"""Convolutions by channel, along one axis, and transposed."""

from __future__ import annotations

from typing import Any

from nn import activations, initializers, kernels
from nn.context import Context
from nn.errors import ConfigError, ShapeError
from nn.layers import padding as pads
from nn.layers.base import Layer, expect_rank, pair, positive
from nn.layers.convolution import Conv2D
from nn.layers.core import activate, activate_backward
from nn.types import Array, Shape


class DepthwiseConv2D(Conv2D):
    """Convolve each channel by itself: (n, h, w, c) -> (n, oh, ow, c * depth_multiplier).

    Kernel (kh, kw, c, depth_multiplier), as `keras.layers.DepthwiseConv2D`: a grouped convolution
    with one group a channel, of which the kernel is a view.
    """

    fields: tuple[str, ...] = (
        "kernel_size", "strides", "padding", "depth_multiplier", "data_format", "dilation_rate",
        "activation", "use_bias", "depthwise_initializer", "bias_initializer",
    )  # fmt: skip

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **options: Any,
    ) -> None:
        super().__init__(
            1, kernel_size, strides, padding, data_format, dilation_rate, 1, activation, use_bias,
            depthwise_initializer, bias_initializer, **options,
        )  # fmt: skip
        self.depth_multiplier = positive(depth_multiplier, "depth_multiplier", self.name)
        self.depthwise_initializer = self.kernel_initializer

    def build(self, *input_shapes: Shape) -> None:
        expect_rank(input_shapes[0], 4, self)
        channels = input_shapes[0][-1]
        if channels is None:
            raise ShapeError(f"{self.name}: channels must be known, received {input_shapes[0]}")
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.groups = channels
        self.filters = channels * self.depth_multiplier
        self.kernel = self.add_weight("kernel", shape, self.depthwise_initializer)
        self.bias = (
            self.add_weight("bias", (self.filters,), self.bias_initializer)
            if self.use_bias
            else None
        )
        self.kernel_shape = (*self.kernel_size, 1, self.filters)
        self._plans = {}


class SeparableConv2D(Layer):
    """A depthwise convolution, then a 1x1 one: (n, h, w, c) -> (n, oh, ow, filters) (Chollet
    2017)."""

    fields: tuple[str, ...] = (
        "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate",
        "depth_multiplier", "activation", "use_bias", "depthwise_initializer",
        "pointwise_initializer", "bias_initializer",
    )  # fmt: skip

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.depthwise = DepthwiseConv2D(
            kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate,
            use_bias=False, depthwise_initializer=depthwise_initializer, dtype=self.dtype,
        )  # fmt: skip
        self.pointwise = Conv2D(
            filters, 1, activation=activation, use_bias=use_bias,
            kernel_initializer=pointwise_initializer, bias_initializer=bias_initializer,
            dtype=self.dtype,
        )  # fmt: skip
        self.filters = self.pointwise.filters
        self.kernel_size, self.strides = self.depthwise.kernel_size, self.depthwise.strides
        self.padding, self.data_format = self.depthwise.padding, self.depthwise.data_format
        self.dilation_rate = self.depthwise.dilation_rate
        self.depth_multiplier = depth_multiplier
        self.activation = self.pointwise.activation
        self.use_bias = use_bias
        self.depthwise_initializer = self.depthwise.depthwise_initializer
        self.pointwise_initializer = self.pointwise.kernel_initializer
        self.bias_initializer = self.pointwise.bias_initializer

    @property
    def sublayers(self) -> tuple[Layer, ...]:
        return (self.depthwise, self.pointwise)

    def build(self, *input_shapes: Shape) -> None:
        self.depthwise.ensure_built(*input_shapes)
        self.pointwise.ensure_built(self.depthwise.compute_output_shape(*input_shapes))
        # Keras' names: both kernels belong to this layer.
        self.depthwise.kernel.name, self.pointwise.kernel.name = (
            "depthwise_kernel",
            "pointwise_kernel",
        )
        for variable in self.variables:
            variable.owner = self

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        return self.pointwise.compute_output_shape(
            self.depthwise.compute_output_shape(*input_shapes)
        )

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        middle = self.depthwise.forward(ctx.child("depthwise"), *inputs)
        return self.pointwise.forward(ctx.child("pointwise"), middle)

    def backward(self, ctx: Context, dy: Any) -> Any:
        ctx.child("depthwise").needs_input_gradient = ctx.needs_input_gradient
        middle = self.pointwise.backward(ctx.child("pointwise"), dy)
        return self.depthwise.backward(ctx.child("depthwise"), middle)


class Conv1D(Layer):
    """Correlate sequences with learnt kernels: (n, steps, c) -> (n, new steps, filters).

    Kernel (k, c / groups, filters). `padding` may be "causal".
    """

    fields: tuple[str, ...] = (
        "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "groups",
        "activation", "use_bias", "kernel_initializer", "bias_initializer",
    )  # fmt: skip

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        first = [
            v[0] if isinstance(v, list | tuple) else v
            for v in (kernel_size, strides, dilation_rate)
        ]
        self.filters = positive(filters, "filters", self.name)
        self.kernel_size = (positive(first[0], "kernel_size", self.name),)
        self.strides = (positive(first[1], "strides", self.name),)
        self.dilation_rate = (positive(first[2], "dilation_rate", self.name),)
        self.padding = pads.check(padding, self.name, ("valid", "same", "causal"))
        self.data_format = pads.channels_last(data_format, self.name)
        self.groups = positive(groups, "groups", self.name)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)

    def build(self, *input_shapes: Shape) -> None:
        expect_rank(input_shapes[0], 3, self)
        channels = input_shapes[0][-1]
        if channels is None or channels % self.groups or self.filters % self.groups:
            raise ShapeError(
                f"{self.name}: expected channels and filters that divide by {self.groups} groups, "
                f"received {input_shapes[0]} and {self.filters}"
            )
        shape = (*self.kernel_size, channels // self.groups, self.filters)
        self.kernel = self.add_weight("kernel", shape, self.kernel_initializer)
        self.bias = (
            self.add_weight("bias", (self.filters,), self.bias_initializer)
            if self.use_bias
            else None
        )

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        n, steps, _ = input_shapes[0]
        size = pads.output_size(
            steps,
            self.kernel_size[0],
            self.strides[0],
            self.dilation_rate[0],
            self.padding,
            self.name,
        )
        return (n, size, self.filters)

    def _options(self, steps: int) -> dict[str, Any]:
        k, s, d = self.kernel_size[0], self.strides[0], self.dilation_rate[0]
        return {
            "strides": (1, s),
            "padding": ((0, 0), pads.amounts(steps, k, s, d, self.padding)),
            "dilation": (1, d),
            "groups": self.groups,
        }

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        x = inputs[0][:, None]
        shape: Any = self.compute_output_shape(inputs[0].shape)
        z = kernels.conv2d(
            x,
            self.kernel.value[None],
            self.bias.value if self.bias else None,
            out=ctx.buffer("z", (shape[0], 1, *shape[1:])),
            **self._options(x.shape[2]),
        )
        y = activate(self.activation, ctx, z)
        ctx.saved = x, y if self.activation.from_output else z
        return y[:, 0]

    def backward(self, ctx: Context, dy: Any) -> Any:
        x, v = ctx.saved
        options = self._options(x.shape[2])
        dz = activate_backward(self.activation, ctx, dy[:, None], v)
        weight = ctx.gradient(self.kernel, overwrite=True)[None]
        kernels.conv2d_weight_gradient(
            x,
            dz,
            (1, *self.kernel.value.shape),  # type: ignore[arg-type]
            out=weight,
            bias_out=ctx.gradient(self.bias, overwrite=True) if self.bias else None,
            **options,
        )
        if not ctx.needs_input_gradient:
            return None
        out = ctx.buffer("dx", x.shape)
        kernels.conv2d_input_gradient(dz, self.kernel.value[None], x.shape, out=out, **options)
        return out[:, 0]


class Conv2DTranspose(Layer):
    """The gradient of a convolution used as a layer: (n, h, w, c) -> (n, oh, ow, filters).

    Kernel (kh, kw, filters, c). oh is h * stride with "same", and h * stride + max(kernel -
    stride, 0) with "valid".
    """

    fields: tuple[str, ...] = (
        "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate",
        "activation", "use_bias", "kernel_initializer", "bias_initializer",
    )  # fmt: skip

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        output_padding: None = None,
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if output_padding is not None:
            raise ConfigError(
                f"{self.name}: output_padding must be None, received {output_padding}"
            )
        self.filters = positive(filters, "filters", self.name)
        self.kernel_size = pair(kernel_size, "kernel_size", self.name)
        self.strides = pair(strides, "strides", self.name)
        self.padding = pads.check(padding, self.name)
        self.data_format = pads.channels_last(data_format, self.name)
        self.dilation_rate = pair(dilation_rate, "dilation_rate", self.name)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)

    def build(self, *input_shapes: Shape) -> None:
        expect_rank(input_shapes[0], 4, self)
        channels = input_shapes[0][-1]
        if channels is None:
            raise ShapeError(f"{self.name}: channels must be known, received {input_shapes[0]}")
        shape = (*self.kernel_size, self.filters, channels)
        self.kernel = self.add_weight("kernel", shape, self.kernel_initializer)
        self.bias = (
            self.add_weight("bias", (self.filters,), self.bias_initializer)
            if self.use_bias
            else None
        )

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        n, *sizes, _ = input_shapes[0]
        return (n, *(self._size(s, i) for i, s in enumerate(sizes)), self.filters)

    def _size(self, size: int | None, axis: int) -> int | None:
        if size is None:
            return None
        stride = self.strides[axis]
        reach = (self.kernel_size[axis] - 1) * self.dilation_rate[axis] + 1
        return size * stride + (max(reach - stride, 0) if self.padding == "valid" else 0)

    def _options(self, shape: tuple[int, ...]) -> dict[str, Any]:
        return {
            "strides": self.strides,
            "padding": pads.both(
                shape, self.kernel_size, self.strides, self.dilation_rate, self.padding
            ),
            "dilation": self.dilation_rate,
        }

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        shape: Any = self.compute_output_shape(x.shape)
        z = kernels.conv2d_input_gradient(
            x, self.kernel.value, shape, out=ctx.buffer("z", shape), **self._options(shape)
        )
        if self.bias:
            z += self.bias.value
        y = activate(self.activation, ctx, z)
        ctx.saved = x, y if self.activation.from_output else z
        return y

    def backward(self, ctx: Context, dy: Any) -> Any:
        x, v = ctx.saved
        dz = activate_backward(self.activation, ctx, dy, v)
        options = self._options(dz.shape)
        shape: Any = self.kernel.value.shape
        out = ctx.gradient(self.kernel, overwrite=True)
        kernels.conv2d_weight_gradient(dz, x, shape, out=out, **options)
        if self.bias:
            ctx.gradient(self.bias, overwrite=True)[...] = dz.sum(axis=(0, 1, 2))
        if not ctx.needs_input_gradient:
            return None
        return kernels.conv2d(dz, self.kernel.value, out=ctx.buffer("dx", x.shape), **options)
