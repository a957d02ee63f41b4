"""Models: graphs of layers that are trained, saved and copied (`keras.models`)."""

from typing import TYPE_CHECKING

from nn.lazy import lookup

if TYPE_CHECKING:
    from nn.models.model import Model
    from nn.models.saving import (
        clone_model,
        load_model,
        load_weights,
        model_from_json,
        save_model,
        save_weights,
    )
    from nn.models.sequential import Sequential

HOMES = {
    "nn.models.model": ("Model",),
    "nn.models.saving": (
        "clone_model", "load_model", "load_weights", "model_from_json", "save_model",
        "save_weights",
    ),
    "nn.models.sequential": ("Sequential",),
}  # fmt: skip

if not TYPE_CHECKING:  # as in nn
    __all__ = sorted(name for names in HOMES.values() for name in names)
    __getattr__, __dir__ = lookup(__name__, HOMES)
