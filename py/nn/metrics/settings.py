"""Checks of what metrics are made with."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import Any

from nn.data.numeric import whole
from nn.errors import ConfigError


def is_number(value: Any) -> bool:
    return isinstance(value, Real)


def share(value: Any, what: str) -> float:
    """Return a number from 0 to 1.

    Raises:
        ConfigError: it is another, or none.
    """
    if is_number(value) and 0 <= value <= 1:
        return float(value)
    raise ConfigError(f"{what}: expected a number from 0 to 1, received {value!r}")


def shares(values: Any, what: str) -> list[float]:
    """Return a number from 0 to 1, or several, as a list."""
    return [share(value, what) for value in _listed(values)]


def _listed(values: Any) -> list[Any]:
    """Return several values as a list, and one as a list of it."""
    several = isinstance(values, Iterable) and not isinstance(values, str | dict)
    return list(values) if several else [values]


def classes(values: Any, count: int, what: str) -> list[int]:
    """Return numbers of classes.

    Raises:
        ConfigError: one is no class, or there is none.
    """
    found = [whole(value, what, 0) for value in values] if isinstance(values, Iterable) else []
    if not found or max(found) >= count:
        raise ConfigError(f"{what}: expected classes below {count}, received {values!r}")
    return found
