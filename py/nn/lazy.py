"""Modules that are imported when something of theirs is first asked for.

The engine is in two parts: what prediction needs, and what only training does. A page that only
predicts is sent the first alone (tools/bundle.py packs them), and imports no more of it than it
uses. So nothing of the first part imports anything of the second at its top: packages look their
names up here (PEP 562), and a method that is at home in the second is a `Deferred`. Whatever was
looked up once is an ordinary attribute from then on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from nn.errors import MissingPartError


def load(module: str) -> Any:
    """Return a module of the engine, which may be in the part that is not here.

    Raises:
        MissingPartError: it was not loaded together with the engine.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):  # the module or a package that it is in
            raise
        raise MissingPartError(
            f"{module}: expected the whole engine, received the part that only predicts; to train, "
            'give the worker the rest as well: "static/vendor/python/training.zip" = "./*" under '
            "[files] of its configuration"
        ) from None


def lookup(
    package: str, homes: Mapping[str, Iterable[str]], modules: Iterable[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a package's `__getattr__` and `__dir__`.

    Args:
        package: its name.
        homes: module -> names that the package has from it.
        modules: modules of the package that are to be asked for by name; the others are found too,
            but where one is missing, that is an AttributeError.
    """
    where = {name: module for module, names in homes.items() for name in names}
    here = frozenset(modules)

    def find(name: str) -> Any:
        inside = f"{package}.{name}"
        if name in where:
            value = getattr(load(where[name]), name)
        elif name in here or (name[:1] != "_" and find_spec(inside) is not None):
            value = load(inside)
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *where, *here})

    return find, names


class Deferred:
    """A method whose function is in another module: imported when it is first looked up.

    Args:
        module: where a function of the method's name is.
    """

    def __init__(self, module: str) -> None:
        self.module = module

    def __set_name__(self, owner: type, name: str) -> None:
        self.owner, self.name = owner, name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        function = getattr(load(self.module), self.name)
        setattr(self.owner, self.name, function)
        return function.__get__(instance, owner)
