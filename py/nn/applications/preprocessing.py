"""Preprocessing: the numbers that a network was trained on, and the part of a photograph it sees.

By name of the network, those of `keras.applications` and torchvision's among them. Which numbers
EfficientNet-Lite0's weights belong to was measured: with (x - 127) / 128 the first layer's
outputs have the deviations that the weights' normalization states.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.applications.resampling import resample
from nn.data.numeric import numeric
from nn.errors import ConfigError, ShapeError
from nn.types import Array

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """What happens to a photograph.

    Attributes:
        mean: subtracted from RGB between 0 and 255.
        deviation: divided by then.
        crop: share of the shorter side of the square in the middle that is kept.
    """

    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)
    crop: float = 0.875


_CENTERED = Preprocessing((127.5,), (127.5,))
_AS_IT_IS = Preprocessing()
_NORMALIZED = Preprocessing(
    tuple(255 * value for value in _MEAN), tuple(255 * value for value in _DEVIATION)
)

NETWORKS = {
    "efficientnet_lite0": Preprocessing((127.0,), (128.0,)),
    "mobilenet": _CENTERED,
    "mobilenet_v2": _CENTERED,
    "mobilenet_v3": _AS_IT_IS,
    "efficientnet": _AS_IT_IS,
    "resnet_v2": _CENTERED,
    "densenet": _NORMALIZED,
    "nasnet": _CENTERED,
    "torchvision": _NORMALIZED,
}
"""Name of a network, or of its module in Keras -> its preprocessing."""

# How Keras names the models of its modules, where it is not the module's name.
_ALIASES = {
    "mobilenetv2": "mobilenet_v2",
    "mobilenetv3small": "mobilenet_v3",
    "mobilenetv3large": "mobilenet_v3",
    "efficientnetb0": "efficientnet",
    "resnet50v2": "resnet_v2",
    "densenet121": "densenet",
}


def of(network: Any) -> Preprocessing:
    """Return the preprocessing of a model, or of the name of a network.

    Raises:
        ConfigError: the name is not known.
    """
    name = str(getattr(network, "name", network)).lower()
    parts = name.split("_")
    # "mobilenetv2_1.00_224" of Keras' MobileNetV2, "mobilenet_v2" of its module.
    for end in range(len(parts), 0, -1):
        start = "_".join(parts[:end])
        if _ALIASES.get(start, start) in NETWORKS:
            return NETWORKS[_ALIASES.get(start, start)]
    known = ", ".join(NETWORKS)
    raise ConfigError(f"preprocessing: expected one of {known}, received {name!r}")


def preprocess_input(x: Any, network: Any = "efficientnet_lite0") -> Array:
    """Return RGB between 0 and 255 as the numbers that a network was trained on, float32.

    Args:
        x: (..., 3).
        network: a model, or a name of `NETWORKS`.

    Raises:
        ShapeError: the last axis is not of three channels.
        ConfigError: the network is not known.
    """
    steps = of(network)
    images = numeric(x, "preprocess_input")
    if images.ndim < 1 or images.shape[-1] != 3:
        raise ShapeError(f"preprocess_input: expected RGB (..., 3), received {images.shape}")
    images = images.astype(np.float32)
    images -= np.asarray(steps.mean, np.float32)
    images /= np.asarray(steps.deviation, np.float32)
    return images


def fitted(pixels: Array, size: tuple[int, int], crop: float) -> Array:
    """Return the middle of an image, resampled: (h, w, 3) -> (height, width, 3), float32.

    Args:
        pixels: uint8 or floats.
        size: height and width; a part of the image with these proportions is kept.
        crop: share of the largest such part that is kept.
    """
    height, width = pixels.shape[:2]
    scale = crop * min(height / size[0], width / size[1])
    rows, columns = (max(1, round(scale * side)) for side in size)
    top, left = (height - rows) // 2, (width - columns) // 2
    part = pixels[top : top + rows, left : left + columns]
    return resample(part, *size)
