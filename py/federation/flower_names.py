"""Flower's own module names, for a client app that imports them where flwr is not installed.

>>> provide()
>>> from flwr.app import Message
>>> from flwr.clientapp import ClientApp
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from federation import client_app, message, records

__all__ = ["provide"]

TYPES = (
    "ConfigRecordValues", "ConfigScalar", "ConfigScalarList", "MetricRecordValues", "MetricScalar",
    "MetricScalarList", "UserConfig", "UserConfigValue",
)  # fmt: skip
NAMES: dict[str, dict[str, Any]] = {
    "flwr.app": {
        **dict.fromkeys(TYPES, object),  # for annotations
        **{name: getattr(records, name) for name in records.__all__},
        **{name: getattr(message, name) for name in message.__all__},
    },
    "flwr.clientapp": {"ClientApp": client_app.ClientApp},
    "flwr.clientapp.typing": {"ClientAppCallable": client_app.Handler, "Mod": client_app.Mod},
}


def provide() -> bool:
    """Have `flwr.app` and `flwr.clientapp` give this package's classes; False if flwr is there."""
    if "flwr" in sys.modules or find_spec("flwr") is not None:
        return False
    package = ModuleType("flwr", "The part of Flower that a client app needs, from `federation`.")
    package.__path__ = []
    sys.modules["flwr"] = package
    names = dict(NAMES)
    if find_spec("federation.mods"):  # in a tab it is an archive of its own
        mods = import_module("federation.mods")
        names["flwr.clientapp.mod"] = {name: getattr(mods, name) for name in mods.__all__}
    for name, classes in names.items():
        module = ModuleType(name)
        vars(module).update(classes)
        sys.modules[name] = module
        module.__path__ = []
        parent, _, last = name.rpartition(".")
        setattr(sys.modules[parent], last, module)
    return True
