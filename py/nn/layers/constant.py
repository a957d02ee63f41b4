"""Arrays in a graph: `x + positions`, `Add()([x, a])`, `attention_mask=` and `initial_state=`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn.context import Context
from nn.data.numeric import numeric
from nn.errors import ShapeError
from nn.graph import SymbolicTensor
from nn.layers.base import Layer
from nn.types import Array, Config, Shape


class ConstantArray(Layer):
    """An array of numbers, which learns nothing: (n, ...) -> (n, ...), of the input only n counts.

    The calls of layers and the operators make it where they are given an array. Keras keeps such an
    array in the call.

    Args:
        value: with the batch's axis first, of size 1 for batches of any size.

    Raises:
        ShapeError: the array has no axis or no elements, or another size of the batch.
    """

    fields: tuple[str, ...] = ("value",)

    def __init__(self, value: Any, **options: Any) -> None:
        super().__init__(**options)
        array = numeric(value, self.name)
        if not array.ndim or not array.size:
            raise ShapeError(
                f"{self.name}: expected an array with the batch's axis first, received "
                f"{f'shape {array.shape}' if array.ndim else f'the number {array}'}"
            )
        self.value = np.array(array, self.dtype if array.dtype.kind == "f" else None)

    def get_config(self) -> Config:
        return super().get_config() | {"value": self.value.tolist()}

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        size = input_shapes[0][0]
        if size is not None and len(self.value) not in (1, size):
            raise ShapeError(
                f"{self.name}: expected an array for each batch of {size}, the first axis 1 or "
                f"{size}, received shape {self.value.shape}"
            )
        return (size, *self.value.shape[1:])

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        ctx.saved = x
        self.compute_output_shape(x.shape)
        y = ctx.buffer("y", (len(x), *self.value.shape[1:]))
        y[...] = self.value
        return y

    def backward(self, ctx: Context, dy: Any) -> Any:
        return np.zeros_like(ctx.saved) if ctx.needs_input_gradient else None


def placed(inputs: Sequence[Any], where: str) -> list[Any]:
    """Return the inputs of a call with each array as a symbolic tensor; see `constant`."""
    return [i if isinstance(i, SymbolicTensor) else constant(i, inputs, where) for i in inputs]


def constant(value: Any, inputs: Sequence[Any], where: str, rank: int = 0) -> Any:
    """Return an array as a symbolic tensor.

    Args:
        value: the array.
        inputs: the inputs of a call, one of which is a symbolic tensor, of whose graph it becomes
            a part.
        where: the name of the layer that is called, for messages.
        rank: the number of axes that the layer needs; axes of size 1 come before the array's.

    Raises:
        DataError: the values are not numbers.
        ShapeError: the array has more than `rank` axes; and as `ConstantArray`.
    """
    array = numeric(value, where)
    if 0 < rank < array.ndim:
        raise ShapeError(
            f"{where}: expected an array of at most {rank} axes, received shape {array.shape}"
        )
    tensor = next(item for item in inputs if isinstance(item, SymbolicTensor))
    return ConstantArray(array.reshape((1,) * (rank - array.ndim) + array.shape))(tensor)
