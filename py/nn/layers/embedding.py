"""Embedding: a trainable vector for each integer index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from nn import kernels
from nn.context import Context
from nn.errors import ShapeError
from nn.keras_arguments import LeftOut
from nn.layers.base import Layer, positive
from nn.layers.core import LORA
from nn.types import Array, Shape


class Embedding(Layer):
    """(n, ...) indices -> (n, ..., output_dim) rows of a learnt table (input_dim, output_dim).

    Args:
        mask_zero: index 0 is padding, which is masked for the following layers.
        weights: the table to begin with, or [table].
    """

    fields: tuple[str, ...] = (
        "input_dim", "output_dim", "embeddings_initializer", "embeddings_regularizer",
        "embeddings_constraint", "activity_regularizer", "mask_zero",
    )  # fmt: skip
    left_out: ClassVar[LeftOut] = LORA
    reads_indices = True

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.input_dim = positive(input_dim, "input_dim", self.name)
        self.output_dim = positive(output_dim, "output_dim", self.name)
        self.set_options(
            "embeddings", embeddings_initializer, embeddings_regularizer, embeddings_constraint
        )
        self.mask_zero = self.supports_masking = self.begins_mask = mask_zero
        if weights is not None:
            self.ensure_built((None,))
            self.set_weights(weights if isinstance(weights, list | tuple) else [weights])

    def build(self, *input_shapes: Shape) -> None:
        self.embeddings = self.add_named("embeddings", (self.input_dim, self.output_dim))

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        return (*input_shapes[0], self.output_dim)

    def mask_after(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Any:
        return inputs[0] != 0 if self.mask_zero else None

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
            rows, table = dy.reshape(-1, self.output_dim), ctx.gradient(self.embeddings)
            kernels.add_rows(rows, ctx.saved.reshape(-1), table)
        # Indices have no gradient; zeros avoid a special case in the layer below.
        return np.zeros(ctx.saved.shape, dy.dtype) if ctx.needs_input_gradient else None
