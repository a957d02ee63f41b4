"""Lazy imports: packages whose names are imported when they are first asked for (PEP 562).

The engine is in three parts: what most predictions need, what only training and a few layers do,
and the files of Keras and ONNX. A page that only predicts is sent the first part alone
(tools/bundle.py packs them), and imports no more of it than it uses. So nothing of the first part
imports anything of the others at its top: packages look their names up here, and the methods of
`nn.models.trainer.Trainer` call `load`. A name that was looked up once is an ordinary attribute
from then on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from nn.errors import MissingPartError

FORMATS = (
    "nn.io.hdf5",
    "nn.io.keras.arrays",
    "nn.io.keras.assets",
    "nn.io.keras.groups",
    "nn.io.keras.keras3",
    "nn.io.keras.legacy_h5",
    "nn.io.keras.masks",
    "nn.io.keras.operations",
    "nn.io.keras.steps",
    "nn.io.keras.stores",
    "nn.io.onnx",
    "nn.io.protobuf",
    "nn.io.weights",
)
"""Modules and packages of the third part."""


def archive(module: str) -> tuple[str, str]:
    """Return the archive that brings a module, and what it is."""
    if any(f"{module}.".startswith(f"{name}.") for name in FORMATS):
        return "formats.zip", "files of Keras and ONNX"
    if f"{module}.".startswith("nn.applications."):
        return "applications.zip", "networks for photographs"
    if f"{module}.".startswith("nn.gpu."):
        return "gpu.tgz", "what trains on a GPU"
    return "training.zip", "the whole engine"


@cache
def load(module: str) -> Any:
    """Return a module of the engine, which may be in a part that was not loaded.

    What was found is kept: `train_on_batch` asks for each batch.

    Raises:
        MissingPartError: the module is in such a part; the message names the part's archive.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):  # the module or a package that it is in
            raise
        name, what = archive(module)
        raise MissingPartError(
            f"{module}: expected {what}, received the part for usual predictions; give the worker "
            f'that as well: "static/vendor/python/{name}" = "./*" under [files] of its '
            "configuration"
        ) from None


def absent(package: str, name: str) -> AttributeError:
    """Return the error for a name that a package lacks, with what is here for one of Keras'."""
    message = f"module {package!r} has no attribute {name!r}"
    with suppress(ImportError):
        message += load("nn.absent").instead(package, name)
    return AttributeError(message)


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
            raise absent(package, name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *where, *here})

    return find, names
