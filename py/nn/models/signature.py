"""Arrays that come from outside, fitted to the axes of a model's inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.errors import ShapeError
from nn.graph import SymbolicTensor
from nn.types import Array, Shape


def fit_as(value: Any, tensor: SymbolicTensor, model: str) -> tuple[Array, bool]:
    """Return `value` in the type and axes of `tensor`, and whether a batch axis was added."""
    array = np.asarray(value)
    if array.dtype != tensor.dtype:
        array = array.astype(tensor.dtype)
    return fit(array, tensor, model)


def fit(array: Array, tensor: SymbolicTensor, model: str) -> tuple[Array, bool]:
    """Return an array with the axes of `tensor`, and whether a batch axis was added.

    Raises:
        ShapeError: neither it nor one sample, nor grey images without channels, fit.
    """
    expected = tensor.shape
    if array.ndim == len(expected) - 1:
        if expected[-1] == 1 and _matches(array.shape, expected[:-1]):
            return array[..., None], False
        if _matches(array.shape, expected[1:]):
            return array[None], True
    if not _matches(array.shape, expected):
        wanted = "(" + ", ".join("n" if s is None else str(s) for s in expected) + ")"
        raise ShapeError(
            f"{model}: expected input of shape {wanted} at {tensor.node.layer.name!r}, "
            f"received {array.shape}"
        )
    return array, False


def _matches(shape: tuple[int, ...], expected: Shape) -> bool:
    return len(shape) == len(expected) and all(
        e is None or s == e for s, e in zip(shape, expected, strict=True)
    )
