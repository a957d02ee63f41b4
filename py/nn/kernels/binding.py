"""Bindings: a kernel's call on arrays that stay where they are from batch to batch.

Checks, shapes and addresses are settled by the first call; the next ones with the same arrays pass
on only what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import is_
from typing import Any

import numpy as np

from nn.kernels import library
from nn.kernels.library import Library
from nn.kernels.reference import Array


class Binding:
    """The latest call of one kernel, with the arrays whose addresses are in it.

    A copy is empty: its arrays would be elsewhere.

    Attributes:
        call: the C function; takes the arguments that differ.
        arrays: those it was made for, and others that it uses.
        key: what else it was made for, if its caller says so.
    """

    __slots__ = ("_library", "_own", "arrays", "call", "key")

    def __init__(self) -> None:
        self._library: Library | None = None
        self.arrays: Sequence[Any] = ()
        self.call: Callable[..., Any] = _missing
        self.key: Any = None
        self._own: Array | None = None

    def __reduce__(self) -> Any:
        return Binding, ()

    def holds(self, *arrays: Array | None) -> bool:
        """Return whether `call` is for these very arrays, and the kernels in use."""
        return (
            self._library is not None
            and self._library is library.active
            and all(map(is_, arrays, self.arrays))
        )

    def bind(
        self, used: Library, function: Callable[..., Any], *arguments: Any, to: Sequence[Any]
    ) -> None:
        """Let `call` be a function with these first arguments, for the arrays `to`."""
        self._library, self.arrays, self.call = used, to, partial(function, *arguments)
        self.key = None

    def keep(self, array: Array) -> Array:
        """Return a copy of an array that is another one in each batch, at the same place if it has
        the shape and dtype of the last."""
        own = self._own
        if own is None or own.shape != array.shape or own.dtype != array.dtype:
            own = self._own = np.empty_like(array)
        own[...] = array
        return own


def _missing(*arguments: Any) -> Any:
    raise RuntimeError("expected a binding to be used after `bind`")
