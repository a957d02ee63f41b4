"""Layers that reshape, reorder, resize or scale, without variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn import kernels
from nn.context import Context
from nn.data.resizing import matrix
from nn.errors import ConfigError, ShapeError
from nn.layers.base import Layer, expect_rank, one_of, pair, positive, sizes
from nn.layers.data_format import Spatial
from nn.lazy import load
from nn.regularizers import L1L2
from nn.types import Array, Config, Shape, prod


class Reshape(Layer):
    """(n, ...) -> (n, *target_shape); one size may be -1."""

    fields: tuple[str, ...] = ("target_shape",)

    def __init__(self, target_shape: Sequence[int], **options: Any) -> None:
        super().__init__(**options)
        self.target_shape = tuple(target_shape)
        if min(self.target_shape, default=0) < -1 or self.target_shape.count(-1) > 1:
            raise ConfigError(
                f"{self.name}: expected sizes, -1 at most once, received {self.target_shape}"
            )

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        n, *rest = input_shapes[0]
        known = [s for s in self.target_shape if s != -1]
        if None in rest:
            return (n, *(None if s == -1 else s for s in self.target_shape))
        size = prod(tuple(s for s in rest if s is not None))
        missing = size // max(prod(tuple(known)), 1)
        shape = tuple(missing if s == -1 else s for s in self.target_shape)
        if prod(shape) != size:
            raise ShapeError(f"{self.name}: expected {size} elements, received shape {shape}")
        return (n, *shape)

    def only_kernels(self, ctx: Context) -> bool:
        return True

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        ctx.saved = inputs[0].shape
        # Not by -1, which no samples leave open.
        x: Any = inputs[0]
        return x.reshape(self.compute_output_shape(x.shape))

    def backward(self, ctx: Context, dy: Any) -> Any:
        return dy.reshape(ctx.saved)


class Permute(Layer):
    """Reorder the axes after the batch; `dims` counts from 1."""

    fields: tuple[str, ...] = ("dims",)

    def __init__(self, dims: Sequence[int], **options: Any) -> None:
        super().__init__(**options)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ConfigError(f"{self.name}: dims must be an order of 1 to n, received {dims}")

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        expect_rank(input_shapes[0], len(self.dims) + 1, self)
        return (input_shapes[0][0], *(input_shapes[0][d] for d in self.dims))

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        return np.ascontiguousarray(inputs[0].transpose(0, *self.dims))

    def backward(self, ctx: Context, dy: Any) -> Any:
        return np.ascontiguousarray(dy.transpose(np.argsort((0, *self.dims))))


class Resampling(Spatial):
    """Base of layers that multiply each image axis by a small matrix."""

    interpolation: str

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        expect_rank(input_shapes[0], 4, self)
        return self.shown_shape(self.output_shape(self.seen_shape(input_shapes[0])))

    def output_shape(self, shape: Shape) -> Any:
        """Return the output's shape for an input shape, both channels last."""
        raise NotImplementedError

    def matrices(self, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Return (oh, h) and (ow, w)."""
        _, oh, ow, _ = self.output_shape(shape)
        return (
            matrix(shape[1], oh, self.interpolation, self.dtype),
            matrix(shape[2], ow, self.interpolation, self.dtype),
        )

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        x = self.seen(inputs[0])
        ctx.saved = rows, columns = self.matrices(x.shape)
        return self.shown(resample(x, rows.astype(x.dtype), columns.astype(x.dtype)))

    def backward(self, ctx: Context, dy: Any) -> Any:
        rows, columns = ctx.saved
        moved = self.seen(dy)
        return self.shown(resample(moved, rows.T.astype(dy.dtype), columns.T.astype(dy.dtype)))


class Resizing(Resampling):
    """Resize images as Keras 3 does; arrays of whole numbers stay such, rounded.

    Args:
        interpolation: "bilinear", "nearest", "bicubic", "lanczos3" or "lanczos5".
        crop_to_aspect_ratio: resize the largest part in the middle that has the new sides' ratio.
        pad_to_aspect_ratio: pad with `fill_value` to that ratio, rather than stretch.
        antialias: average where images become smaller.
    """

    fields: tuple[str, ...] = (
        "height", "width", "interpolation", "crop_to_aspect_ratio", "pad_to_aspect_ratio",
        "fill_mode", "fill_value", "antialias", "data_format",
    )  # fmt: skip
    whole: str = ""  # the type of a graph's whole numbers, which are rounded

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(data_format, **options)
        self.height = positive(height, "height", self.name)
        self.width = positive(width, "width", self.name)
        known = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")
        self.interpolation: str = one_of(interpolation, known, "interpolation", self.name)
        self.fill_mode = one_of(fill_mode, ("constant",), "fill_mode", self.name)
        self.crop_to_aspect_ratio = crop_to_aspect_ratio
        self.pad_to_aspect_ratio = pad_to_aspect_ratio
        self.fill_value = fill_value
        self.antialias = antialias
        if (crop_to_aspect_ratio and pad_to_aspect_ratio) or "int" in self.dtype:
            raise ConfigError(
                f"{self.name}: expected to crop or to pad, in floats, received "
                f"{crop_to_aspect_ratio}, {pad_to_aspect_ratio}, {self.dtype!r}"
            )

    @property
    def plain(self) -> bool:
        """Whether images are stretched, and pixels mixed from the two beside them at most."""
        kept = self.crop_to_aspect_ratio or self.pad_to_aspect_ratio or self.antialias
        return not kept and self.interpolation in ("bilinear", "nearest")

    def output_shape(self, shape: Shape) -> Any:
        return (shape[0], self.height, self.width, shape[3])

    def matrices(self, shape: tuple[int, ...]) -> tuple[Array, Array]:
        if self.plain:
            return super().matrices(shape)
        return load("nn.data.filters").matrices(self, shape[1:3])  # type: ignore[no-any-return]

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        y = super().__call__(*inputs, **options)
        kind = str(getattr(inputs[0], "dtype", ""))
        if "int" not in kind:
            return y
        if isinstance(y, np.ndarray):
            return _rounded(y, kind).astype(kind)
        self.whole = kind
        return y

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        y = super().forward(ctx, *inputs, training=training)
        if self.pad_to_aspect_ratio:
            y += load("nn.data.filters").padding(self, ctx.saved)
        return _rounded(y, self.whole) if self.whole else y


def _rounded(y: Array, kind: str) -> Array:
    """Return the whole numbers nearest to values, within those that a type has."""
    most = np.iinfo(kind)
    return np.clip(np.rint(y), most.min, most.max)


class UpSampling2D(Resampling):
    """Enlarge images by the factor `size`."""

    fields: tuple[str, ...] = ("size", "data_format", "interpolation")

    def __init__(
        self,
        size: Any = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **options: Any,
    ) -> None:
        super().__init__(data_format, **options)
        self.size = pair(size, "size", self.name)
        self.interpolation: str = one_of(
            interpolation, ("nearest", "bilinear"), "interpolation", self.name
        )

    def output_shape(self, shape: Shape) -> Any:
        n, h, w, c = shape
        sizes = [None if s is None else s * k for s, k in zip((h, w), self.size, strict=True)]
        return (n, *sizes, c)

    def only_kernels(self, ctx: Context) -> bool:
        return self.interpolation == "nearest" and not self.channels_first

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        if self.interpolation != "nearest":
            return super().forward(ctx, *inputs, training=training)
        # To repeat pixels is the gradient of sums over windows.
        x = self.seen(inputs[0])
        shape, size = self.output_shape(x.shape), self.size
        y = ctx.buffer("y", shape)
        kernels.average_pool2d_gradient(x, shape, size, strides=size, summed=True, out=y)
        return self.shown(y)

    def backward(self, ctx: Context, dy: Any) -> Any:
        if self.interpolation != "nearest":
            return super().backward(ctx, dy)
        d, (height, width) = self.seen(dy), self.size
        dx = ctx.buffer("dx", (len(d), d.shape[1] // height, d.shape[2] // width, d.shape[3]))
        kernels.average_pool2d(d, self.size, strides=self.size, summed=True, out=dx)
        return self.shown(dx)


class CenterCrop(Spatial):
    """Cut the middle out of images. Images that are too small are cut to the proportions of the
    output and enlarged (bilinear)."""

    fields: tuple[str, ...] = ("height", "width", "data_format")

    def __init__(
        self, height: int, width: int, data_format: str | None = None, **options: Any
    ) -> None:
        super().__init__(data_format, **options)
        self.height = positive(height, "height", self.name)
        self.width = positive(width, "width", self.name)

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        self.expect_axes(input_shapes[0])
        n, _, _, c = self.seen_shape(input_shapes[0])
        return self.shown_shape((n, self.height, self.width, c))

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        x = self.seen(inputs[0])
        _, h, w, _ = x.shape
        small = h < self.height or w < self.width
        tall = max(1, min(h, w * self.height // self.width)) if small else self.height
        wide = max(1, min(w, h * self.width // self.height)) if small else self.width
        top, left = (h - tall) // 2, (w - wide) // 2
        cut = (slice(None), slice(top, top + tall), slice(left, left + wide))
        ctx.saved = x.shape, cut, None
        if not small:
            return self.shown(np.ascontiguousarray(x[cut]))
        rows = matrix(tall, self.height, dtype=x.dtype)
        columns = matrix(wide, self.width, dtype=x.dtype)
        ctx.saved = x.shape, cut, (rows, columns)
        return self.shown(resample(np.ascontiguousarray(x[cut]), rows, columns))

    def backward(self, ctx: Context, dy: Any) -> Any:
        shape, cut, enlarged = ctx.saved
        d = self.seen(dy)
        if enlarged is not None:
            d = resample(d, *(m.T.astype(d.dtype) for m in enlarged))
        dx = ctx.buffer("dx", shape)
        dx.fill(0)
        dx[cut] = d
        return self.shown(dx)


class UpSampling3D(Spatial):
    """Repeat the values of volumes (n, d, h, w, c) `size` times along each axis."""

    rank = 3
    fields: tuple[str, ...] = ("size", "data_format")

    def __init__(self, size: Any = 2, data_format: str | None = None, **options: Any) -> None:
        super().__init__(data_format, **options)
        self.size = sizes(size, self.rank, "size", self.name)

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        self.expect_axes(input_shapes[0])
        n, *places, c = self.seen_shape(input_shapes[0])
        factors = self.lifted(self.size)
        made = [None if s is None else s * k for s, k in zip(places, factors, strict=True)]
        return self.shown_shape((n, *made, c))

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        y = self.seen(inputs[0])
        ctx.saved = y.shape
        for axis, factor in enumerate(self.lifted(self.size), 1):
            y = np.repeat(y, factor, axis) if factor > 1 else y
        return self.shown(y)

    def backward(self, ctx: Context, dy: Any) -> Any:
        n, *places, c = ctx.saved
        factors = self.lifted(self.size)
        apart = [size for pair in zip(places, factors, strict=True) for size in pair]
        blocks = self.seen(dy).reshape(n, *apart, c)
        return self.shown(blocks.sum(axis=tuple(range(2, 2 * len(places) + 1, 2))))


class UpSampling1D(UpSampling3D):
    """Repeat the steps of sequences (n, steps, c) `size` times."""

    rank = 1
    fields: tuple[str, ...] = ("size",)

    def __init__(self, size: int = 2, **options: Any) -> None:
        super().__init__(positive(size, "size", "UpSampling1D"), **options)
        self.size: Any = size

    def lifted(self, sizes: Any, one: int = 1) -> tuple[int, ...]:
        return (one, sizes) if isinstance(sizes, int) else super().lifted(sizes, one)


class RepeatVector(Layer):
    """Repeat each vector: (n, features) -> (n, times, features)."""

    fields: tuple[str, ...] = ("n",)

    def __init__(self, n: int, **options: Any) -> None:
        super().__init__(**options)
        self.n = positive(n, "n", self.name)

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        expect_rank(input_shapes[0], 2, self)
        return (input_shapes[0][0], self.n, input_shapes[0][1])

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        return np.repeat(inputs[0][:, None], self.n, axis=1)

    def backward(self, ctx: Context, dy: Any) -> Any:
        return dy.sum(axis=1)


class Identity(Layer):
    """The input, unchanged."""

    supports_masking = True

    def only_kernels(self, ctx: Context) -> bool:
        return True

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        return inputs[0]

    def backward(self, ctx: Context, dy: Any) -> Any:
        return dy


class ActivityRegularization(Identity):
    """Add a penalty on the input to the loss: l1 * sum |x| + l2 * sum x^2, by the batch's size."""

    fields: tuple[str, ...] = ("l1", "l2")

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **options: Any) -> None:
        super().__init__(activity_regularizer=L1L2(l1, l2), **options)
        self.l1, self.l2 = l1, l2

    def get_config(self) -> Config:
        settings = super().get_config()
        del settings["activity_regularizer"]
        return settings


def resample(x: Array, rows: Array, columns: Array) -> Array:
    """Multiply the two image axes of (n, h, w, c) by (oh, h) and (ow, w)."""
    n, h, w, c = x.shape
    down = np.broadcast_to(rows, (n, *rows.shape))
    across = np.broadcast_to(columns, (n, len(rows), *columns.shape))
    tall = kernels.batch_matmul(down, x.reshape(n, h, w * c))
    return kernels.batch_matmul(across, tall.reshape(n, len(rows), w, c))
