"""Library: a compiled build of the kernels, and the addresses of arrays that it gets.

A build is a shared library opened by ctypes: in the browser a WebAssembly side module that works
on NumPy's memory (the installed package has two in wasm/), elsewhere a native one, which
`python -m nn.kernels.build` makes.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nn.kernels.reference import Array
from nn.types import aligned

F4 = np.dtype(np.float32)
WASM = Path(__file__).resolve().parent / "wasm"
VARIANTS = ("native", "simd", "relaxed-simd")
_NAMED = {"p": ctypes.c_void_p, "i": ctypes.c_int, "f": ctypes.c_float}

# One letter per parameter: pointer, int, float.
SIGNATURES = {
    "activate": "ippiff",
    "activation_gradient": "ipppiff",
    "adam_update": "ppppip",
    "add": "pppi",
    "add_rows": "pippii",
    "average_pool": "pppi",
    "average_pool_gradient": "pppi",
    "clear_floats": "pi",
    "column_affine": "pppppppiii",
    "column_moments": "ppppii",
    "column_products": "ppppipppii",
    "column_sums": "pppii",
    "convolution": "pppppip",
    "convolution_pack": "ppppp",
    "convolution_packed": "pppppip",
    "convolution_packed_scratch": "p",
    "convolution_packed_size": "p",
    "convolution_scratch": "p",
    "copy_columns": "pipiii",
    "depthwise": "pppppip",
    "depthwise_pack": "ppppp",
    "depthwise_packed": "ppppip",
    "depthwise_packed_scratch": "p",
    "depthwise_packed_size": "p",
    "depthwise_scratch": "p",
    "drop": "ppiiiif",
    "fma_peak": "pi",
    "frame_images": "ppiiiiiii",
    "fused_loss": "ippppiippp",
    "gather_scale": "pippiiff",
    "gemm": "iiipiipiipipiip",
    "gemm_batch": "iiiiipiiiipiiiipiiip",
    "gemm_scratch": "",
    "input_gradient": "ppppp",
    "input_gradient_scratch": "p",
    "layer_norm": "pppppiif",
    "layer_norm_gradient": "pppppppiip",
    "max_pool": "pppp",
    "max_pool_gradient": "ppppp",
    "mean_places": "pppiii",
    "memory_pages": "",
    "pooled_convolution": "ppppppip",
    "pooled_convolution_scratch": "p",
    "pooled_gradient": "pppppppppip",
    "pooled_gradient_scratch": "p",
    "recurrent_gradient": "ifpppppppppppppiiiiiip",
    "recurrent_scratch": "iii",
    "recurrent_steps": "ifpppppppppppiiiiiip",
    "rmsprop_update": "pppppip",
    "sample_images": "pppfp",
    "sgd_update": "pppiiff",
    "softmax": "ppiif",
    "softmax_cross_entropy": "pppppiipppi",
    "softmax_gradient": "pppiif",
    "spread_places": "ppiii",
    "swap_axes": "ppiiiii",
    "turn_weights": "ppp",
    "variant": "",
    "weight_gradient": "pppppp",
    "weight_gradient_scratch": "p",
    "winograd": "pppppip",
    "winograd_gradient": "ppppp",
    "winograd_gradient_scratch": "p",
    "winograd_packed": "pppppip",
    "winograd_packed_scratch": "p",
    "winograd_scratch": "p",
}


class Backend:
    """The implementation in use.

    Attributes:
        name: "relaxed-simd", "simd", "native" or "numpy".
        path: path of the library; None for NumPy.
    """

    def __init__(self, name: str, path: str | None = None) -> None:
        self.name = name
        self.path = path

    def __repr__(self) -> str:
        return f"Backend({self.name!r}, {self.path!r})"


class Library(Backend):
    """A loaded build: its functions as attributes, and the scratch memory they share.

    Calls hold the interpreter's lock (PyDLL), so all threads can share one scratch buffer.
    """

    def __init__(self, path: str) -> None:
        self._dll = ctypes.PyDLL(path)
        super().__init__(VARIANTS[self._function("variant", "")()], path)
        for name, letters in SIGNATURES.items():
            setattr(self, name, self._function(name, letters))
        self._scratch = aligned(1, F4)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{self.path} has no kernel {name!r}")

    def _function(self, name: str, letters: str) -> Any:
        function = getattr(self._dll, name)
        # Where pointers are ints, ctypes takes plain ints for both in 0.3 us a call; with
        # argtypes it needs 1.2 us (Pyodide 0.28.3 in Chromium 156).
        if "f" in letters or ctypes.sizeof(ctypes.c_void_p) != ctypes.sizeof(ctypes.c_int):
            function.argtypes = [_NAMED[letter] for letter in letters]
        return function

    def scratch(self, floats: int) -> int:
        """Return the address of scratch memory of at least this many floats, valid for one call."""
        if floats > self._scratch.size:
            self._scratch = aligned(floats, F4)
        return address(self._scratch)

    def refuse(self) -> None:
        """Note that NumPy does the work of a call: nothing to do here, see `Recorder`."""

    def keep(self, array: Array) -> None:
        """Note that a kernel gets this array's address: nothing to do here, see `Recorder`."""


NUMPY = Backend("numpy")
_loaded: dict[str, Backend] = {"numpy": NUMPY}
active: Library | None = None


def load(path: str | None = None) -> Backend:
    """Load a build of the kernels and use it.

    Args:
        path: path of the library; None means the native one that `python -m nn.kernels.build`
            made, in Pyodide the fastest of the installed package that the browser takes.

    Raises:
        OSError: the file is missing, or uses instructions that this machine lacks.
    """
    global active
    active = Library(path) if path is not None else _installed()
    _loaded[active.name] = active
    return active


def _installed() -> Library:
    if sys.platform != "emscripten":
        return Library(str(_native()))
    try:
        return Library(str(WASM / "relaxed.wasm"))
    except OSError:  # the browser has no relaxed SIMD
        return Library(str(WASM / "simd.wasm"))


def _native() -> Path:
    from nn.compiler import native_path  # not in the archives for browsers

    path = native_path()
    if not path.is_file():
        raise FileNotFoundError(
            f"expected nn's compiled kernels at {path}, found no file: run "
            "`python -m nn.kernels.build`; without it, NumPy does the work"
        )
    return path


def backend() -> Backend:
    """Return the implementation in use."""
    return NUMPY if active is None else active


def heap_bytes() -> int:
    """Return the size of WebAssembly's memory; 0 elsewhere or without kernels."""
    return 0 if active is None else (active.memory_pages() & 0xFFFFFFFF) << 16


def multiply_add(times: int) -> int:
    """Run twelve chains of `times` multiply-adds of four lanes, to measure the processor's peak.

    Returns the number of floating-point operations; 0 without kernels.
    """
    if active is None:
        return 0
    active.fma_peak(address(np.array([0.5, 0.1, 0], F4)), times)
    return 12 * 8 * times


@contextlib.contextmanager
def use(name: str) -> Iterator[Backend]:
    """Context manager: use "numpy" or a loaded variant.

    Raises:
        ValueError: no variant of this name is loaded.
    """
    global active
    if name not in _loaded:
        raise ValueError(f"expected one of {sorted(_loaded)}, received {name!r}")
    before, chosen = active, _loaded[name]
    active = chosen if isinstance(chosen, Library) else None
    try:
        yield chosen
    finally:
        active = before


from_buffer = ctypes.c_char.from_buffer
addressof = ctypes.addressof
recording: Library | None = None
"""The `Recorder` that `active` is while calls are recorded."""


def address(array: Array) -> int:
    """Return the address of an array's first element.

    The buffer protocol takes 0.3 us in Pyodide and `ctypes.data` 1.5 us, but it requires writable,
    contiguous memory.
    """
    if recording is not None:
        recording.keep(array)
    try:
        return addressof(from_buffer(array))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return int(array.__array_interface__["data"][0])


def optional(array: Array | None) -> int | None:
    """Return the address of an array, or None (null)."""
    return None if array is None else address(array)


def compiled(
    arrays: Sequence[Array | None], written: Sequence[Array | None] = (), able: bool = True
) -> Library | None:
    """Return the library if it can run the operation, or None if NumPy must.

    Args:
        arrays: must be float32 and not empty.
        written: arrays for results; must be writable and contiguous.
        able: whether the kernel supports the other arguments.
    """
    library = active
    if library is None:
        return None
    for array in arrays:
        if array is not None and (array.dtype != F4 or not array.size):
            able = False
    for array in written:
        if array is not None:
            flags = array.flags
            able = able and flags.c_contiguous and flags.writeable
    if able:
        return library
    library.refuse()
    return None


def contiguous(array: Array) -> Array:
    """Return the array, or a contiguous copy."""
    return array if array.flags.c_contiguous else copied(array)


def copied(array: Array) -> Array:
    """Return a contiguous copy."""
    if recording is not None:
        recording.refuse()
    return np.ascontiguousarray(array)
