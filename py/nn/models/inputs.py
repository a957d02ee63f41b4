"""What a model is given to look at: arrays, a Dataset, several of them, or a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nn.data.dataset import Dataset
from nn.errors import EmptyError, ShapeError

if TYPE_CHECKING:
    from nn.models.model import Model


def as_list(value: Any) -> list[Any]:
    """Return the items of a list, nothing for None, and anything else as the one item."""
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def is_stream(x: Any) -> bool:
    """Say whether data come one batch after the other.

    Raises:
        EmptyError: there are none.
    """
    if x is None:
        raise EmptyError("expected data, received None")
    if isinstance(x, Dataset | np.ndarray | dict | list | tuple):
        return False
    if hasattr(x, "__array__"):
        return False
    return callable(x) or hasattr(x, "__iter__") or hasattr(x, "__aiter__")


def by_name(model: Model, x: dict[str, Any]) -> list[Any]:
    """Return the arrays of a dict in the order of the model's inputs.

    Raises:
        ShapeError: one is missing.
    """
    names = [t.node.layer.name for t in model.inputs]
    missing = [n for n in names if n not in x]
    if missing:
        raise ShapeError(f"{model.name}: expected inputs {names}, received {sorted(x)}")
    return [x[n] for n in names]


def inputs(model: Model, x: Any) -> tuple[list[Any], bool]:
    """Return an array or Dataset for each input, checked, and whether a batch axis was added."""
    items = by_name(model, x) if isinstance(x, dict) else as_list(x)
    if (
        len(model.inputs) == 1
        and isinstance(x, list | tuple)
        and not (len(items) == 1 and isinstance(items[0], np.ndarray | Dataset))
    ):
        items = [np.asarray(x)]  # nested lists of numbers
    if len(items) != len(model.inputs):
        raise ShapeError(
            f"{model.name}: expected {len(model.inputs)} inputs, received {len(items)}"
        )
    result: list[Any] = []
    single = False
    for item, tensor in zip(items, model.inputs, strict=True):
        if isinstance(item, Dataset):
            if item.shape != tuple(tensor.shape[1:]) and None not in tensor.shape[1:]:
                raise ShapeError(
                    f"{model.name}: expected samples of shape {tensor.shape[1:]}, received "
                    f"{item.shape}"
                )
            result.append(item)
            continue
        array, added = model.adapt_one(item, tensor)
        result.append(array)
        single = single or added
    return result, single
