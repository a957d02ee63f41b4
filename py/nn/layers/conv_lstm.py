"""ConvLSTM: long short-term memory whose products are convolutions, for sequences of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from nn import kernels
from nn.context import Context
from nn.errors import ConfigError, ShapeError
from nn.keras_arguments import LeftOut, refuse_all
from nn.layers import padding as pads
from nn.layers.base import expect_rank, sizes
from nn.layers.data_format import check_data_format
from nn.layers.lstm import LSTM
from nn.layers.recurrent import States
from nn.types import Array, Shape, prod


class ConvLSTM2D(LSTM):
    """LSTM over images (Shi et al. 2015): (n, steps, h, w, c) -> (n, new h, new w, filters).

    As `LSTM`, with a convolution of the input and a "same" one of the state in place of x W and
    h U. Kernel (kh, kw, c, 4 * filters), recurrent kernel (kh, kw, filters, 4 * filters), bias
    (4 * filters,); states [h, c] of the output's shape. One layer of rank 1 computes as one of
    rank 2, on images of height 1.
    """

    rank: ClassVar[int] = 2
    fields: tuple[str, ...] = (
        "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate",
        "activation", "recurrent_activation", "use_bias", "kernel_initializer",
        "recurrent_initializer", "bias_initializer", "unit_forget_bias", "kernel_regularizer",
        "recurrent_regularizer", "bias_regularizer", "activity_regularizer", "kernel_constraint",
        "recurrent_constraint", "bias_constraint", "seed", "return_sequences", "return_state",
        "go_backwards", "stateful",
    )  # fmt: skip
    left_out: ClassVar[LeftOut] = {
        "dropout": (0.0, "images and states are whole"),
        "recurrent_dropout": (0.0, "images and states are whole"),
    }

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        **options: Any,
    ) -> None:
        given = {name: options.pop(name) for name in ConvLSTM2D.left_out if name in options}
        refuse_all(type(self), ConvLSTM2D.left_out, given)
        super().__init__(
            filters, activation, recurrent_activation, use_bias, kernel_initializer,
            recurrent_initializer, bias_initializer, unit_forget_bias, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, activity_regularizer, kernel_constraint,
            recurrent_constraint, bias_constraint, seed=seed, return_sequences=return_sequences,
            return_state=return_state, go_backwards=go_backwards, stateful=stateful, **options,
        )  # fmt: skip
        self.kernel_size = sizes(kernel_size, self.rank, "kernel_size", self.name)
        self.strides = sizes(strides, self.rank, "strides", self.name)
        self.padding = pads.check(padding, self.name)
        self.data_format = check_data_format(data_format, self.name)
        self.dilation_rate = sizes(dilation_rate, self.rank, "dilation_rate", self.name)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ConfigError(f"{self.name}: strides and dilation_rate can't both be above 1")

    @property
    def filters(self) -> int:
        return self.units

    # Shapes: an image is (h, w, c), h being 1 where the rank is 1.

    def _image(self, shape: Shape) -> Shape:
        """Return (h, w, c) of an input's shape (n, steps, ...) or a state's (n, ...)."""
        ends = shape[-self.rank - 1 :]
        last = (*ends[1:], ends[0]) if self.data_format == "channels_first" else ends
        return (1, *last) if self.rank == 1 else last

    def _lifted(self, numbers: Sequence[int]) -> tuple[int, int]:
        first, second = (1, *numbers) if self.rank == 1 else numbers
        return first, second

    def build(self, *input_shapes: Shape) -> None:
        expect_rank(input_shapes[0], self.rank + 3, self)
        image = self._image(input_shapes[0])
        if None in image:
            raise ShapeError(f"{self.name}: images must be known, received {input_shapes[0]}")
        self.image = tuple(n for n in image if n is not None)
        lifted = map(self._lifted, (self.kernel_size, self.strides, self.dilation_rate))
        made = [
            pads.output_size(size, kernel, stride, dilation, self.padding, self.name)
            for size, kernel, stride, dilation in zip(self.image[:2], *lifted, strict=True)
        ]
        self.made = (*(n for n in made if n is not None), self.units)
        self._expect_states(input_shapes[1:])
        width = self.gates * self.units
        self.kernel = self.add_named("kernel", (*self.kernel_size, self.image[-1], width))
        shape = (*self.kernel_size, self.units, width)
        self.recurrent_kernel = self.add_named("recurrent_kernel", shape, "recurrent")
        self.bias = self.add_named("bias", (width,)) if self.use_bias else None
        if self.bias is not None and self.unit_forget_bias:
            self.bias.value[self.units : 2 * self.units] = 1
            self.bias.mark_written()

    def built_sizes(self) -> list[Shape]:
        return [*super().built_sizes(), self.image]  # the states are images too

    def _expect_states(self, shapes: Sequence[Shape]) -> None:
        flat = [prod(tuple(n or 0 for n in shape[1:])) for shape in shapes]
        if shapes and flat != [self.state_size] * self.state_count:
            raise ShapeError(
                f"{self.name}: expected {self.state_count} states of shape "
                f"{('n', *self._shown_shape())}, received {list(shapes)}"
            )

    @property
    def state_size(self) -> int:
        return prod(self.made)

    def _shown_shape(self) -> tuple[int, ...]:
        """Return the shape of an output image in the order of the input."""
        made = self.made[1:] if self.rank == 1 else self.made
        return (made[-1], *made[:-1]) if self.data_format == "channels_first" else made

    def compute_output_shape(self, *input_shapes: Shape) -> Any:
        n, steps, *_ = input_shapes[0]
        image = self._shown_shape()
        output = (n, steps, *image) if self.return_sequences else (n, *image)
        return [output, *[(n, *image)] * self.state_count] if self.return_state else output

    # Images as rows: the states of all places of an image are one row, (n, h * w * filters).

    def in_time(self, ctx: Context, x: Array) -> Array:
        seen = np.moveaxis(x, 2, -1) if self.data_format == "channels_first" else x
        rows = ctx.buffer("rows", (x.shape[1], x.shape[0], *self.image))
        np.copyto(rows, self._in_order(seen).swapaxes(0, 1).reshape(rows.shape))
        return rows

    def _flat(self, y: Any, lead: int) -> Any:
        """Return images (..., h, w, c) in the order of the input as rows."""
        if y is None:
            return None
        seen = np.moveaxis(y, lead, -1) if self.data_format == "channels_first" else y
        return np.ascontiguousarray(seen).reshape(*y.shape[:lead], prod(y.shape[lead:]))

    def _shown(self, y: Any, lead: int) -> Any:
        """Undo `_flat`."""
        if y is None:
            return None
        images = y.reshape(*y.shape[:lead], *self.made[2 - self.rank :])
        return np.moveaxis(images, -1, lead) if self.data_format == "channels_first" else images

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Any:
        x, *given = inputs
        made = super().forward(ctx, x, *(self._flat(g, 1) for g in given), training=training)
        y, *last = made if self.return_state else (made,)
        shown = self._shown(y, 1 + self.return_sequences)
        return [shown, *(self._shown(s, 1) for s in last)] if self.return_state else shown

    def backward(self, ctx: Context, dy: Any) -> Any:
        d, *last = dy if self.return_state else (dy,)
        flat = self._flat(d, 1 + self.return_sequences)
        found = super().backward(
            ctx, [flat, *(self._flat(s, 1) for s in last)] if self.return_state else flat
        )
        if not isinstance(found, tuple):
            return found
        return (found[0], *(self._shown(s, 1) for s in found[1:]))

    # Convolutions in place of the products.

    def _window(self, recurrent: bool) -> dict[str, Any]:
        """Return the geometry of a convolution, for the kernels."""
        size, one = self._lifted(self.kernel_size), (1, 1)
        strides = one if recurrent else self._lifted(self.strides)
        dilation = one if recurrent else self._lifted(self.dilation_rate)
        kind = "same" if recurrent else self.padding
        shape = (1, *(self.made if recurrent else self.image))
        padding = pads.both(shape, size, strides, dilation, kind)
        return {"strides": strides, "padding": padding, "dilation": dilation, "groups": 1}

    def _weights(self, kernel: Array) -> Array:
        return kernel.reshape(*self._lifted(self.kernel_size), *kernel.shape[-2:])

    def project(self, ctx: Context, rows: Array, drop: Array | None) -> Array:
        steps, n = rows.shape[:2]
        z = ctx.buffer("z", (steps, n, *self.made[:2], self.gates * self.units))
        kernels.conv2d(
            rows.reshape(steps * n, *self.image),
            self._weights(self.kernel.value),
            self.input_bias(),
            out=z.reshape(steps * n, *z.shape[2:]),
            **self._window(recurrent=False),
        )
        return z

    def recur(self, h: Array, drop: Array | None) -> Array:
        images = h.reshape(-1, *self.made)
        weights = self._weights(self.recurrent_kernel.value)
        y = kernels.conv2d(images, weights, None, **self._window(recurrent=True))
        return y.reshape(-1, y.shape[-1])

    def recur_back(self, d: Array, drop: Array | None) -> Array:
        images = d.reshape(-1, *self.made[:2], d.shape[-1])
        dh = kernels.conv2d_input_gradient(
            images,
            self._weights(self.recurrent_kernel.value),
            (len(images), *self.made),
            **self._window(recurrent=True),
        )
        return dh.reshape(-1, self.units)

    def keep(self, ctx: Context, h: Array, d: Array, drop: Array | None) -> Array:
        out = ctx.gradient(self.recurrent_kernel, overwrite=True)
        weights = self._weights(out)
        kernels.conv2d_weight_gradient(
            np.ascontiguousarray(h).reshape(-1, *self.made),
            d.reshape(-1, *d.shape[2:]),
            weights.shape,
            out=weights,
            **self._window(recurrent=True),
        )
        return out

    def input_gradient(self, ctx: Context, rows: Array, z: Array, drop: Array | None) -> Any:
        images, dz = rows.reshape(-1, *self.image), z.reshape(-1, *z.shape[2:])
        weights = self._weights(ctx.gradient(self.kernel, overwrite=True))
        bias = ctx.gradient(self.bias, overwrite=True) if self.bias else None
        window = self._window(recurrent=False)
        kernels.conv2d_weight_gradient(
            images, dz, weights.shape, out=weights, bias_out=bias, **window
        )
        if not ctx.needs_input_gradient:
            return None
        dx = kernels.conv2d_input_gradient(
            dz, self._weights(self.kernel.value), images.shape, **window
        )
        dx = dx.reshape(*rows.shape[:2], *self.image[2 - self.rank :])
        dx = (dx[::-1] if self.go_backwards else dx).swapaxes(0, 1)
        dx = np.moveaxis(dx, -1, 2) if self.data_format == "channels_first" else dx
        return np.ascontiguousarray(dx)

    # The steps of LSTM, on the places of all images as its rows.

    standard_cell = ""  # the kernel's products are no convolutions

    def _places(self, states: States) -> list[Array]:
        return [s.reshape(-1, self.units) for s in states]

    def step(
        self, ctx: Context, t: int, z: Array, old: States, new: States, drop: Array | None
    ) -> None:
        rows = z.reshape(-1, z.shape[-1])
        super().step(ctx, t, rows, self._places(old), self._places(new), drop)

    def step_back(
        self, ctx: Context, t: int, z: Array, old: States, new: States, later: States, ds: States,
        drop: Array | None,
    ) -> None:  # fmt: skip
        before, after, following, found = map(self._places, (old, new, later, ds))
        rows = z.reshape(-1, z.shape[-1])
        super().step_back(ctx, t, rows, before, after, following, found, drop)


class ConvLSTM1D(ConvLSTM2D):
    """LSTM over sequences of rows: (n, steps, w, c) -> (n, new w, filters), as `ConvLSTM2D`."""

    rank = 1
