"""What programs take from `keras.backend` that is not of one backend alone."""

from __future__ import annotations

import gc
from typing import Any

from nn.config import epsilon, floatx, set_floatx
from nn.errors import ConfigError
from nn.keras_arguments import checked
from nn.lazy import absent

__all__ = [
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "image_data_format",
    "set_floatx",
    "set_image_data_format",
]


def clear_session(free_memory: bool = True) -> None:
    """Free what no name refers to any more.

    Names of layers are numbered in each model from the start, and no state is shared by models.

    Args:
        free_memory: whether to collect garbage now.
    """
    if free_memory:
        gc.collect()


def backend() -> str:
    """Return what arrays are."""
    return "numpy"


def image_data_format() -> str:
    """Return the order of an image's axes where a layer is given none."""
    return "channels_last"


@checked
def set_image_data_format(data_format: Any) -> None:
    """Accept the order that layers have.

    Raises:
        ConfigError: it is another.
    """
    if data_format != "channels_last":
        raise ConfigError(
            "image_data_format: expected 'channels_last', which all layers have where they are "
            f"given no data_format, received {data_format!r:.80}"
        )


def __getattr__(name: str) -> object:
    """Say where the functions of arrays are, which are here in earlier versions of Keras."""
    raise absent(__name__, name)
