"""Optimizers, named and defined as in Keras 3 (`keras.optimizers`)."""

from __future__ import annotations

from typing import Any

from nn import schedules as schedules
from nn.errors import ConfigError
from nn.identifiers import describe, resolve
from nn.optimizers.adaptive import (
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Nadam,
    RMSprop,
    ScheduleFreeAdamW,
)
from nn.optimizers.base import Optimizer
from nn.optimizers.descent import SGD, Lion
from nn.optimizers.layerwise import Ftrl, Lamb
from nn.optimizers.matrixwise import Adafactor, Muon
from nn.types import Config

__all__ = [
    "CLASSES",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "Muon",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "ScheduleFreeAdamW",
    "get",
    "serialize",
]

CLASSES: dict[str, type[Optimizer]] = {
    c.__name__: c
    for c in (
        SGD,
        RMSprop,
        Adagrad,
        Adadelta,
        Adam,
        AdamW,
        Adamax,
        Nadam,
        Lion,
        Lamb,
        Ftrl,
        ScheduleFreeAdamW,
        Adafactor,
        Muon,
    )
}


def get(identifier: Any) -> Optimizer:
    """Return the optimizer for a name ("adam") or configuration; an `Optimizer` as it is.

    Raises:
        ConfigError: the name is unknown.
    """
    return resolve(identifier, Optimizer, _named)


def _named(name: Any) -> type[Optimizer]:
    for key, found in CLASSES.items():
        if isinstance(name, str) and key.lower() == name.lower():
            return found
    raise ConfigError(f"optimizer: expected one of {sorted(CLASSES)}, received {name!r}")


deserialize = get


def serialize(optimizer: Optimizer) -> Config:
    """Return the optimizer's class and settings as Keras writes them."""
    return describe(optimizer)
