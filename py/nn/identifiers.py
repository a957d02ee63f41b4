"""Keras identifiers: names and configurations of losses, optimizers and other objects."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from nn.errors import ConfigError
from nn.types import Config

T = TypeVar("T")
CUSTOM: dict[str, Any] = {}
"""Classes and functions that are not the engine's, by name; `nn.saving` registers them."""


def resolve(
    identifier: Any,
    base: type[T],
    named: Callable[[Any], Any],
    wrap: Callable[[Any], T] | None = None,
) -> T:
    """Return the object that `identifier` refers to.

    Args:
        identifier: an instance of `base`, a subclass, {"class_name", "config"}, a name, or a
            function.
        base: class of the object.
        named: returns the class for a name, or raises ConfigError.
        wrap: returns the object for a function; without it a function is no identifier.
    """
    if isinstance(identifier, str):
        identifier = CUSTOM.get(identifier, identifier)
    if isinstance(identifier, base):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, base):
        return identifier()
    if wrap is not None and callable(identifier) and not isinstance(identifier, type):
        return wrap(identifier)
    if isinstance(identifier, dict):
        name, settings = identifier.get("class_name"), identifier.get("config") or {}
        own = CUSTOM.get(name) if isinstance(name, str) else None
        cls: Any = own if isinstance(own, type) and issubclass(own, base) else named(name)
        expect_settings(cls, settings)
        found = cls.from_config(settings)
    else:
        found = named(identifier)()
    made: T = found
    return made


def expect_settings(cls: type, settings: Any, *keys: str) -> None:
    """Raise ConfigError unless these are settings by name, with the keys."""
    named = isinstance(settings, dict) and all(isinstance(key, str) for key in settings)
    if not named or not settings.keys() >= {*keys}:
        wanted = f" with {', '.join(keys)}" if keys else ""
        raise ConfigError(f"{cls.__name__}: expected settings{wanted}, received {settings!r:.80}")


def describe(value: Any) -> Config:
    """Return the class and settings of an object as Keras writes them."""
    if not hasattr(value, "get_config"):
        raise ConfigError(f"serialize: expected an object with get_config, received {value!r:.80}")
    return {"class_name": type(value).__name__, "config": value.get_config()}


def snake_case(name: str) -> str:
    """Return a class name as Keras spells automatic names: MaxPooling2D -> max_pooling2d."""
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()
