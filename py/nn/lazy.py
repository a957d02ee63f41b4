"""Lazy imports: packages whose names are imported when they are first asked for (PEP 562).

The engine is in two parts: what most predictions need, and what only training and a few layers do.
A page that only predicts is sent the first part alone (tools/bundle.py packs them), and imports no
more of it than it uses. So nothing of the first part imports anything of the second at its top:
packages look their names up here, and the methods of `nn.models.trainer.Trainer` call `load`. A
name that was looked up once is an ordinary attribute from then on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from nn.errors import MissingPartError


def load(module: str) -> Any:
    """Return a module of the engine, which may be in the part that was not loaded.

    Raises:
        MissingPartError: the module is in that part.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):  # the module or a package that it is in
            raise
        raise MissingPartError(
            f"{module}: expected the whole engine, received the part for usual predictions; "
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
        modules: public modules of the package. Its other modules are found too, but if one is
            missing, that is an AttributeError.
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
