"""Weight quantization: the affine scheme of TensorFlow.js, and float16.

>>> stored = quantize(np.array([-1, 0, 0.5], "f4"), "uint8")
>>> stored.data, stored.dequantize()
(array([  0, 170, 255], dtype=uint8), array([-1. ,  0. ,  0.5], dtype=float32))

``value = data * scale + minimum`` for each tensor. If zero lies in the range, the minimum is moved
by less than half a step so that 0.0 is exact, which padding and ReLU's sparsity rely on.
Scheme: tfjs-converter/python/tensorflowjs/quantization.py; after Jacob et al. 2018,
https://arxiv.org/abs/1712.05877.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from nn.errors import ConfigError
from nn.keras_arguments import checked

__all__ = ["Quantized", "choose_dtypes", "quantize", "quantize_arrays"]

Array = NDArray[np.generic]
Globs = str | Sequence[str] | bool

_CHUNK = 1 << 16

DTYPES = ("uint8", "uint16", "float16")


@dataclass(frozen=True)
class Quantized:
    """A quantized tensor.

    Attributes:
        data: uint8, uint16 or float16, of the tensor's shape.
        scale: size of one step; 1 for float16.
        minimum: value of ``data == 0``; 0 for float16.
    """

    data: Array
    scale: float = 1.0
    minimum: float = 0.0

    @property
    def dtype(self) -> str:
        """The name of the stored dtype."""
        return self.data.dtype.name

    def dequantize(self) -> NDArray[np.float32]:
        """Return float32 values, at most half a step from the originals."""
        if self.dtype == "float16":
            return self.data.astype(np.float32)
        values = np.empty(self.data.size, np.float32)
        flat = self.data.reshape(-1)
        for start in range(0, flat.size, _CHUNK):  # the float64 values of all would take 4 times
            wide = flat[start : start + _CHUNK].astype(np.float64)
            wide *= self.scale
            wide += self.minimum
            values[start : start + _CHUNK] = wide
        return values.reshape(self.data.shape)


@checked
def quantize(array: Array, dtype: str) -> Quantized:
    """Quantize a float tensor to ``dtype``.

    Args:
        array: floats of any shape, finite.
        dtype: "uint8", "uint16" or "float16".

    Raises:
        ConfigError: an unknown dtype, not floats, or values not finite or too large for float16.
    """
    array = _floats(np.asarray(array), dtype)
    if dtype == "float16":
        return Quantized(_halve(array))
    if not array.size:
        return Quantized(np.zeros(array.shape, dtype))
    low, high = float(array.min()), float(array.max())
    if low == high:
        return Quantized(np.zeros(array.shape, dtype), 1.0, low)
    scale, low, high = _range(low, high, int(np.iinfo(dtype).max))
    steps = (array.astype(np.float64).clip(low, high) - low) / scale
    return Quantized(np.round(steps).astype(dtype), scale, low)


def _floats(array: Array, dtype: str) -> NDArray[np.float32]:
    _check_dtype(dtype)
    if array.dtype.kind != "f":
        raise ConfigError(f"expected floats to quantize, received {array.dtype}")
    with np.errstate(over="ignore"):
        values = array.astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        raise ConfigError("expected finite float32 values to quantize, received NaN or infinity")
    return values


def _halve(array: Array) -> NDArray[np.float16]:
    largest = float(np.finfo(np.float16).max)
    if array.size and float(np.abs(array).max()) > largest:
        raise ConfigError(f"expected values up to {largest} for float16, received larger ones")
    return array.astype(np.float16)


def _range(low: float, high: float, steps: int) -> tuple[float, float, float]:
    """Return step and ends of the range, moved so that a 0.0 inside falls on a step; float32 holds
    both ends."""
    scale = (high - low) / steps
    if not low <= 0 <= high:
        return scale, low, high
    zero = round(-low / scale)
    scale = min(scale, float(np.finfo(np.float32).max) / max(zero, steps - zero))
    low = -zero * scale
    return scale, low, steps * scale + low


@checked
def choose_dtypes(names: Sequence[str], globs: Mapping[str, Globs]) -> dict[str, str]:
    """Return the stored dtype of each name that a glob matches.

    Args:
        names: tensor names.
        globs: dtype -> pattern, patterns, or True for "all that no pattern matches".

    Raises:
        ConfigError: an unknown dtype, two dtypes for one name, or two dtypes with True.
    """
    chosen: dict[str, str] = {}
    rest: list[str] = []
    for dtype, patterns in globs.items():
        _check_dtype(dtype)
        if patterns is True:
            rest.append(dtype)
        for name in _matching(names, patterns):
            if chosen.setdefault(name, dtype) != dtype:
                raise ConfigError(f"{name!r} matches the globs of {chosen[name]} and of {dtype}")
    if len(rest) > 1:
        raise ConfigError(f"expected one dtype for all other tensors, received {', '.join(rest)}")
    if rest:
        return {name: chosen.get(name, rest[0]) for name in names}
    return chosen


def _check_dtype(dtype: str) -> None:
    if dtype not in DTYPES:
        raise ConfigError(f"dtype: expected one of {', '.join(DTYPES)}, received {dtype!r}")


def _matching(names: Sequence[str], patterns: Globs) -> list[str]:
    if isinstance(patterns, bool):
        return []
    wanted = [patterns] if isinstance(patterns, str) else list(patterns)
    return [name for name in names if any(fnmatchcase(name, glob) for glob in wanted)]


@checked
def quantize_arrays(
    arrays: Mapping[str, Array], globs: Mapping[str, Globs] | None
) -> dict[str, Quantized]:
    """Quantize the float tensors whose names the globs match.

    Args:
        arrays: tensors by name; integers are never quantized.
        globs: as for `choose_dtypes`; None quantizes nothing.

    Raises:
        ConfigError: as `quantize` and `choose_dtypes` do.
    """
    floats = [name for name, array in arrays.items() if array.dtype.kind == "f"]
    dtypes = choose_dtypes(floats, globs or {})
    return {name: quantize(arrays[name], dtype) for name, dtype in dtypes.items()}
