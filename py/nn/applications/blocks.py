"""What mobile networks are made of: inverted residuals, and the classifier at the end.

Source: Sandler et al. 2018, https://arxiv.org/abs/1801.04381; layers and names as in Keras.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

from nn.errors import ConfigError, ShapeError
from nn.graph import SymbolicTensor
from nn.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Input,
    ReLU,
    ZeroPadding2D,
)
from nn.models.model import Model

POOLINGS = {"avg": GlobalAveragePooling2D, "max": GlobalMaxPooling2D}
LEAST = 32
"""The smallest height and width: five layers halve them."""


def image_input(shape: Any, network: str) -> SymbolicTensor:
    """Return the input of images.

    Raises:
        ShapeError: not (height, width, 3) of at least 32 each, or None for any.
    """
    sizes = tuple(shape) if hasattr(shape, "__iter__") else (shape,)
    sides = [side for side in sizes[:2] if side is not None]
    if (
        len(sizes) != 3
        or sizes[2] != 3
        or any(not isinstance(side, Real) or side < LEAST for side in sides)
    ):
        raise ShapeError(
            f"{network}: expected input_shape (height, width, 3) of at least {LEAST}, "
            f"received {sizes}"
        )
    return Input(sizes)


def convolution(x: Any, filters: int, size: int, names: str, **options: Any) -> Any:
    """Convolve without bias, then normalize.

    Args:
        x: the symbolic tensor.
        filters: number of channels.
        size: of the kernel.
        names: of both layers, separated by a space.
        options: of the convolution, and `epsilon` and `momentum` of the normalization.
    """
    epsilon, momentum = options.pop("epsilon"), options.pop("momentum")
    first, second = names.split()
    y = Conv2D(filters, size, use_bias=False, name=first, **options)(x)
    return BatchNormalization(epsilon=epsilon, momentum=momentum, name=second)(y)


def relu6(x: Any, name: str) -> Any:
    return ReLU(6.0, name=name)(x)


def padded(x: Any, size: int, name: str) -> Any:
    """Add the zeros that Keras' networks add before a convolution of stride 2."""
    half = size // 2
    sides = [(half if side is not None and side % 2 else half - 1, half) for side in x.shape[1:3]]
    return ZeroPadding2D(tuple(sides), name=name)(x)


def finished(
    inputs: Any,
    features: Any,
    include_top: bool,
    pooling: str | None,
    classes: int,
    activation: Any,
    name: str,
) -> Model:
    """Return the network that ends with a classifier, a pooling or the feature maps.

    Args:
        inputs: the symbolic images.
        features: the last feature maps.
        include_top: whether a mean over each map and a dense layer follow.
        pooling: "avg", "max" or None, where `include_top` is False.
        classes: number of classes.
        activation: of the dense layer.
        name: of the model.

    Raises:
        ConfigError: an unknown pooling.
    """
    if pooling is not None and pooling not in list(POOLINGS):
        raise ConfigError(f"pooling: expected one of {[*POOLINGS]} or None, received {pooling!r}")
    x = features
    if include_top:
        x = GlobalAveragePooling2D(name="avg_pool")(x)
        x = Dense(classes, activation=activation, name="predictions")(x)
    elif pooling is not None:
        x = POOLINGS[pooling](name=f"{pooling}_pool")(x)
    return Model(inputs, x, name=name)
