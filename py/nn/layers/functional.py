"""Merging layers as functions, named as in Keras 3: `add([a, b])` is `Add()([a, b])`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nn.layers import merging
from nn.layers.base import serialize as serialize
from nn.lazy import load


def add(inputs: Sequence[Any], **options: Any) -> Any:
    """Return the sum of the inputs."""
    return merging.Add(**options)(inputs)


def subtract(inputs: Sequence[Any], **options: Any) -> Any:
    """Return the first input less the second."""
    return merging.Subtract(**options)(inputs)


def multiply(inputs: Sequence[Any], **options: Any) -> Any:
    """Return the product of the inputs."""
    return merging.Multiply(**options)(inputs)


def average(inputs: Sequence[Any], **options: Any) -> Any:
    """Return the mean of the inputs."""
    return merging.Average(**options)(inputs)


def maximum(inputs: Sequence[Any], **options: Any) -> Any:
    """Return the largest of the inputs at each place."""
    return merging.Maximum(**options)(inputs)


def minimum(inputs: Sequence[Any], **options: Any) -> Any:
    """Return the smallest of the inputs at each place."""
    return merging.Minimum(**options)(inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1, **options: Any) -> Any:
    """Return the inputs side by side along an axis."""
    return merging.Concatenate(axis=axis, **options)(inputs)


def dot(inputs: Sequence[Any], axes: Any = -1, normalize: bool = False, **options: Any) -> Any:
    """Return the sums of products of two inputs along an axis of each."""
    made = load("nn.layers.dot_product").Dot(axes=axes, normalize=normalize, **options)
    return made(inputs)
