"""Signatures: the names, shapes and dtypes that a model accepts, and data fitted to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn.data.dataset import Dataset
from nn.data.numeric import cast, numeric
from nn.errors import EmptyError, ShapeError
from nn.types import Array, Shape


def as_list(value: Any) -> list[Any]:
    """Return the items of a list, nothing for None, and anything else as the one item."""
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def data_items(x: Any, count: int) -> list[Any]:
    """Return data as one item for each of `count` inputs or outputs.

    A list is the items of several, and of one input either that item in a list, as an array or a
    Dataset, or nested lists of its numbers.
    """
    if not isinstance(x, list | tuple):
        return [] if x is None else [x]
    if count > 1 or (len(x) == 1 and _is_whole(x[0])):
        return list(x)
    return [x]


def _is_whole(item: Any) -> bool:
    """Return whether an item is the data of an input, and no row of them."""
    return isinstance(item, Dataset) or (hasattr(item, "__array__") and np.ndim(item) > 0)


def is_indexed(x: Any) -> bool:
    """Return whether `x` gives batches by number, as a `keras.utils.PyDataset` does."""
    # Keras 3.15's own PyDataset can be iterated too.
    streamed = hasattr(x, "__iter__") and not hasattr(x, "on_epoch_end")
    return (
        hasattr(x, "__getitem__")
        and (hasattr(x, "__len__") or hasattr(x, "num_batches"))
        and not streamed
        and not hasattr(x, "__array__")
        and not isinstance(x, type)
    )


def is_stream(x: Any) -> bool:
    """Return whether data come one batch after the other: from an iterator, a function, or by
    number.

    Raises:
        EmptyError: `x` is None.
    """
    if x is None:
        raise EmptyError("expected data, received None")
    if isinstance(x, Dataset | np.ndarray | dict | list | tuple):
        return False
    if hasattr(x, "__array__"):
        return False
    if callable(x) or hasattr(x, "__iter__") or hasattr(x, "__aiter__"):
        return True
    return is_indexed(x)


class Signature:
    """What a model accepts.

    Args:
        model: its name, for messages.
        names: the name of each input.
        shapes: the shape of each input, with the batch axis first (None).
        dtypes: the type of each input; "string" becomes NumPy's "object".
    """

    __slots__ = ("dtypes", "model", "names", "shapes")

    def __init__(
        self, model: str, names: Sequence[str], shapes: Sequence[Shape], dtypes: Sequence[str]
    ) -> None:
        self.model = model
        self.names = list(names)
        self.shapes = list(shapes)
        self.dtypes = ["object" if dtype == "string" else dtype for dtype in dtypes]

    def __len__(self) -> int:
        return len(self.names)

    def by_name(self, x: dict[str, Any]) -> list[Any]:
        """Return the arrays of a dict in the order of the inputs.

        Raises:
            ShapeError: one is missing.
        """
        missing = [name for name in self.names if name not in x]
        if missing:
            raise ShapeError(f"{self.model}: expected inputs {self.names}, received {sorted(x)}")
        return [x[name] for name in self.names]

    def arrays(self, x: Any) -> tuple[list[Array], bool]:
        """Return one array for each input, in its type and axes, and whether a batch axis was
        added.

        Args:
            x: as for `sources`, without a Dataset.

        Raises:
            ShapeError: the number of inputs, or the shape of one, does not fit.
            DataError: an input is not of numbers.
        """
        found, single = self.sources(x)
        return [cast(a, dtype) for a, dtype in zip(found, self.dtypes, strict=True)], single

    def sources(self, x: Any) -> tuple[list[Any], bool]:
        """Return an array or a Dataset for each input, in its axes but not yet in its type, and
        whether a batch axis was added.

        Args:
            x: an array, a Dataset, nested lists of numbers, a list of these, or a dict by name.

        Raises:
            ShapeError: the number of inputs, or the shape of one, does not fit.
            DataError: an input is not of numbers.
        """
        items = self.by_name(x) if isinstance(x, dict) else data_items(x, len(self))
        self._expect(len(items))
        result: list[Any] = []
        single = False
        for index, item in enumerate(items):
            if isinstance(item, Dataset):
                self._expect_samples(item, index)
                result.append(item)
                continue
            array, added = self._fit(self._numeric(item, index), index)
            result.append(array)
            single = single or added
        return result, single

    def _numeric(self, item: Any, index: int) -> Array:
        if self.dtypes[index] == "object":
            return np.asarray(item, object)
        array = numeric(item, f"{self.model}: input {self.names[index]!r}")
        if isinstance(item, list | tuple) and array.ndim == len(self.shapes[index]) + 1:
            return array[0] if len(array) == 1 else array  # a list of the one input
        return array

    def _expect(self, received: int) -> None:
        if received != len(self):
            raise ShapeError(f"{self.model}: expected {len(self)} inputs, received {received}")

    def _expect_samples(self, data: Dataset, index: int) -> None:
        expected = self.shapes[index][1:]
        if data.shape != tuple(expected) and None not in expected:
            raise ShapeError(
                f"{self.model}: expected samples of shape {expected}, received {data.shape}"
            )

    def _fit(self, array: Array, index: int) -> tuple[Array, bool]:
        """Return an array in the axes of an input, and whether a batch axis was added.

        Raises:
            ShapeError: it is no batch, no single sample, and no grey images without channels.
        """
        expected = self.shapes[index]
        if array.ndim == len(expected) - 1:
            if expected[-1] == 1 and _matches(array.shape, expected[:-1]):
                return array[..., None], False
            if _matches(array.shape, expected[1:]):
                return array[None], True
        if not _matches(array.shape, expected):
            wanted = "(" + ", ".join("n" if s is None else str(s) for s in expected) + ")"
            raise ShapeError(
                f"{self.model}: expected input of shape {wanted} at {self.names[index]!r}, "
                f"received {array.shape}"
            )
        return array, False


def _matches(shape: tuple[int, ...], expected: Shape) -> bool:
    return len(shape) == len(expected) and all(
        e is None or s == e for s, e in zip(shape, expected, strict=True)
    )
