"""Conv1D: convolution along one axis."""

from __future__ import annotations

from typing import Any, ClassVar

from nn import activations, kernels
from nn.context import Context
from nn.errors import ConfigError, ShapeError
from nn.keras_arguments import LeftOut
from nn.layers import padding as pads
from nn.layers.base import positive
from nn.layers.convolution import Conv2D
from nn.layers.core import activate, activate_backward
from nn.layers.data_format import Spatial
from nn.types import Array, Shape


class Conv1D(Spatial):
    """1D convolution: (n, steps, c) -> (n, new steps, filters).

    Kernel (k, c / groups, filters). `padding` may be "causal".
    """

    rank = 1
    fields: tuple[str, ...] = (
        "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "groups",
        "activation", "use_bias", "kernel_initializer", "bias_initializer", "kernel_regularizer",
        "bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint",
    )  # fmt: skip
    left_out: ClassVar[LeftOut] = Conv2D.left_out

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
        first = [
            v[0] if isinstance(v, list | tuple) else v
            for v in (kernel_size, strides, dilation_rate)
        ]
        self.filters = positive(filters, "filters", self.name)
        self.kernel_size = (positive(first[0], "kernel_size", self.name),)
        self.strides = (positive(first[1], "strides", self.name),)
        self.dilation_rate = (positive(first[2], "dilation_rate", self.name),)
        self.padding = pads.check(padding, self.name, ("valid", "same", "causal"))
        self.groups = positive(groups, "groups", self.name)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.set_options("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self.set_options("bias", bias_initializer, bias_regularizer, bias_constraint)
        if self.padding == "causal" and self.channels_first:
            raise ConfigError(f"{self.name}: padding='causal' needs channels_last, as in Keras")

    def build(self, *input_shapes: Shape) -> None:
        self.expect_axes(input_shapes[0])
        channels = self.seen_shape(input_shapes[0])[-1]
        if channels is None or channels % self.groups or self.filters % self.groups:
            raise ShapeError(
                f"{self.name}: expected channels and filters that divide by {self.groups} groups, "
                f"received {input_shapes[0]} and {self.filters}"
            )
        shape = (*self.kernel_size, channels // self.groups, self.filters)
        self.kernel = self.add_named("kernel", shape)
        self.bias = self.add_named("bias", (self.filters,)) if self.use_bias else None

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        return self.shown_shape(self.output_shape(self.seen_shape(input_shapes[0])))

    def output_shape(self, shape: Shape) -> Shape:
        """Return the output's shape for an input shape, both channels last."""
        n, _, steps, _ = shape
        size = pads.output_size(
            steps,
            self.kernel_size[0],
            self.strides[0],
            self.dilation_rate[0],
            self.padding,
            self.name,
        )
        return (n, 1, size, self.filters)

    def _options(self, steps: int) -> dict[str, Any]:
        k, s, d = self.kernel_size[0], self.strides[0], self.dilation_rate[0]
        return {
            "strides": (1, s),
            "padding": ((0, 0), pads.amounts(steps, k, s, d, self.padding)),
            "dilation": (1, d),
            "groups": self.groups,
        }

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        x = self.seen(inputs[0])
        shape: Any = self.output_shape(x.shape)
        z = kernels.conv2d(
            x,
            self.kernel.value[None],
            self.bias.value if self.bias else None,
            out=ctx.buffer("z", shape),
            **self._options(x.shape[2]),
        )
        y = activate(self.activation, ctx, z)
        ctx.saved = x, y if self.activation.from_output else z
        return self.shown(y)

    def backward(self, ctx: Context, dy: Any) -> Any:
        x, v = ctx.saved
        options = self._options(x.shape[2])
        dz = activate_backward(self.activation, ctx, self.seen(dy), v)
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
        return self.shown(out)
