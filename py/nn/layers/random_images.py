"""Images changed at random in training: the identity otherwise, each image with a draw of its own.

A layer called on arrays changes them too, as in Keras, unless `training=False` is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from nn import kernels
from nn.context import Context
from nn.data.resizing import matrix
from nn.data.sampling import FILL_MODES, Sampled, Sampling
from nn.errors import ConfigError, ShapeError
from nn.layers.base import one_of, positive
from nn.layers.data_format import Spatial
from nn.layers.shaping import resample
from nn.types import Array, Shape

KINDS = ("nearest", "bilinear")


class RandomImages(Spatial):
    """Base of the layers: (n, h, w, c) -> the same, or one image (h, w, c) on its own.

    A subclass draws and applies: `draw` returns the numbers of a batch, `change` the images that
    they make of others, with what `unchange` needs to return the gradient.
    """

    def __init__(
        self, seed: int | None = None, data_format: str | None = None, **options: Any
    ) -> None:
        super().__init__(data_format, **options)
        self.seed = seed
        self.rng = np.random.default_rng(seed) if seed is not None else None

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        """Return what is drawn for images of a shape, channels last."""
        raise NotImplementedError

    def change(self, x: Array, drawn: Any) -> tuple[Array, Any]:
        """Return the changed images, and what `unchange` needs."""
        raise NotImplementedError

    def unchange(self, dy: Array, saved: Any) -> Array:
        """Return the gradient of the images."""
        raise NotImplementedError

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        self.expect_axes(input_shapes[0])
        return input_shapes[0]

    def expect_shapes(self, *shapes: Shape) -> None:
        """Do nothing: `forward` takes one image too, and says so."""

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        if x.ndim not in (3, 4):
            raise ShapeError(f"{self.name}: expected images of 3 or 4 axes, received {x.shape}")
        images = self.seen(x if x.ndim == 4 else x[None])
        if training is False:
            y, ctx.saved = self.predicted(images)
        else:  # None is a call on arrays, which changes them
            y, ctx.saved = self.change(images, self.draw(ctx.generator(self.rng), images.shape))
        shown: Array = self.shown(y)
        return shown if x.ndim == 4 else shown[0]

    def predicted(self, x: Array) -> tuple[Array, Any]:
        """Return the images as they are in predictions, and what `unchange` needs, or None."""
        return x, None

    def backward(self, ctx: Context, dy: Any) -> Any:
        if ctx.saved is None:
            return dy
        return self.shown(self.unchange(self.seen(dy), ctx.saved))


def bounds(value: Any, what: str, layer: str, least: float, most: float) -> tuple[float, float]:
    """Return the limits of a factor: a pair, or -value and value.

    Raises:
        ConfigError: it is something else, or outside `least` to `most`.
    """
    pair = list(value) if isinstance(value, list | tuple) else [-abs(value), abs(value)]
    if len(pair) != 2 or any(not least <= n <= most for n in map(float, np.ravel(value))):
        raise ConfigError(
            f"{layer}: expected {what} to be a number or two from {least} to {most}, "
            f"received {value!r}"
        )
    low, high = sorted(map(float, pair))
    return max(low, least), high


class RandomFlip(RandomImages):
    """Mirror half of the images.

    Args:
        mode: "horizontal" (left and right change places), "vertical" or "horizontal_and_vertical",
            which turns an image by 180 degrees.
        seed: seed of a separate generator; by default the layer uses the model's.
    """

    fields: tuple[str, ...] = ("mode", "seed", "data_format")
    AXES: ClassVar[dict[str, tuple[int, ...]]] = {
        "horizontal": (2,),
        "vertical": (1,),
        "horizontal_and_vertical": (1, 2),
    }

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(seed, data_format, **options)
        self.mode = one_of(mode, tuple(self.AXES), "mode", self.name)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        return rng.random((shape[0], 1, 1, 1)) <= 0.5

    def change(self, x: Array, drawn: Any) -> tuple[Array, Any]:
        return np.where(drawn, np.flip(x, self.AXES[self.mode]), x), drawn

    def unchange(self, dy: Array, saved: Any) -> Array:
        return self.change(dy, saved)[0]


class Moving(RandomImages):
    """Base of the layers that sample images at other places."""

    def __init__(
        self,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(seed, data_format, **options)
        self.fill_mode = one_of(fill_mode, FILL_MODES, "fill_mode", self.name)
        self.interpolation = one_of(interpolation, KINDS, "interpolation", self.name)
        self.fill_value = fill_value

    def maps(self, drawn: Any, height: int, width: int) -> Array:
        """Return (n, 6), the maps of `Sampled` for what was drawn."""
        raise NotImplementedError

    def change(self, x: Array, drawn: Any) -> tuple[Array, Any]:
        how = Sampling(self.maps(drawn, *x.shape[1:3]), self.interpolation, self.fill_mode)
        return how.forward(x, self.fill_value), how

    def unchange(self, dy: Array, saved: Any) -> Array:
        return Sampled(dy.shape, *saved).backward(dy)


class RandomRotation(Moving):
    """Rotate images about their middle.

    Args:
        factor: the largest angle, in parts of a whole turn, or the limits of the angle.
        fill_mode: what lies outside an image: "reflect", "wrap", "constant" (`fill_value`) or
            "nearest".
        interpolation: "bilinear" or "nearest".
        seed: seed of a separate generator; by default the layer uses the model's.
    """

    fields: tuple[str, ...] = (
        "factor", "fill_mode", "interpolation", "seed", "fill_value", "data_format",
    )  # fmt: skip

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **options)
        self.factor = bounds(factor, "factor", self.name, -1, 1)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        return 360 * rng.uniform(*self.factor, shape[0])

    def maps(self, drawn: Any, height: int, width: int) -> Array:
        turn = np.radians(drawn)
        cos, sin = np.cos(turn), np.sin(turn)
        x, y = (width - 1) / 2, (height - 1) / 2
        return np.stack([cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos], axis=1)


class RandomZoom(Moving):
    """Enlarge or shrink images about their middle.

    Args:
        height_factor: limits of the zoom, or the largest: 0.2 shows up to 20 % more of the image
            (it becomes smaller), -0.2 up to 20 % less.
        width_factor: the same for the width; by default the height's zoom, so that nothing is
            stretched.
        fill_mode, interpolation, seed, fill_value: as those of `RandomRotation`.
    """

    fields: tuple[str, ...] = (
        "height_factor", "width_factor", "fill_mode", "interpolation", "seed", "fill_value",
        "data_format",
    )  # fmt: skip

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **options)
        self.height_factor = height_factor
        self.width_factor = width_factor
        self.tall = bounds(height_factor, "height_factor", self.name, -1, 1)
        self.wide = (
            None if width_factor is None else bounds(width_factor, "width_factor", self.name, -1, 1)
        )

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        tall = 1 + rng.uniform(*self.tall, shape[0])
        return tall, tall if self.wide is None else 1 + rng.uniform(*self.wide, shape[0])

    def maps(self, drawn: Any, height: int, width: int) -> Array:
        tall, wide = drawn
        no = np.zeros_like(tall)
        x, y = (width - 1) / 2 * (1 - wide), (height - 1) / 2 * (1 - tall)
        return np.stack([wide, no, x, no, tall, y], axis=1)


class RandomTranslation(Moving):
    """Move images.

    Args:
        height_factor: the longest way down, in parts of the height, or the limits of the way.
        width_factor: the longest way to the right, in parts of the width, or its limits.
        fill_mode, interpolation, seed, fill_value: as those of `RandomRotation`.
    """

    fields: tuple[str, ...] = RandomZoom.fields

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **options)
        self.height_factor = height_factor
        self.width_factor = width_factor
        self.tall = bounds(height_factor, "height_factor", self.name, -1, 1)
        self.wide = bounds(width_factor, "width_factor", self.name, -1, 1)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        n, h, w, _ = shape
        return h * rng.uniform(*self.tall, n), w * rng.uniform(*self.wide, n)

    def maps(self, drawn: Any, height: int, width: int) -> Array:
        down, right = drawn
        one, no = np.ones_like(down), np.zeros_like(down)
        return np.stack([one, no, -right, no, one, -down], axis=1)


class RandomContrast(RandomImages):
    """Move the values of an image away from the mean of each of its channels.

    Args:
        factor: most of what is added to 1, the contrast of the image itself; or two numbers, of
            which the first is subtracted at most.
        value_range: the limits that values are held to.
        seed: seed of a separate generator; by default the layer uses the model's.
    """

    fields: tuple[str, ...] = ("factor", "value_range", "seed", "data_format")

    def __init__(
        self,
        factor: Any,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(seed, **options)
        self.factor = bounds(factor, "factor", self.name, 0, 1)
        self.value_range = limits(value_range, self.name)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        return rng.uniform(1 - self.factor[0], 1 + self.factor[1], (shape[0], 1, 1, 1))

    def change(self, x: Array, drawn: Any) -> tuple[Array, Any]:
        factor = np.asarray(drawn, x.dtype)
        mean = _means(x)
        y = (x - mean) * factor + mean
        return np.clip(y, *self.value_range), (factor, kept(y, self.value_range))

    def unchange(self, dy: Array, saved: Any) -> Array:
        factor, inside = saved
        d = dy * inside
        return d * factor + _means(d) * (1 - factor)


class RandomBrightness(RandomImages):
    """Add a number to all values of an image.

    Args:
        factor: the largest number, in parts of the range of values, or its limits.
        value_range: the limits that values are held to.
        seed: seed of a separate generator; by default the layer uses the model's.
    """

    fields: tuple[str, ...] = RandomContrast.fields

    def __init__(
        self,
        factor: Any,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(seed, **options)
        self.factor = bounds(factor, "factor", self.name, -1, 1)
        self.value_range = limits(value_range, self.name)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        low, high = self.value_range
        return (high - low) * rng.uniform(*self.factor, (shape[0], 1, 1, 1))

    def change(self, x: Array, drawn: Any) -> tuple[Array, Any]:
        y = x + np.asarray(drawn, x.dtype)
        return np.clip(y, *self.value_range), kept(y, self.value_range)

    def unchange(self, dy: Array, saved: Any) -> Array:
        inside: Array = dy * saved
        return inside


def limits(value_range: Sequence[float], layer: str) -> tuple[float, float]:
    """Return two numbers in order; raise ConfigError if it is anything else."""
    if not isinstance(value_range, list | tuple) or len(value_range) != 2:
        raise ConfigError(f"{layer}: expected value_range of two numbers, received {value_range!r}")
    low, high = sorted(value_range)
    return low, high


def _means(x: Array) -> Array:
    """Return the mean of each channel of an image: (n, h, w, c) -> (n, 1, 1, c)."""
    n, channels = len(x), x.shape[-1]
    rows = x.reshape(n, x.shape[1] * x.shape[2], channels)
    return kernels.mean_places(rows).reshape(n, 1, 1, channels)


def kept(y: Array, value_range: tuple[float, float]) -> Array:
    """Return where values lie in a range, so that a change of theirs goes through."""
    inside: Array = (y >= value_range[0]) & (y <= value_range[1])
    return inside


class RandomCrop(RandomImages):
    """Cut a part out of images, the same place for a batch: (n, h, w, c) -> (n, height, width, c).

    Predictions take the largest part of the output's proportions in the middle, and resize it
    (bilinear). Images that are too small are resized in training too.
    """

    fields: tuple[str, ...] = ("height", "width", "seed", "data_format")

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(seed, data_format, **options)
        self.height = positive(height, "height", self.name)
        self.width = positive(width, "width", self.name)

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        n, _, _, c = self.seen_shape(super().compute_output_shape(*input_shapes))
        return self.shown_shape((n, self.height, self.width, c))

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        _, h, w, _ = shape
        if h > self.height and w > self.width:
            places = rng.integers((h - self.height + 1, w - self.width + 1))
            return int(places[0]), int(places[1])
        return self._middle(h, w)[:2]

    def _middle(self, h: int, w: int) -> tuple[int, int, int, int]:
        """Return top, left, height and width of the largest part of the output's proportions."""
        tall = max(min(h, int(w * self.height / self.width)), 1)
        wide = max(min(w, int(h * self.width / self.height)), 1)
        return (h - tall) // 2, (w - wide) // 2, tall, wide

    def change(self, x: Array, drawn: Any) -> tuple[Array, Any]:
        return self._cut(x, (*drawn, self.height, self.width))

    def predicted(self, x: Array) -> tuple[Array, Any]:
        return self._cut(x, self._middle(x.shape[1], x.shape[2]))

    def _cut(self, x: Array, place: tuple[int, int, int, int]) -> tuple[Array, Any]:
        top, left, tall, wide = place
        cut = (slice(None), slice(top, top + tall), slice(left, left + wide))
        part = np.ascontiguousarray(x[cut])
        if part.shape[1:3] == (self.height, self.width):
            return part, (x.shape, cut, None)
        rows = matrix(part.shape[1], self.height, dtype=x.dtype)
        columns = matrix(part.shape[2], self.width, dtype=x.dtype)
        return resample(part, rows, columns), (x.shape, cut, (rows, columns))

    def unchange(self, dy: Array, saved: Any) -> Array:
        shape, cut, resized = saved
        dx = np.zeros(shape, dy.dtype)
        dx[cut] = dy if resized is None else resample(dy, *(m.T for m in resized))
        return dx


class RandomWidth(RandomImages):
    """Resize images to another width, the same for a batch: (n, h, w, c) -> (n, h, about w, c).

    Keras 3 has it no more; pixels are taken as by TensorFlow.js.

    Args:
        factor: most of what the width grows or shrinks by, in parts of it, or the limits.
        interpolation: "bilinear" or "nearest".
        seed: seed of a separate generator; by default the layer uses the model's.
    """

    fields: tuple[str, ...] = ("factor", "interpolation", "seed", "data_format")
    axis: ClassVar[int] = 2
    """The axis of (n, h, w, c) that changes."""

    def __init__(
        self,
        factor: Any,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(seed, data_format, **options)
        self.factor = bounds(factor, "factor", self.name, -1, 1)
        self.interpolation = one_of(interpolation, KINDS, "interpolation", self.name)

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        shape = list(self.seen_shape(super().compute_output_shape(*input_shapes)))
        shape[self.axis] = None
        return self.shown_shape(tuple(shape))

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        return max(1, round(shape[self.axis] * (1 + rng.uniform(*self.factor))))

    def change(self, x: Array, drawn: Any) -> tuple[Array, Any]:
        size = x.shape[self.axis]
        one = np.eye(x.shape[3 - self.axis], dtype=x.dtype)
        other = matrix(size, drawn, self.interpolation, x.dtype, half_pixel_centers=False)
        sides = (one, other) if self.axis == 2 else (other, one)
        return resample(x, *sides), sides

    def unchange(self, dy: Array, saved: Any) -> Array:
        return resample(dy, *(side.T for side in saved))


class RandomHeight(RandomWidth):
    """Resize images to another height, as `RandomWidth`: (n, h, w, c) -> (n, about h, w, c)."""

    axis = 1
