"""Data sets in memory, scaled batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn import kernels
from nn.errors import ShapeError
from nn.keras_arguments import Checked
from nn.lazy import load
from nn.types import Array


class Dataset(metaclass=Checked):
    """Samples and labels, stored in the dtype they are given in.

    Images stay uint8: 60,000 images of 28x28 take 47 MB, and 188 MB as float32, and WebAssembly's
    memory never shrinks. Each batch is gathered and scaled on demand: x * scale + offset.

    Args:
        x: (n, ...) samples; uint8 images (n, h, w) get a channel axis.
        y: (n, ...) labels, or None.
        scale: factor of `x`; by default 1/255 for uint8 and 1 otherwise.
        offset: added after scaling.
        class_names: names of the integer labels.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        *,
        scale: float | None = None,
        offset: float = 0.0,
        class_names: Sequence[str] | None = None,
    ) -> None:
        self.x = np.asarray(x)
        if self.x.dtype == np.uint8 and self.x.ndim == 3:
            self.x = self.x[..., None]
        self.y = None if y is None else np.asarray(y)
        shapes = [array.shape for array in (self.x, self.y) if array is not None]
        if () in shapes or shapes[0][0] != shapes[-1][0]:
            raise ShapeError(
                f"Dataset: expected as many labels as samples, received shapes {shapes}"
            )
        self.scale = (1 / 255 if self.x.dtype == np.uint8 else 1.0) if scale is None else scale
        self.offset = offset
        self.class_names = list(class_names) if class_names is not None else None

    @classmethod
    def from_idx(cls, images: Any, labels: Any, **options: Any) -> Dataset:
        """Read IDX files like MNIST's, gzipped or not: images of rank 3 and labels of rank 1."""
        parse = load("nn.data.idx").parse_idx
        return cls(parse(images, rank=3), parse(labels, rank=1), **options)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return self.x.shape[1:]

    def batch(self, indices: Array, out: Array) -> Array:
        """Write the scaled samples at `indices` into `out`."""
        if self.x.dtype == np.uint8:
            return kernels.gather_scale(self.x, indices, self.scale, self.offset, out)
        np.copyto(out, self.x[indices], casting="unsafe")
        if self.scale != 1.0:
            out *= out.dtype.type(self.scale)
        if self.offset:
            out += out.dtype.type(self.offset)
        return out

    def get_state(self) -> Any:
        """Return the state carried from batch to batch, or None.

        A subclass whose `batch` draws random numbers returns its generator's state here, so that a
        run can be resumed exactly.
        """
        return None

    def set_state(self, state: Any) -> None:
        """Restore what `get_state` returned."""

    def labels(self, indices: Array) -> Array | None:
        """Return the labels at `indices`."""
        return None if self.y is None else self.y[indices]

    def take(self, count: int, *, start: int = 0) -> Dataset:
        """Return a data set of `count` samples from `start` on (views, not copies)."""
        return self.slice(start, start + count)

    def slice(self, start: int, stop: int) -> Dataset:
        """Return a data set of the samples from `start` to `stop` (views, not copies)."""
        return Dataset(
            self.x[start:stop],
            None if self.y is None else self.y[start:stop],
            scale=self.scale,
            offset=self.offset,
            class_names=self.class_names,
        )

    def class_counts(self) -> list[int]:
        """Return the number of samples of each class, class 0 first.

        Raises:
            ShapeError: there are no integer labels, or one is below 0.
        """
        if self.y is None or self.y.dtype.kind not in "iu":
            kind = None if self.y is None else self.y.dtype
            raise ShapeError(f"class_counts: expected integer labels, received {kind}")
        if self.y.size and self.y.min() < 0:
            raise ShapeError(f"class_counts: expected labels from 0 on, received {self.y.min()}")
        return [int(n) for n in np.bincount(self.y.reshape(-1))]
