"""Keras arguments that the engine lacks: accepted at their default value only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nn.errors import ConfigError

LeftOut = Mapping[str, tuple[Any, str]]
"""Argument -> (Keras' default, reason why it is missing)."""


def refuse(cls: type, options: Mapping[str, Any]) -> None:
    """Raise an error unless all `options` are in `cls.left_out` and at Keras' default.

    Raises:
        TypeError: Keras lacks the argument too.
        ConfigError: the value is not the default; the message gives the reason.
    """
    refuse_all(cls, left_out(cls), options)


def refuse_all(cls: type, known: LeftOut, options: Mapping[str, Any]) -> None:
    """Raise an error, as `refuse` does, unless all `options` are in `known` and at the default."""
    for name, value in options.items():
        if name not in known:
            raise TypeError(f"{cls.__name__}: unexpected argument {name!r}")
        default, reason = known[name]
        if value != default:
            raise ConfigError(
                f"{cls.__name__}: {name} must be {default!r} ({reason}), received {value!r}"
            )


def left_out(cls: type) -> dict[str, tuple[Any, str]]:
    """Return the arguments that `cls` and its bases lack."""
    known: dict[str, tuple[Any, str]] = {}
    for base in reversed(cls.__mro__):
        known |= vars(base).get("left_out", {})
    return known
