"""Pooling: maximum or mean, over windows or over all places, of sequences, images and volumes."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from nn import kernels
from nn.context import Context
from nn.layers import padding as pads
from nn.layers.base import sizes
from nn.layers.data_format import Spatial
from nn.types import Array, Shape, prod


class Pooling(Spatial):
    """Base of pooling layers with windows: their geometry."""

    fields: tuple[str, ...] = ("pool_size", "strides", "padding", "data_format")

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(data_format, **options)
        self.pool_size = sizes(pool_size, self.rank, "pool_size", self.name)
        self.strides = sizes(
            self.pool_size if strides is None else strides, self.rank, "strides", self.name
        )
        self.window: Any = self.lifted(self.pool_size)
        self.hops: Any = self.lifted(self.strides)
        self.padding = pads.check(padding, self.name)
        self._plans: dict[tuple[int, ...], tuple[Any, Any]] = {}

    def build(self, *input_shapes: Shape) -> None:
        self.expect_axes(input_shapes[0])

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        return self.shown_shape(self.output_shape(self.seen_shape(input_shapes[0])))

    def output_shape(self, shape: Shape) -> Shape:
        """Return the output's shape for an input shape, both channels last."""
        n, *places, channels = shape
        made = [
            pads.output_size(size, k, s, 1, self.padding, self.name)
            for size, k, s in zip(places, self.window, self.hops, strict=True)
        ]
        return (n, *made, channels)

    def plan(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        """Return (output shape, padding of each axis), cached per shape."""
        plan = self._plans.get(shape)
        if plan is None:
            padding = tuple(
                pads.amounts(size, k, s, 1, self.padding)
                for size, k, s in zip(shape[1:-1], self.window, self.hops, strict=True)
            )
            plan = self._plans[shape] = self.output_shape(shape), padding
        return plan

    def places(self, shape: tuple[int, ...]) -> list[tuple[slice, ...]]:
        """Return, for each element of a window, where it lies in the padded input.

        Args:
            shape: the output's.
        """
        ends = [(size - 1) * hop + 1 for size, hop in zip(shape[1:-1], self.hops, strict=True)]
        return [
            (slice(None), *map(slice, begin, map(sum, zip(begin, ends, strict=True)), self.hops))
            for begin in product(*map(range, self.window))
        ]


class MaxPooling2D(Pooling):
    """Maximum of each window: (n, h, w, c) -> (n, oh, ow, c)."""

    def only_kernels(self, ctx: Context) -> bool:
        return not self.channels_first

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        x = self.seen(inputs[0])
        shape, padding = self.plan(x.shape)
        y, argmax = kernels.max_pool2d(
            x,
            self.window,
            strides=self.hops,
            padding=padding,
            out=ctx.buffer("y", shape),
            argmax=ctx.buffer("argmax", shape, "uint8"),
        )
        ctx.saved = x.shape, padding, argmax
        return self.shown(y)

    def backward(self, ctx: Context, dy: Any) -> Any:
        shape, padding, argmax = ctx.saved
        dx = kernels.max_pool2d_gradient(
            self.seen(dy),
            argmax,
            shape,
            self.window,
            strides=self.hops,
            padding=padding,
            out=ctx.buffer("dx", shape),
        )
        return self.shown(dx)


class MaxPooling1D(MaxPooling2D):
    """Maximum of each window: (n, steps, c) -> (n, new steps, c)."""

    rank = 1


class MaxPooling3D(Pooling):
    """Maximum of each window: (n, d, h, w, c) -> (n, od, oh, ow, c)."""

    rank = 3

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        x = self.seen(inputs[0])
        shape, padding = self.plan(x.shape)
        padded = pads.padded(x, ((0, 0), *padding, (0, 0)), -np.inf)
        places = self.places(shape)
        y = padded[places[0]].copy()
        first = ctx.buffer("first", shape, "int32")
        first.fill(0)
        for number, place in enumerate(places[1:], 1):
            larger = padded[place] > y
            np.copyto(y, padded[place], where=larger)
            first[larger] = number
        ctx.saved = padded.shape, padding, first, places
        return self.shown(y)

    def backward(self, ctx: Context, dy: Any) -> Any:
        shape, padding, first, places = ctx.saved
        d, padded = self.seen(dy), ctx.buffer("padded", shape)
        padded.fill(0)
        for number, place in enumerate(places):
            padded[place] += d * (first == number)
        return self.shown(_inside(padded, padding))


class AveragePooling2D(Pooling):
    """Mean of each window, without padding: (n, h, w, c) -> (n, oh, ow, c)."""

    def only_kernels(self, ctx: Context) -> bool:
        return self.rank == 2 and not self.channels_first

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        x = self.seen(inputs[0])
        shape, padding = self.plan(x.shape)
        if len(shape) == 4:
            ctx.saved = x.shape, padding
            y = ctx.buffer("y", shape)
            options = {"strides": self.hops, "padding": padding}
            return self.shown(kernels.average_pool2d(x, self.window, out=y, **options))
        return self._forward_volume(ctx, x)

    def _forward_volume(self, ctx: Context, x: Array) -> Array:
        shape, padding = self.plan(x.shape)
        padded = pads.padded(x, ((0, 0), *padding, (0, 0))) if self.padding == "same" else x
        y, places = ctx.buffer("y", shape), self.places(shape)
        y.fill(0)
        for place in places:
            y += padded[place]
        counts = self._counts(x.shape, padding, places).astype(x.dtype)
        y /= counts
        ctx.saved = padded.shape, padding, places, counts
        return self.shown(y)

    def backward(self, ctx: Context, dy: Any) -> Any:
        if len(ctx.saved) == 2:
            shape, padding = ctx.saved
            dx, options = ctx.buffer("dx", shape), {"strides": self.hops, "padding": padding}
            d = self.seen(dy)
            kernels.average_pool2d_gradient(d, shape, self.window, out=dx, **options)
            return self.shown(dx)
        shape, padding, places, counts = ctx.saved
        padded = ctx.buffer("padded", shape)
        padded.fill(0)
        share = self.seen(dy) / counts
        for place in places:
            padded[place] += share
        return self.shown(_inside(padded, padding))

    @staticmethod
    def _counts(shape: tuple[int, ...], padding: Any, places: list[tuple[slice, ...]]) -> Array:
        """Return the number of elements of each window that are not padding."""
        ones = pads.padded(np.ones((1, *shape[1:-1], 1)), ((0, 0), *padding, (0, 0)))
        return np.asarray(sum(ones[place] for place in places))


class AveragePooling1D(AveragePooling2D):
    """Mean of each window, without padding: (n, steps, c) -> (n, new steps, c)."""

    rank = 1


class AveragePooling3D(AveragePooling2D):
    """Mean of each window, without padding: (n, d, h, w, c) -> (n, od, oh, ow, c)."""

    rank = 3


def _inside(padded: Array, padding: Any) -> Array:
    """Return what is not padding."""
    inner = [slice(b, n - a) for n, (b, a) in zip(padded.shape[1:-1], padding, strict=True)]
    return np.ascontiguousarray(padded[:, *inner])


class GlobalPooling(Spatial):
    """Base of global pooling layers: (n, ..., c) -> (n, c), or (n, 1, ..., c) with keepdims."""

    fields: tuple[str, ...] = ("data_format", "keepdims")

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **options: Any
    ) -> None:
        super().__init__(data_format, **options)
        self.keepdims = keepdims

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        self.expect_axes(shape)
        if not self.keepdims:
            return (shape[0], shape[1 if self.channels_first else -1])
        return tuple(1 if axis in self.places else n for axis, n in enumerate(shape))

    @property
    def places(self) -> tuple[int, ...]:
        """The axes that are pooled."""
        first = 2 if self.channels_first else 1
        return tuple(range(first, first + self.rank))

    def wide(self, dy: Array) -> Array:
        """Return an output's gradient with the pooled axes of size 1."""
        return dy if self.keepdims else np.expand_dims(dy, self.places)


class GlobalAveragePooling2D(GlobalPooling):
    """The mean of each channel."""

    def only_kernels(self, ctx: Context) -> bool:
        return not self.channels_first

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        ctx.saved = x.shape
        if self.channels_first:
            return np.asarray(x.mean(axis=self.places, keepdims=self.keepdims))
        n, *places, channels = x.shape
        rows = x.reshape(n, prod(places), channels)
        y = kernels.mean_places(rows, ctx.buffer("y", (n, channels)))
        return y.reshape(n, *(1 for _ in self.places), channels) if self.keepdims else y

    def backward(self, ctx: Context, dy: Any) -> Any:
        shape = ctx.saved
        dx, places = ctx.buffer("dx", shape), prod(tuple(shape[axis] for axis in self.places))
        if self.channels_first:
            dx[...] = self.wide(dy) / places
            return dx
        n, channels = len(dx), shape[-1]
        kernels.mean_places_gradient(
            dy.reshape(n, channels), places, dx.reshape(n, places, channels)
        )
        return dx


class GlobalAveragePooling1D(GlobalAveragePooling2D):
    """The mean of each channel, over the steps that are not masked."""

    rank = 1

    def only_kernels(self, ctx: Context) -> bool:
        return super().only_kernels(ctx)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        weights = ctx.child("mask")
        weights.saved = None
        if ctx.mask is None:
            return super().forward(ctx, *inputs)
        (x,) = inputs
        kept = np.expand_dims(ctx.mask, 1 if self.channels_first else 2).astype(x.dtype)
        weights.saved = kept / kept.sum(axis=self.places, keepdims=True)
        y = np.sum(x * weights.saved, self.places, np.float64, keepdims=self.keepdims)
        return y.astype(x.dtype)

    def backward(self, ctx: Context, dy: Any) -> Any:
        weights = ctx.child("mask").saved
        if weights is None:
            return super().backward(ctx, dy)
        return self.wide(dy) * weights


class GlobalAveragePooling3D(GlobalAveragePooling2D):
    """The mean of each channel."""

    rank = 3


class GlobalMaxPooling2D(GlobalPooling):
    """The maximum of each channel. Equal maxima share the gradient, as in JAX."""

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        top = x.max(axis=self.places, keepdims=True)
        ctx.saved = x == top
        return top if self.keepdims else top.squeeze(self.places)

    def backward(self, ctx: Context, dy: Any) -> Any:
        mask = ctx.saved
        share = self.wide(dy) / mask.sum(axis=self.places, keepdims=True)
        return np.multiply(mask, share, out=ctx.buffer("dx", mask.shape))


class GlobalMaxPooling1D(GlobalMaxPooling2D):
    """The maximum of each channel. Equal maxima share the gradient, as in JAX."""

    rank = 1


class GlobalMaxPooling3D(GlobalMaxPooling2D):
    """The maximum of each channel. Equal maxima share the gradient, as in JAX."""

    rank = 3
