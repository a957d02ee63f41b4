"""CategoryEncoding: whole numbers as rows of zeros and ones."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from nn.context import Context
from nn.errors import ShapeError
from nn.keras_arguments import LeftOut
from nn.layers.base import Layer, one_of, positive
from nn.layers.encoding import encode
from nn.types import Array, Shape


class CategoryEncoding(Layer):
    """Encode numbers from 0 to num_tokens - 1: (n, ..., tokens) -> (n, ..., num_tokens).

    Called with `count_weights` of the shape of the numbers, "count" adds a number's weight for 1.

    Args:
        num_tokens: how many numbers there are.
        output_mode: "multi_hot" (1 where a number occurs on the last axis), "count" (how often), or
            "one_hot": (n, ..., tokens, num_tokens), a last axis of size 1 being left out.
    """

    fields: tuple[str, ...] = ("num_tokens", "output_mode")
    several_inputs = reads_indices = True
    left_out: ClassVar[LeftOut] = {"sparse": (False, "arrays are dense")}

    def __init__(
        self, num_tokens: Any = None, output_mode: str = "multi_hot", **options: Any
    ) -> None:
        super().__init__(**options)
        self.num_tokens = positive(num_tokens or 0, "num_tokens", self.name)
        known = ("multi_hot", "one_hot", "count")
        self.output_mode: str = one_of(output_mode, known, "output_mode", self.name)

    def __call__(self, *inputs: Any, count_weights: Any = None, **options: Any) -> Any:
        """Call the layer; see `Layer.__call__`.

        Args:
            inputs: the numbers.
            count_weights: how much each number counts.
            options: `training` and `mask`.

        Raises:
            ShapeError: the weights are not of the shape of the numbers, or the mode is not "count".
        """
        return super().__call__(
            *inputs, *([] if count_weights is None else [count_weights]), **options
        )

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        shape, *weights = input_shapes
        if weights and (self.output_mode != "count" or weights != [shape]):
            raise ShapeError(
                f"{self.name}: expected numbers, and in the mode 'count' perhaps weights of their "
                f"shape {shape}, received {weights} in the mode {self.output_mode!r}"
            )
        kept = shape if self.output_mode == "one_hot" and shape[-1:] != (1,) else shape[:-1]
        return (*kept, self.num_tokens)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        tokens, weights = inputs[0].astype(np.intp), None
        if len(inputs) > 1:
            self.compute_output_shape(*[x.shape for x in inputs])
            weights = inputs[1]
        if tokens.size and not (tokens.min() >= 0 and tokens.max() < self.num_tokens):
            raise ShapeError(
                f"{self.name}: expected numbers from 0 to {self.num_tokens - 1}, received "
                f"{tokens.min()} to {tokens.max()}"
            )
        ctx.saved = tokens, weights is not None
        return encode(tokens, self.output_mode, self.num_tokens, self.dtype, weights)

    def backward(self, ctx: Context, dy: Any) -> Any:
        # Whole numbers have no gradient; zeros avoid a special case in the layer below.
        tokens, weighted = ctx.saved
        dx = np.zeros(tokens.shape, dy.dtype)
        return (dx, np.take_along_axis(dy, tokens, -1)) if weighted else dx
