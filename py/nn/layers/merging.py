"""Merging layers: several inputs, one output."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from nn import kernels
from nn.context import Context
from nn.errors import ShapeError
from nn.layers.base import Layer
from nn.types import Array, Shape


class Merge(Layer):
    """Base of elementwise merging layers: two or more inputs, broadcast as in Keras.

    Axes of size 1 are repeated; an input with fewer axes gets axes of size 1 after the batch.
    """

    several_inputs = True
    supports_masking = True
    two: ClassVar[bool] = False
    """Whether there are exactly two inputs."""

    def mask_after(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Any:
        known = [m for m in masks if m is not None]
        return np.logical_or.reduce(known) if len(known) == len(masks) else None

    def build(self, *input_shapes: Shape) -> None:
        if len(input_shapes) < 2:
            raise ShapeError(f"{self.name}: expected 2 or more inputs, received {input_shapes}")
        if self.two and len(input_shapes) > 2:
            raise ShapeError(f"{self.name}: expected 2 inputs, received {len(input_shapes)}")
        self.compute_output_shape(*input_shapes)

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        rank = max(map(len, input_shapes))
        raised = [(s[0], *(1,) * (rank - len(s)), *s[1:]) for s in input_shapes]
        return tuple(self._size(sizes, input_shapes) for sizes in zip(*raised, strict=True))

    def _size(self, sizes: Sequence[int | None], shapes: Sequence[Shape]) -> int | None:
        wider = {n for n in sizes if n != 1}
        if len(wider - {None}) > 1:
            raise ShapeError(
                f"{self.name}: expected inputs of one shape, or of size 1 where they differ, "
                f"received {list(shapes)}"
            )
        return None if None in wider else wider.pop() if wider else 1

    def raised(self, ctx: Context, inputs: Sequence[Array]) -> tuple[Sequence[Array], Array]:
        """Return the inputs with the same number of axes, and a workspace for the output."""
        first = inputs[0].shape
        ctx.child("shapes").saved = [x.shape for x in inputs]
        if all(x.shape == first for x in inputs):
            return inputs, ctx.buffer("y", first)
        rank = max(x.ndim for x in inputs)
        xs = [x.reshape(len(x), *(1,) * (rank - x.ndim), *x.shape[1:]) for x in inputs]
        return xs, ctx.buffer("y", np.broadcast_shapes(*[x.shape for x in xs]))

    def narrowed(self, ctx: Context, gradients: Sequence[Array]) -> tuple[Array, ...]:
        """Return the gradients in the shapes of the inputs: repeated axes are summed."""
        shapes = ctx.child("shapes").saved
        return tuple(narrowed(d, shape) for d, shape in zip(gradients, shapes, strict=True))


def narrowed(d: Array, shape: tuple[int, ...]) -> Array:
    """Return a gradient in the shape of what was repeated: repeated axes are summed."""
    if d.shape == shape:
        return d
    raised = (shape[0], *(1,) * (d.ndim - len(shape)), *shape[1:])
    axes = tuple(i for i, (n, own) in enumerate(zip(d.shape, raised, strict=True)) if n != own)
    return d.sum(axis=axes, dtype=np.float64).reshape(shape).astype(d.dtype)


class Add(Merge):
    """The sum of the inputs."""

    def only_kernels(self, ctx: Context) -> bool:
        return True

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        xs, y = self.raised(ctx, inputs)
        kernels.add(xs[0], xs[1], y)
        for x in xs[2:]:
            kernels.add(y, x, y)
        ctx.saved = len(xs)
        return y

    def backward(self, ctx: Context, dy: Any) -> Any:
        return self.narrowed(ctx, (dy,) * ctx.saved)


class Average(Add):
    """The mean of the inputs."""

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        y = super().forward(ctx, *inputs)
        y /= len(inputs)
        return y

    def backward(self, ctx: Context, dy: Any) -> Any:
        return super().backward(ctx, dy / ctx.saved)


class Subtract(Merge):
    """The first input minus the second."""

    two = True

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (first, second), y = self.raised(ctx, inputs)
        return np.subtract(first, second, out=y)

    def backward(self, ctx: Context, dy: Any) -> Any:
        return self.narrowed(ctx, (dy, np.negative(dy)))


class Multiply(Merge):
    """The product of the inputs; masked steps of an input count as 1."""

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        if any(m is not None for m in ctx.masks):
            return self._forward_masked(ctx, inputs)
        ctx.child("masks").saved = None
        xs, y = self.raised(ctx, inputs)
        np.multiply(xs[0], xs[1], out=y)
        for x in xs[2:]:
            y *= x
        ctx.saved = xs
        return y

    def _forward_masked(self, ctx: Context, inputs: Sequence[Array]) -> Array:
        kept = [True if m is None else m[..., None] for m in ctx.masks]
        xs, _ = self.raised(ctx, inputs)
        ctx.saved = [np.where(k, x, x.dtype.type(1)) for k, x in zip(kept, xs, strict=True)]
        shown = np.logical_or.reduce(kept) if all(k is not True for k in kept) else True
        ctx.child("masks").saved = kept, shown
        return functools.reduce(np.multiply, ctx.saved) * shown

    def backward(self, ctx: Context, dy: Any) -> Any:
        masks = ctx.child("masks").saved
        if masks is None:
            parts = [self._others(ctx, i, dy) for i in range(len(ctx.saved))]
        else:
            kept, shown = masks
            parts = [self._others(ctx, i, dy * shown) * k for i, k in enumerate(kept)]
        return self.narrowed(ctx, parts)

    @staticmethod
    def _others(ctx: Context, i: int, dy: Array) -> Array:
        dx = ctx.buffer(f"dx{i}", dy.shape)
        np.copyto(dx, dy)
        for j, x in enumerate(ctx.saved):
            if j != i:
                dx *= x
        return dx


class Maximum(Merge):
    """The largest of the inputs, element by element. Equal ones share the gradient, as in JAX."""

    choose: ClassVar[np.ufunc] = np.maximum

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        xs, _ = self.raised(ctx, inputs)
        masks = ctx.masks or [None] * len(xs)
        y, mask = xs[0], masks[0]
        ctx.saved = []
        for x, own in zip(xs[1:], masks[1:], strict=True):
            chosen = self.choose(y, x)
            # The share of the gradient that goes to x; 1 - share goes to what came before it.
            share = np.where(y == x, y.dtype.type(0.5), (x == chosen).astype(y.dtype))
            if own is not None:
                chosen, share = np.where(own[..., None], chosen, y), share * own[..., None]
            if mask is not None:
                alone = ~mask[..., None] if own is None else (own & ~mask)[..., None]
                chosen, share = np.where(alone, x, chosen), np.where(alone, 1, share)
            mask = None if mask is None or own is None else mask | own
            ctx.saved.append(share)
            y = chosen
        return y

    def backward(self, ctx: Context, dy: Any) -> Any:
        parts = []
        for share in reversed(ctx.saved):
            parts.append(dy * share)
            dy = dy * (1 - share)
        return self.narrowed(ctx, [dy, *reversed(parts)])


class Minimum(Maximum):
    """The smallest of the inputs, element by element. Equal ones share the gradient, as in JAX."""

    choose: ClassVar[np.ufunc] = np.minimum


class Concatenate(Layer):
    """The inputs concatenated along `axis`."""

    several_inputs = True
    supports_masking = True

    fields: tuple[str, ...] = ("axis",)

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = axis

    def build(self, *input_shapes: Shape) -> None:
        rest = [self._without_axis(s) for s in input_shapes]
        apart = len({*map(len, rest)}) > 1
        apart = apart or any(len({*sizes} - {None}) > 1 for sizes in zip(*rest, strict=False))
        if len(input_shapes) < 2 or apart:
            raise ShapeError(
                f"{self.name}: expected 2 or more inputs equal but for axis {self.axis}, "
                f"received {input_shapes}"
            )

    def _without_axis(self, shape: Shape) -> Shape:
        axis = self.axis % len(shape)
        return shape[:axis] + shape[axis + 1 :]

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        first = list(input_shapes[0])
        sizes = [s[self.axis] for s in input_shapes]
        known = [n for n in sizes if n is not None]
        first[self.axis] = sum(known) if len(known) == len(sizes) else None
        return tuple(first)

    def mask_after(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Any:
        if all(m is None for m in masks):
            return None
        filled = [
            np.ones(x.shape[:2], bool) if m is None else m
            for x, m in zip(inputs, masks, strict=True)
        ]
        if self.axis % inputs[0].ndim == 1:
            return np.concatenate(filled, axis=1)
        return np.logical_or.reduce(filled)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        ctx.saved = np.cumsum([x.shape[self.axis] for x in inputs])[:-1]
        if self.axis not in (-1, inputs[0].ndim - 1):
            return np.concatenate(inputs, axis=self.axis)
        wide = sum(x.shape[-1] for x in inputs)
        return kernels.concatenate(inputs, ctx.buffer("y", (*inputs[0].shape[:-1], wide)))

    def backward(self, ctx: Context, dy: Any) -> Any:
        return tuple(np.ascontiguousarray(d) for d in np.split(dy, ctx.saved, axis=self.axis))
