"""Classes and functions of your own by name, named as in Keras 3 (`keras.saving`), and its files.

What is registered is found where a name stands: in `compile(loss="mine")`, `activation="mine"`,
`from_config` and files, before the engine's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from nn.errors import ConfigError
from nn.identifiers import CUSTOM
from nn.keras_arguments import checked
from nn.models.saving import load_model, load_weights, save_model, save_weights

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
]

T = TypeVar("T")
_packages: dict[Any, str] = {}


def register_keras_serializable(
    package: str = "Custom", name: str | None = None
) -> Callable[[T], T]:
    """Decorator: let a class or a function be found by its name.

    Args:
        package: part of the name that `get_registered_name` returns.
        name: a further name beside that of the class or function.

    Raises:
        ConfigError: a class has no `get_config`.
    """

    def register(made: T) -> T:
        if isinstance(made, type) and not hasattr(made, "get_config"):
            raise ConfigError(f"{made.__name__}: expected a class with get_config, received none")
        plain = made.__name__  # type: ignore[attr-defined]
        own = name or plain
        CUSTOM[own] = CUSTOM[plain] = made  # settings have the plain name
        _packages[made] = f"{package}>{own}"
        return made

    return register


@checked
def get_registered_name(obj: Any) -> str:
    """Return the package and the name of what is registered, else its own name."""
    return _packages.get(obj) or str(obj.__name__)


@checked
def get_registered_object(name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return what has a name, with its package or alone; None where nothing has."""
    given = {**get_custom_objects(), **(custom_objects or {})}
    packed = (made for made, known in _packages.items() if known == name)
    return given[name] if name in given else next(packed, None)


def get_custom_objects() -> dict[str, Any]:
    """Return the classes and functions of your own by name; what is added to it is found too."""
    return CUSTOM


@contextmanager
def custom_object_scope(custom_objects: Mapping[str, Any]) -> Iterator[None]:
    """Context manager: classes and functions are found by these names inside.

    Raises:
        ConfigError: it is no mapping of names.
    """
    if not isinstance(custom_objects, Mapping) or not all(
        isinstance(n, str) for n in custom_objects
    ):
        raise ConfigError(
            f"custom_object_scope: expected objects by name, received {custom_objects!r:.80}"
        )
    before = dict(CUSTOM)
    CUSTOM.update(custom_objects)
    try:
        yield
    finally:
        CUSTOM.clear()
        CUSTOM.update(before)


CustomObjectScope = custom_object_scope
