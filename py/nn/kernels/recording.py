"""Recorder: keeps the kernel calls of a layer, to repeat them without their checks.

A layer's `forward` and `backward` compute shapes, strides and addresses before each kernel call.
For batches of one shape these are always the same. A recorder stands in for the library while a
layer runs once, does every call, and keeps the C function with its arguments. `calls` can then be
run again, each without any work in Python:

    recorder = Recorder(library, [pointer])
    with recorder.active():
        y = layer.forward(ctx, x, training=True)
    ...
    pointer.move(next_x)
    for call in recorder.calls:
        call()

The recorder holds the arrays that stay where they are (workspaces, weights, gradients): keep it as
long as its calls, for their addresses are valid only so long. Each array that differs from batch to
batch is a `Pointer`, which is moved before the calls are repeated.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from nn.kernels import library
from nn.kernels.library import F4, SIGNATURES, Library
from nn.kernels.reference import Array

Call = Callable[[], object]


class Pointer:
    """The address of an array that differs from batch to batch, as recorded calls read it.

    Attributes:
        array: the array of the last `move`.
        argument: what the C functions take.
    """

    __slots__ = ("argument", "array", "start", "stop")

    def __init__(self, array: Array) -> None:
        self.argument = ctypes.c_void_p()
        self.array: Array = np.empty(0, F4)
        self.move(array)
        self.start = int(self.argument.value or 0)
        self.stop = self.start + self.array.nbytes

    def move(self, array: Array) -> None:
        """Point to another array of the same shape."""
        if array is self.array:
            return
        if array.dtype != F4 or not array.flags.c_contiguous:
            array = np.ascontiguousarray(array, F4)
        self.array = array
        self.argument.value = library.address(array)

    @staticmethod
    def fits(value: object) -> bool:
        """Return whether a pointer to `value` can be handed to a kernel as it is."""
        if not isinstance(value, np.ndarray):
            return False
        return value.dtype == F4 and value.size > 0 and value.flags.c_contiguous


class Recorder(Library):
    """A library that keeps the calls it does.

    Attributes:
        calls: the calls in order.
        failed: whether a part of the work is in none of them: NumPy did it, an array was copied
            first, or a kernel got a part of an array that moves.
    """

    def __init__(self, library: Library, pointers: Sequence[Pointer]) -> None:
        self._library = library
        self._pointers = pointers
        self._kept: list[Array] = []
        self.name, self.path = library.name, library.path
        self.calls: list[Call] = []
        self.failed = len({p.start for p in pointers}) < len(pointers)

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._library, name)
        if name not in SIGNATURES or name.endswith("_scratch"):
            return function
        return partial(self._call, function, SIGNATURES[name])

    def _call(self, function: Callable[..., Any], letters: str, *arguments: Any) -> Any:
        settled = [
            self._settled(a) if letter == "p" else a
            for letter, a in zip(letters, arguments, strict=True)
        ]
        self.calls.append(partial(function, *settled))
        return function(*arguments)

    def _settled(self, address: Any) -> Any:
        for pointer in self._pointers:
            if address is not None and pointer.start <= address < pointer.stop:
                self.failed = self.failed or address != pointer.start
                return pointer.argument
        return address

    def scratch(self, floats: int) -> int:
        return self._library.scratch(floats)

    def keep(self, array: Array) -> None:
        self._kept.append(array)

    def refuse(self) -> None:
        self.failed = True

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Record what the kernels do inside a `with` block."""
        library.active = library.recording = self
        try:
            yield
        finally:
            library.active, library.recording = self._library, None
