"""Depthwise and separable convolutions, of images, and of sequences as images of height 1."""

from __future__ import annotations

from typing import Any, ClassVar

from nn.context import Context
from nn.errors import ShapeError
from nn.keras_arguments import LeftOut
from nn.layers.base import Layer, positive
from nn.layers.convolution import Conv1D, Conv2D
from nn.types import Array, Shape


class DepthwiseConv2D(Conv2D):
    """Depthwise convolution: (n, h, w, c) -> (n, oh, ow, c * depth_multiplier).

    Kernel (kh, kw, c, depth_multiplier), as `keras.layers.DepthwiseConv2D`: a grouped convolution
    with one group per channel, whose kernel is a view. Source: Sifre and Mallat 2014.
    """

    fields: tuple[str, ...] = (
        "kernel_size", "strides", "padding", "depth_multiplier", "data_format", "dilation_rate",
        "activation", "use_bias", "depthwise_initializer", "bias_initializer",
        "depthwise_regularizer", "bias_regularizer", "activity_regularizer", "depthwise_constraint",
        "bias_constraint",
    )  # fmt: skip
    left_out: ClassVar[LeftOut] = {}

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(
            1, kernel_size, strides, padding, data_format, dilation_rate, 1, activation, use_bias,
            bias_initializer=bias_initializer, bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer, bias_constraint=bias_constraint, **options,
        )  # fmt: skip
        self.depth_multiplier = positive(depth_multiplier, "depth_multiplier", self.name)
        self.set_options(
            "depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint
        )

    def build(self, *input_shapes: Shape) -> None:
        self.expect_axes(input_shapes[0])
        channels = self.seen_shape(input_shapes[0])[-1]
        if channels is None:
            raise ShapeError(f"{self.name}: channels must be known, received {input_shapes[0]}")
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.groups = channels
        self.filters = channels * self.depth_multiplier
        self.kernel = self.add_named("kernel", shape, "depthwise")
        self.bias = self.add_named("bias", (self.filters,)) if self.use_bias else None
        self.kernel_shape = (*self.lifted(self.kernel_size), 1, self.filters)
        self._plans = {}


class DepthwiseConv1D(DepthwiseConv2D):
    """Depthwise convolution: (n, steps, c) -> (n, new steps, c * depth_multiplier).

    Kernel (k, c, depth_multiplier).
    """

    rank = 1


class SeparableConv2D(Layer):
    """Depthwise, then 1x1 convolution (Chollet 2017): (n, h, w, c) -> (n, oh, ow, filters)."""

    fields: tuple[str, ...] = (
        "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate",
        "depth_multiplier", "activation", "use_bias", "depthwise_initializer",
        "pointwise_initializer", "bias_initializer", "depthwise_regularizer",
        "pointwise_regularizer", "bias_regularizer", "activity_regularizer",
        "depthwise_constraint", "pointwise_constraint", "bias_constraint",
    )  # fmt: skip
    parts: ClassVar[tuple[type[DepthwiseConv2D], type[Conv2D]]] = (DepthwiseConv2D, Conv2D)

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **options)
        depthwise, pointwise = self.parts
        self.depthwise = depthwise(
            kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate,
            use_bias=False, depthwise_initializer=depthwise_initializer,
            depthwise_regularizer=depthwise_regularizer, depthwise_constraint=depthwise_constraint,
            dtype=self.dtype,
        )  # fmt: skip
        self.pointwise = pointwise(
            filters, 1, data_format=data_format, activation=activation, use_bias=use_bias,
            kernel_initializer=pointwise_initializer, bias_initializer=bias_initializer,
            kernel_regularizer=pointwise_regularizer, bias_regularizer=bias_regularizer,
            kernel_constraint=pointwise_constraint, bias_constraint=bias_constraint,
            dtype=self.dtype,
        )  # fmt: skip
        self.filters = self.pointwise.filters
        self.kernel_size, self.strides = self.depthwise.kernel_size, self.depthwise.strides
        self.padding, self.data_format = self.depthwise.padding, self.depthwise.data_format
        self.dilation_rate = self.depthwise.dilation_rate
        self.depth_multiplier = depth_multiplier
        self.activation = self.pointwise.activation
        self.use_bias = use_bias
        self.set_options(
            "depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint
        )
        self.set_options(
            "pointwise", pointwise_initializer, pointwise_regularizer, pointwise_constraint
        )
        self.set_options("bias", bias_initializer, bias_regularizer, bias_constraint)

    @property
    def sublayers(self) -> tuple[Layer, ...]:
        return (self.depthwise, self.pointwise)

    @property
    def channels_first(self) -> bool:
        """Whether the channels are the axis after the batch."""
        return self.depthwise.channels_first

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


class SeparableConv1D(SeparableConv2D):
    """Depthwise, then convolution of size 1: (n, steps, c) -> (n, new steps, filters)."""

    parts = (DepthwiseConv1D, Conv1D)
