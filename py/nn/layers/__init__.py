"""Layers, one module a family."""

from __future__ import annotations

from typing import Any

from nn.errors import ConfigError
from nn.layers.base import Layer
from nn.layers.convolution import Conv2D
from nn.layers.core import (
    ELU,
    Activation,
    Dense,
    Dropout,
    Flatten,
    Input,
    InputLayer,
    LeakyReLU,
    ReLU,
    Softmax,
)
from nn.layers.pooling import MaxPooling2D
from nn.types import Config

CLASSES: dict[str, type[Layer]] = {
    c.__name__: c
    for c in (
        InputLayer, Activation, Conv2D, Dense, Dropout, ELU, Flatten, LeakyReLU, MaxPooling2D, ReLU,
        Softmax,
    )
}  # fmt: skip

__all__ = [*CLASSES, "CLASSES", "Input", "Layer", "deserialize"]


def deserialize(settings: Config, custom_objects: dict[str, type[Layer]] | None = None) -> Layer:
    """Return the layer of {"class_name": ..., "config": ...}.

    Raises:
        ConfigError: no class has that name.
    """
    from nn.model import Model
    from nn.sequential import Sequential

    name = settings["class_name"]
    nested: dict[str, Any] = {"Sequential": Sequential, "Model": Model, "Functional": Model}
    found = (custom_objects or {}).get(name) or CLASSES.get(name) or nested.get(name)
    if found is None:
        raise ConfigError(f"layer: expected one of {sorted(CLASSES)}, received {name!r}")
    layer: Layer = found.from_config(settings["config"])
    return layer
