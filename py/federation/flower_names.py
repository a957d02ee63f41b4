"""Flower's own module names, for a client app that imports them where flwr is not installed.

>>> provide()
>>> from flwr.app import Message
>>> from flwr.clientapp import ClientApp
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from federation import client_app, message, mods, records

__all__ = ["provide"]

Number = int | float
Numbers = list[int] | list[float]
Setting = bool | float | int | str
Scalar = Setting | bytes
Scalars = Numbers | list[str] | list[bytes] | list[bool]
TYPES = {
    "MetricScalar": Number, "MetricScalarList": Numbers, "MetricRecordValues": Number | Numbers,
    "ConfigScalar": Scalar, "ConfigScalarList": Scalars, "ConfigRecordValues": Scalar | Scalars,
    "UserConfigValue": Setting, "UserConfig": dict[str, Setting],
}  # fmt: skip
NAMES: dict[str, dict[str, Any]] = {
    "flwr.app": {
        **TYPES,
        **{name: getattr(records, name) for name in records.__all__},
        **{name: getattr(message, name) for name in message.__all__},
    },
    "flwr.clientapp": {"ClientApp": client_app.ClientApp},
    "flwr.clientapp.typing": {"ClientAppCallable": client_app.Handler, "Mod": client_app.Mod},
    "flwr.clientapp.mod": {name: getattr(mods, name) for name in mods.__all__},
}


def provide() -> bool:
    """Have `flwr.app` and `flwr.clientapp` give this package's classes; False if flwr is there."""
    if "flwr" in sys.modules or find_spec("flwr") is not None:
        return False
    package = ModuleType("flwr", "The part of Flower that a client app needs, from `federation`.")
    package.__path__ = []
    sys.modules["flwr"] = package
    for name, classes in NAMES.items():
        module = ModuleType(name)
        vars(module).update(classes)
        sys.modules[name] = module
        module.__path__ = []
        parent, _, last = name.rpartition(".")
        setattr(sys.modules[parent], last, module)
    return True
