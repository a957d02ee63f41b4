"""Convolution of images, and of sequences as images of height 1."""

from __future__ import annotations

from typing import Any, ClassVar

from nn import activations, kernels
from nn.activations import Activation as Function
from nn.context import Context
from nn.errors import ConfigError, ShapeError
from nn.keras_arguments import LeftOut
from nn.layers import padding as pads
from nn.layers.base import positive, sizes
from nn.layers.core import LORA, activate, activate_backward, kernels_apply
from nn.layers.data_format import Spatial
from nn.types import Array, Shape


class Conv2D(Spatial):
    """2D convolution: (n, h, w, c) -> (n, oh, ow, filters).

    Kernel (kh, kw, c / groups, filters), bias (filters,), as `keras.layers.Conv2D`.
    """

    fields: tuple[str, ...] = (
        "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "groups",
        "activation", "use_bias", "kernel_initializer", "bias_initializer", "kernel_regularizer",
        "bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint",
    )  # fmt: skip
    left_out: ClassVar[LeftOut] = {k: v for k, v in LORA.items() if k.startswith("lora")}
    paddings: tuple[str, ...] = ("valid", "same")
    convolve: ClassVar[Any] = staticmethod(kernels.conv2d)
    weight_gradient: ClassVar[Any] = staticmethod(kernels.conv2d_weight_gradient)
    input_gradient: ClassVar[Any] = staticmethod(kernels.conv2d_input_gradient)

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
        self.padding = pads.check(padding, self.name, self.paddings)
        self.dilation_rate = sizes(dilation_rate, self.rank, "dilation_rate", self.name)
        self.groups = positive(groups, "groups", self.name)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.set_options("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self.set_options("bias", bias_initializer, bias_regularizer, bias_constraint)
        if self.filters % self.groups:
            raise ConfigError(
                f"{self.name}: filters must divide by groups, received {filters} and {groups}"
            )
        if self.padding == "causal" and self.channels_first:
            raise ConfigError(f"{self.name}: padding='causal' needs channels_last, as in Keras")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ConfigError(f"{self.name}: strides and dilation_rate can't both be above 1")

    def build(self, *input_shapes: Shape) -> None:
        self.expect_axes(input_shapes[0])
        shape = self.seen_shape(input_shapes[0])
        channels = shape[-1]
        if channels is None or channels % self.groups:
            raise ShapeError(
                f"{self.name}: expected channels that divide by {self.groups} groups, received "
                f"{shape}"
            )
        ends = (channels // self.groups, self.filters)
        self.kernel_shape = (*self.lifted(self.kernel_size), *ends)
        self.kernel = self.add_named("kernel", (*self.kernel_size, *ends))
        self.bias = self.add_named("bias", (self.filters,)) if self.use_bias else None
        self._plans: dict[tuple[int, ...], tuple[Any, Any]] = {}

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        return self.shown_shape(self.output_shape(self.seen_shape(input_shapes[0])))

    def output_shape(self, shape: Shape) -> Shape:
        """Return the output's shape for an input shape, both channels last."""
        n, *places, _ = shape
        made = [
            pads.output_size(size, *window, self.padding, self.name)
            for size, window in zip(places, self._windows(), strict=True)
        ]
        return (n, *made, self.filters)

    @property
    def last_activation(self) -> str | None:
        return None if self.channels_first else self.activation.name

    def _windows(self) -> list[tuple[int, int, int]]:
        """Return kernel size, stride and dilation for each axis of `seen(x)`."""
        each = (self.kernel_size, self.strides, self.dilation_rate)
        return list(zip(*map(self.lifted, each), strict=True))  # type: ignore[arg-type]

    def plan(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        """Return the output's shape and the geometry for the kernels, cached per shape."""
        plan = self._plans.get(shape)
        if plan is None:
            windows = self._windows()
            padding = tuple(
                pads.amounts(size, *window, self.padding)
                for size, window in zip(shape[1:-1], windows, strict=True)
            )
            _, strides, dilation = zip(*windows, strict=True)
            options = {
                "strides": strides,
                "padding": padding,
                "dilation": dilation,
                "groups": self.groups,
            }
            plan = self._plans[shape] = self.output_shape(shape), options
        return plan

    def only_kernels(self, ctx: Context) -> bool:
        plain = self.rank == 2 and not self.channels_first
        return plain and kernels_apply(self.activation, ctx)

    def forward(
        self,
        ctx: Context,
        *inputs: Array,
        training: bool = False,
        function: Function | None = None,
    ) -> Array:
        """Return the output; `function` is the activation of a layer after a linear one."""
        x = self.seen(inputs[0])
        shape, options = self.plan(x.shape)
        function = function or self.activation
        z = self.convolve(
            x,
            self.kernel.value.reshape(self.kernel_shape),
            self.bias.value if self.bias else None,
            activation=function.name if function.fused else None,
            out=ctx.buffer("z", shape),
            **options,
        )
        y = z if function.fused else activate(function, ctx, z)
        ctx.saved = x, y if function.from_output else z
        return self.shown(y)

    def backward(self, ctx: Context, dy: Any) -> Any:
        x, v = ctx.saved
        _, options = self.plan(x.shape)
        dz = activate_backward(self.activation, ctx, self.seen(dy), v)
        if ctx.trains(self.kernel):
            self.weight_gradient(
                x,
                dz,
                self.kernel_shape,
                out=ctx.gradient(self.kernel, overwrite=True).reshape(self.kernel_shape),
                bias_out=ctx.gradient(self.bias, overwrite=True) if self.bias else None,
                **options,
            )
        if not ctx.needs_input_gradient:
            return None
        dx = self.input_gradient(
            dz,
            self.kernel.value.reshape(self.kernel_shape),
            x.shape,
            out=ctx.buffer("dx", x.shape),
            **options,
        )
        return self.shown(dx)


class Conv1D(Conv2D):
    """1D convolution: (n, steps, c) -> (n, new steps, filters).

    Kernel (k, c / groups, filters). `padding` may be "causal".
    """

    rank = 1
    paddings: tuple[str, ...] = ("valid", "same", "causal")
