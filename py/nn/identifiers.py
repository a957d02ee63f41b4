"""What Keras calls an identifier: a name, a configuration, or the object itself; and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from nn.types import Config

T = TypeVar("T")


def resolve(identifier: Any, base: type[T], named: Callable[[Any], Any]) -> T:
    """Return the object that `identifier` stands for.

    Args:
        identifier: a `base`; {"class_name", "config"}; or a name.
        base: class of what is looked for.
        named: gives the class of a name, or raises ConfigError.
    """
    if isinstance(identifier, base):
        return identifier
    if isinstance(identifier, dict):
        found = named(identifier.get("class_name")).from_config(identifier.get("config") or {})
    else:
        found = named(identifier)()
    made: T = found
    return made


def describe(value: Any) -> Config:
    """Return class and settings of an object, in Keras' spelling."""
    return {"class_name": type(value).__name__, "config": value.get_config()}
