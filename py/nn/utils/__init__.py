"""Helpers for data and models, named and defined as in Keras 3 (`keras.utils`)."""

from typing import TYPE_CHECKING

from nn.lazy import lookup

if TYPE_CHECKING:
    from nn.backend import clear_session
    from nn.config import set_random_seed
    from nn.saving import (
        CustomObjectScope,
        custom_object_scope,
        get_custom_objects,
        get_registered_name,
        get_registered_object,
        register_keras_serializable,
    )
    from nn.utils.arrays import normalize, pad_sequences, to_categorical
    from nn.utils.drawing import model_to_svg, plot_model
    from nn.utils.images import array_to_img, img_to_array, load_img, save_img
    from nn.utils.py_dataset import PyDataset, Sequence
    from nn.utils.timeseries import timeseries_dataset_from_array

HOMES = {
    "nn.backend": ("clear_session",),
    "nn.config": ("set_random_seed",),
    "nn.saving": (
        "CustomObjectScope", "custom_object_scope", "get_custom_objects", "get_registered_name",
        "get_registered_object", "register_keras_serializable",
    ),
    "nn.utils.arrays": ("normalize", "pad_sequences", "to_categorical"),
    "nn.utils.drawing": ("model_to_svg", "plot_model"),
    "nn.utils.images": ("array_to_img", "img_to_array", "load_img", "save_img"),
    "nn.utils.py_dataset": ("PyDataset", "Sequence"),
    "nn.utils.timeseries": ("timeseries_dataset_from_array",),
}  # fmt: skip

if not TYPE_CHECKING:  # as in nn
    __all__ = sorted(name for names in HOMES.values() for name in names)
    __getattr__, __dir__ = lookup(__name__, HOMES)
