"""Settings of the whole engine: the float type and the seed."""

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
_weight_bytes: ContextVar[int | None] = ContextVar("weight_bytes", default=None)


def floatx() -> str:
    """Return the float type of new layers, as Keras' `config.floatx`."""
    return _floatx.name


def set_floatx(dtype: Any) -> None:
    """Choose the float type of new layers: "float32" (default) or "float64" (gradient checks).

    Raises:
        ConfigError: any other type.
    """
    global _floatx
    wanted = np.dtype(dtype)
    if wanted not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ConfigError(f"floatx: expected 'float32' or 'float64', received {dtype!r}")
    _floatx = wanted


def epsilon() -> float:
    """Return the small constant that keeps divisions and logarithms finite (1e-7, as in Keras)."""
    return _epsilon


def set_random_seed(seed: int) -> None:
    """Make everything that follows reproducible: initial weights, shuffles, dropout, noise."""
    global _rng
    random.seed(seed)
    np.random.seed(seed)
    _rng = np.random.default_rng(seed)


@contextmanager
def separate_seed(seed: int) -> Iterator[None]:
    """Let what is drawn inside come from a seed of its own; the engine's goes on undisturbed."""
    global _rng
    before = _rng
    _rng = np.random.default_rng(seed)
    try:
        yield
    finally:
        _rng = before


def generator(seed: int | None = None) -> np.random.Generator:
    """Return a generator of its own, seeded with `seed` or from the engine's seed."""
    if seed is not None:
        return np.random.default_rng(seed)
    return np.random.default_rng(int(_rng.integers(0, 2**63 - 1)))


@contextmanager
def weight_limit(size: int) -> Iterator[None]:
    """Let layers create at most `size` bytes of weights inside: a model file may announce
    anything."""
    token = _weight_bytes.set(size)
    try:
        yield
    finally:
        _weight_bytes.reset(token)


def claim(size: int, what: str) -> None:
    """Count `size` bytes, about to be allocated, against the limit.

    Raises:
        TooLargeError: more than what is left of it.
    """
    left = _weight_bytes.get()
    if left is None:
        return
    if size > left:
        raise TooLargeError(f"{what}: expected at most {left} bytes of weights, received {size}")
    _weight_bytes.set(left - size)
