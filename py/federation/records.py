"""Flower's records: what a message carries.

>>> content = RecordDict({
...     "arrays": ArrayRecord([weights, bias]),
...     "metrics": MetricRecord({"loss": 0.2, "num-examples": 600}),
... })
>>> content["arrays"].to_numpy_ndarrays()

Names, types and errors are those of `flwr.app`, so that the same text runs with either.
"""

from __future__ import annotations

from collections import UserDict
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
from nn.io import npy
from nn.io.errors import UnsupportedError
from numpy.typing import NDArray

from federation.errors import MissingRecordError

__all__ = ["Array", "ArrayRecord", "ConfigRecord", "MetricRecord", "RecordDict"]

V = TypeVar("V")


@dataclass(init=False, repr=False)
class Array:
    """An array as it travels: the bytes of a `.npy` file, and what they hold.

    >>> Array(np.zeros(3, np.float32)).numpy()

    Args:
        dtype: an ndarray, and nothing else; or the name of a dtype.
        shape: sizes.
        stype: "numpy.ndarray": how `data` was made.
        data: bytes.
        ndarray: in place of all others.

    Raises:
        TypeError: it is neither.
    """

    dtype: str
    shape: tuple[int, ...]
    stype: str
    data: bytes

    def __init__(
        self,
        dtype: str | NDArray[Any] | None = None,
        shape: tuple[int, ...] | None = None,
        stype: str = "numpy.ndarray",
        data: bytes = b"",
        *,
        ndarray: NDArray[Any] | None = None,
    ) -> None:
        array = dtype if ndarray is None else ndarray
        if isinstance(array, str):
            self.dtype, self.shape, self.stype, self.data = array, shape or (), stype, data
        elif isinstance(array, np.ndarray):
            self.dtype, self.shape, self.stype = str(array.dtype), tuple(array.shape), stype
            self.data = npy.dump(array)
        else:
            raise TypeError(f"Array: expected an ndarray, received {type(array).__name__}")

    @classmethod
    def from_numpy_ndarray(cls, ndarray: NDArray[Any]) -> Self:
        """Return an Array of an ndarray."""
        return cls(ndarray=ndarray)

    def numpy(self) -> NDArray[Any]:
        """Return the array, a copy.

        Raises:
            FormatError: the bytes are not those of a numeric array. What `dtype` and `shape` say is
                not compared: the bytes say it too.
        """
        if self.stype != "numpy.ndarray":
            raise UnsupportedError(f"array: expected numpy.ndarray, received {self.stype!r}")
        return npy.load(self.data)


class _Record(UserDict[str, V]):
    """A dict that checks what it is given.

    Raises:
        TypeError: a name is no text, or a value is of no type that the record may have.
        MissingRecordError: it has no such name.
    """

    def __init__(self, values: Mapping[str, V] | None = None, keep_input: bool = True) -> None:
        super().__init__(values)
        if isinstance(values, dict) and not keep_input:
            values.clear()

    def __setitem__(self, name: str, value: V) -> None:
        if not isinstance(name, str):
            raise TypeError(f"expected a name of type str, received {type(name).__name__}")
        self._check(name, value)
        super().__setitem__(name, value)

    def __missing__(self, name: str) -> V:
        kind, names = type(self).__name__, ", ".join(map(repr, list(self)[:8])) or "nothing"
        raise MissingRecordError(f"{kind}: expected {name!r}, received {names}")

    def _check(self, name: str, value: V) -> None:
        raise NotImplementedError


class ArrayRecord(_Record[Array]):
    """Arrays by name; those of a list are named "0", "1" and so on.

    Args:
        arrays: either of the two.
        array_dict: arrays by name.
        numpy_ndarrays: a list of ndarrays.
        keep_input: False empties what was given.
    """

    def __init__(
        self,
        arrays: Mapping[str, Array] | Iterable[NDArray[Any]] | None = None,
        *,
        array_dict: Mapping[str, Array] | None = None,
        numpy_ndarrays: Iterable[NDArray[Any]] | None = None,
        keep_input: bool = True,
    ) -> None:
        given = [one for one in (arrays, array_dict, numpy_ndarrays) if one is not None]
        if len(given) > 1:
            raise TypeError("ArrayRecord: expected arrays once, received them twice")
        [found] = given or [{}]
        if isinstance(found, Mapping):
            super().__init__(found, keep_input)
            return
        super().__init__({str(number): Array(array) for number, array in enumerate(found)})
        if isinstance(found, list) and not keep_input:
            found.clear()

    @classmethod
    def from_numpy_ndarrays(cls, ndarrays: list[NDArray[Any]], *, keep_input: bool = True) -> Self:
        """Return a record of a list of ndarrays."""
        return cls(numpy_ndarrays=ndarrays, keep_input=keep_input)

    @classmethod
    def from_array_dict(cls, array_dict: dict[str, Array], *, keep_input: bool = True) -> Self:
        """Return a record of Arrays by name."""
        return cls(array_dict=array_dict, keep_input=keep_input)

    def _check(self, name: str, value: Array) -> None:
        if not isinstance(value, Array):
            raise TypeError(f"{name}: expected an Array, received {type(value).__name__}")

    def to_numpy_ndarrays(self, *, keep_input: bool = True) -> list[NDArray[Any]]:
        """Return the arrays in their order; the record is emptied unless it is kept.

        Raises:
            FormatError: the bytes of one are damaged.
        """
        arrays = [array.numpy() for array in self.values()]
        if not keep_input:
            self.clear()
        return arrays


Scalar = bool | int | float | str | bytes
Values = Scalar | list[Any]


class _Scalars(_Record[Values]):
    TYPES: tuple[type, ...] = ()

    def _check(self, name: str, value: Values) -> None:
        items = value if isinstance(value, list) else [value]
        kinds = {type(item) for item in items}
        first = next(iter(items), 0)
        good = isinstance(first, self.TYPES) and all(isinstance(i, type(first)) for i in items)
        if not good or (bool in kinds and (bool not in self.TYPES or len(kinds) > 1)):
            allowed = ", ".join(kind.__name__ for kind in self.TYPES)
            received = ", ".join(sorted(kind.__name__ for kind in kinds))
            raise TypeError(f"{name}: expected {allowed}, or a list of one, received {received}")


class MetricRecord(_Scalars):
    """Numbers, and lists of numbers, by name; `keep_input=False` empties what was given."""

    TYPES = (float, int)

    def __init__(
        self, metric_dict: Mapping[str, Values] | None = None, keep_input: bool = True
    ) -> None:
        super().__init__(metric_dict, keep_input)


class ConfigRecord(_Scalars):
    """Numbers, truths, texts, bytes, and lists of one of these, by name; `keep_input=False` empties
    what was given.
    """

    TYPES = (bool, int, float, str, bytes)

    def __init__(
        self, config_dict: Mapping[str, Values] | None = None, keep_input: bool = True
    ) -> None:
        super().__init__(config_dict, keep_input)


Record = ArrayRecord | MetricRecord | ConfigRecord
R = TypeVar("R", bound=Record)


class RecordDict(_Record[Record]):
    """Records by name: the content of a message."""

    def __init__(self, records: Mapping[str, Record] | None = None) -> None:
        super().__init__(records)

    def _check(self, name: str, value: Record) -> None:
        if not isinstance(value, ArrayRecord | MetricRecord | ConfigRecord):
            raise TypeError(f"{name}: expected a record, received {type(value).__name__}")

    @property
    def array_records(self) -> MutableMapping[str, ArrayRecord]:
        """The records of arrays, by name; what is set or deleted there is so here."""
        return _OfKind(self, ArrayRecord)

    @property
    def metric_records(self) -> MutableMapping[str, MetricRecord]:
        """The records of metrics, by name; what is set or deleted there is so here."""
        return _OfKind(self, MetricRecord)

    @property
    def config_records(self) -> MutableMapping[str, ConfigRecord]:
        """The records of settings, by name; what is set or deleted there is so here."""
        return _OfKind(self, ConfigRecord)


class _OfKind(MutableMapping[str, R]):
    """The records of one kind in a RecordDict."""

    def __init__(self, whole: RecordDict, kind: type[R]) -> None:
        self._whole, self._kind = whole, kind

    def __getitem__(self, name: str) -> R:
        record = self._whole[name]
        if not isinstance(record, self._kind):
            kind, received = self._kind.__name__, type(record).__name__
            raise MissingRecordError(f"{name}: expected {kind}, received {received}")
        return record

    def __setitem__(self, name: str, record: R) -> None:
        if not isinstance(record, self._kind):
            kind, received = self._kind.__name__, type(record).__name__
            raise TypeError(f"{name}: expected {kind}, received {received}")
        self._whole[name] = record

    def __delitem__(self, name: str) -> None:
        self[name]  # raises for one of another kind
        del self._whole[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name in list(self._whole) if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return repr(dict(self))
