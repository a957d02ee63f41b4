"""Global settings: float type, random seed and weight limit."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from nn.errors import ConfigError, TooLargeError

_floatx = np.dtype(np.float32)
_epsilon = 1e-7
_rng = np.random.default_rng()
_weights_follow: ContextVar[bool] = ContextVar("weights_follow", default=False)
_weight_bytes: ContextVar[int | None] = ContextVar("weight_bytes", default=None)
of_arguments: ContextVar[bool] = ContextVar("of_arguments", default=False)
"""Whether a function runs whose gradient is that of its arguments: it may read no variable."""


def floatx() -> str:
    """Return the float type of new layers (Keras' `config.floatx`)."""
    return _floatx.name


def set_floatx(dtype: Any) -> None:
    """Set the float type of new layers: "float32" (default) or "float64" (gradient checks).

    Raises:
        ConfigError: the type is not supported.
    """
    global _floatx
    # NumPy takes None for float64.
    if dtype is None or dtype_name(dtype) not in ("float32", "float64"):
        raise ConfigError(f"floatx: expected 'float32' or 'float64', received {dtype!r}")
    _floatx = np.dtype(dtype)


def dtype_name(dtype: Any) -> str:
    """Return the name of a layer's type.

    Raises:
        ConfigError: it is no type of NumPy's, such as a policy of mixed types.
    """
    try:
        return np.dtype(dtype).name
    except (TypeError, ValueError):
        raise ConfigError(
            f"dtype: expected a type such as 'float32' or 'float64', received {dtype!r}"
        ) from None


def epsilon() -> float:
    """Return the constant that keeps divisions and logarithms finite (1e-7, as in Keras)."""
    return _epsilon


def set_random_seed(seed: int) -> None:
    """Seed all random numbers: initial weights, shuffling, dropout and noise."""
    global _rng
    try:
        np.random.seed(seed)
        random.seed(seed)
        _rng = np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"seed: expected a whole number, received {seed!r:.80}: {error}"
        ) from None


@contextmanager
def separate_seed(seed: int) -> Iterator[None]:
    """Context manager: draw from another seed, without affecting the engine's random state."""
    global _rng
    before = _rng
    _rng = np.random.default_rng(seed)
    try:
        yield
    finally:
        _rng = before


def generator(seed: int | None = None) -> np.random.Generator:
    """Return a new generator, seeded with `seed` or from the engine's seed."""
    if seed is not None:
        return np.random.default_rng(seed)
    return np.random.default_rng(int(_rng.integers(0, 2**63 - 1)))


@contextmanager
def weight_limit(size: int) -> Iterator[None]:
    """Context manager: limit the weights that layers create to `size` bytes.

    Used when loading files, which may announce any size.
    """
    token = _weight_bytes.set(size)
    try:
        yield
    finally:
        _weight_bytes.reset(token)


@contextmanager
def later_weights() -> Iterator[None]:
    """Context manager: layers compute no initial weights, since a file's follow.

    One that is read before it is assigned is computed then.
    """
    token = _weights_follow.set(True)
    try:
        yield
    finally:
        _weights_follow.reset(token)


@contextmanager
def weight_sizes() -> Iterator[None]:
    """Context manager: layers make no weights, only their sizes, which no limit counts; what is
    drawn at random meanwhile does not affect the engine's random state."""
    token = _weight_bytes.set(None)
    try:
        with later_weights(), separate_seed(0):
            yield
    finally:
        _weight_bytes.reset(token)


def weights_follow() -> bool:
    """Return whether `later_weights` is in force."""
    return _weights_follow.get()


def claim(size: int, what: str) -> None:
    """Count `size` bytes against the limit before they are allocated.

    Raises:
        TooLargeError: the rest of the limit is smaller.
    """
    left = _weight_bytes.get()
    if left is None:
        return
    if size > left:
        raise TooLargeError(f"{what}: expected at most {left} bytes of weights, received {size}")
    _weight_bytes.set(left - size)
