"""Arrays as networks take them: one-hot labels, padded sequences, rows of length 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn.data.numeric import numeric, whole
from nn.errors import ConfigError, DataError, ShapeError
from nn.keras_arguments import checked
from nn.types import Array


@checked
def to_categorical(x: Any, num_classes: int | None = None) -> Array:
    """Return integer labels (n, ...) as one-hot vectors (n, ..., num_classes) of float32.

    Args:
        x: labels from 0 on; a last axis of size 1 is dropped.
        num_classes: by default one more than the largest label.

    Raises:
        ShapeError: a label is negative, or not below `num_classes`.
    """
    labels = numeric(x, "to_categorical").astype(np.int64)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    largest = int(labels.max(initial=-1))
    classes = largest + 1 if num_classes is None else num_classes
    if largest >= classes or labels.min(initial=0) < 0:
        raise ShapeError(
            f"to_categorical: expected labels from 0 to {classes - 1}, "
            f"received {labels.min()} to {largest}"
        )
    found = np.zeros((*labels.shape, classes), np.float32)
    np.put_along_axis(found, labels[..., None], 1, axis=-1)
    return found


@checked
def pad_sequences(
    sequences: Sequence[Sequence[Any]],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> Array:
    """Return sequences of several lengths as one array (n, maxlen, ...).

    Args:
        sequences: the sequences.
        maxlen: length of all; by default that of the longest.
        dtype: type of the array.
        padding: "pre" or "post": where to add `value`.
        truncating: "pre" or "post": where to cut a longer sequence.
        value: fills the rest.

    Raises:
        ConfigError: `padding` or `truncating` is something else, or `maxlen` no length.
        DataError: an item of `sequences` is no sequence.
        ShapeError: the items of the sequences have several shapes.
    """
    for item in sequences:
        if not hasattr(item, "__len__"):
            raise DataError(f"pad_sequences: expected sequences, received {item!r} among them")
    for name, side in (("padding", padding), ("truncating", truncating)):
        if side not in ("pre", "post"):
            raise ConfigError(f"pad_sequences: expected {name} 'pre' or 'post', received {side!r}")
    longest = max(map(len, sequences), default=0)
    length = longest if maxlen is None else whole(maxlen, "pad_sequences: maxlen", 0)
    inner = next((np.shape(s)[1:] for s in sequences if len(s)), ())
    found = np.full((len(sequences), length, *inner), value, dtype)
    for row, sequence in zip(found, sequences, strict=True):
        kept = sequence[max(len(sequence) - length, 0) :]
        items = np.asarray(kept if truncating == "pre" else sequence[:length], dtype)
        if not len(items):
            continue
        if items.shape[1:] != inner:
            raise ShapeError(
                f"pad_sequences: expected items of shape {inner}, received {items.shape[1:]}"
            )
        row[length - len(items) if padding == "pre" else 0 :][: len(items)] = items
    return found


@checked
def normalize(x: Any, axis: Any = -1, order: Any = 2) -> Array:
    """Return `x` divided by its norm of this order along an axis; zeros stay zeros."""
    array = numeric(x, "normalize")
    norm = np.atleast_1d(np.linalg.norm(array, order, axis, keepdims=True))
    norm[norm == 0] = 1
    return np.asarray(array / norm)
