"""Vectors for indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import initializers
from nn.context import Context
from nn.errors import ConfigError, ShapeError
from nn.layers.base import Layer, positive
from nn.types import Array, Shape


class Embedding(Layer):
    """(n, ...) indices -> (n, ..., output_dim) rows of a learnt table (input_dim, output_dim)."""

    fields: tuple[str, ...] = ("input_dim", "output_dim", "embeddings_initializer", "mask_zero")

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        mask_zero: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.input_size = positive(input_dim, "input_dim", self.name)
        self.output_dim = positive(output_dim, "output_dim", self.name)
        if mask_zero:
            raise ConfigError(f"{self.name}: masks are not supported, received mask_zero=True")
        self.input_dim = self.input_size
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.mask_zero = mask_zero

    def build(self, *input_shapes: Shape) -> None:
        self.embeddings = self.add_weight(
            "embeddings", (self.input_dim, self.output_dim), self.embeddings_initializer
        )

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        return (*input_shapes[0], self.output_dim)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        indices = inputs[0].astype(np.intp)
        if indices.size and not (indices.min() >= 0 and indices.max() < self.input_dim):
            raise ShapeError(
                f"{self.name}: expected indices from 0 to {self.input_dim - 1}, "
                f"received {indices.min()} to {indices.max()}"
            )
        ctx.saved = indices
        out = ctx.buffer("y", (*indices.shape, self.output_dim))
        return np.take(self.embeddings.value, indices, axis=0, out=out, mode="clip")

    def backward(self, ctx: Context, dy: Any) -> Any:
        if ctx.trains(self.embeddings):
            rows = dy.reshape(-1, self.output_dim)
            np.add.at(ctx.gradient(self.embeddings), ctx.saved.reshape(-1), rows)
        # Indices have no gradient; zeros let a layer below be asked without a special case.
        return np.zeros(ctx.saved.shape, dy.dtype) if ctx.needs_input_gradient else None
