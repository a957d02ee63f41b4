"""Arguments that Keras has and the engine leaves out: accepted at their default, else refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nn.errors import ConfigError

LeftOut = Mapping[str, tuple[Any, str]]
"""Argument -> (Keras' default, why it is left out)."""


def refuse(cls: type, options: Mapping[str, Any]) -> None:
    """Accept `options` where they are left out by `cls.left_out` and at Keras' default.

    Raises:
        TypeError: an argument that Keras has not either.
        ConfigError: another value than the default; says why there is only that one.
    """
    refuse_all(cls, left_out(cls), options)


def refuse_all(cls: type, known: LeftOut, options: Mapping[str, Any]) -> None:
    """Accept `options` where they are in `known` and at Keras' default; raises as `refuse`."""
    for name, value in options.items():
        if name not in known:
            raise TypeError(f"{cls.__name__}: unexpected argument {name!r}")
        default, reason = known[name]
        if value != default:
            raise ConfigError(
                f"{cls.__name__}: {name} must be {default!r} ({reason}), received {value!r}"
            )


def left_out(cls: type) -> dict[str, tuple[Any, str]]:
    """Return what `cls` and its bases leave out."""
    known: dict[str, tuple[Any, str]] = {}
    for base in reversed(cls.__mro__):
        known |= vars(base).get("left_out", {})
    return known
