"""Registry of layer and model classes by name, for configurations that name a class.

A class is imported when its name is first looked up. Nothing else lists the classes: formats,
`deserialize` and `from_config` ask here.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from nn.errors import ConfigError
from nn.lazy import load


class Registry(Mapping[str, Any]):
    """Class name -> class; a class is imported when its name is looked up."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[str, str]] = {}

    def register(self, homes: Mapping[str, Iterable[str]], leave_out: Container[str] = ()) -> None:
        """Add classes.

        Args:
            homes: module -> names of its classes.
            leave_out: names in `homes` that no configuration uses.
        """
        for module, names in homes.items():
            self._places |= {name: (module, name) for name in names if name not in leave_out}

    def alias(self, name: str, of: str) -> None:
        """Give a class a further name."""
        self._places[name] = self._places[of]

    def __getitem__(self, name: str) -> Any:
        module, attribute = self._places[name]
        return getattr(load(module), attribute)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


layers = Registry()
"""The layers; `nn.layers` registers them."""

models = Registry()
"""The models, named here: a layer's configuration may name one before `nn.models` is imported."""

models.register({"nn.models.model": ("Model",), "nn.models.sequential": ("Sequential",)})
models.alias("Functional", of="Model")


def deserialize(
    settings: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
) -> Any:
    """Return the layer of {"class_name": ..., "config": ...}; a model is a layer too.

    Args:
        settings: as `get_config` gives them, with the name of the class.
        custom_objects: class name -> class, for classes that are not the engine's.

    Raises:
        ConfigError: no class has that name.
    """
    if not isinstance(settings, Mapping) or not {"class_name", "config"} <= settings.keys():
        raise ConfigError(f"layer: expected its class_name and config, received {settings!r:.80}")
    if not isinstance(custom_objects, Mapping | None):
        raise ConfigError(
            f"custom_objects: expected classes by name, received {custom_objects!r:.80}"
        )
    name = settings["class_name"]
    for classes in (custom_objects or {}, load("nn.identifiers").CUSTOM, layers, models):
        if classes.get(name):
            return classes[name].from_config(settings["config"])
    raise ConfigError(f"layer: expected one of {sorted(layers)}, received {name!r}")
