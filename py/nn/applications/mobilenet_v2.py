"""MobileNetV2: 3.5 million weights, 0.30 billion multiply-adds for an image of 224 x 224.

Source: Sandler et al. 2018, https://arxiv.org/abs/1801.04381; layers, names and the order of the
weights are those of `keras.applications.MobileNetV2`, whose files open here.
"""

from __future__ import annotations

from math import isfinite
from numbers import Real
from typing import Any

from nn.applications import blocks
from nn.applications.weights import filled
from nn.errors import ConfigError
from nn.layers import Add, BatchNormalization, DepthwiseConv2D
from nn.models.model import Model

# Filters at alpha = 1, repeats, factor of expansion, stride of the first.
STAGES = (
    (16, 1, 1, 1),
    (24, 2, 6, 2),
    (32, 3, 6, 2),
    (64, 4, 6, 2),
    (96, 3, 6, 1),
    (160, 3, 6, 2),
    (320, 1, 6, 1),
)
_NORM: dict[str, Any] = {"epsilon": 1e-3, "momentum": 0.999}


async def MobileNetV2(
    input_shape: Any = (224, 224, 3),
    alpha: float = 1.0,
    include_top: bool = True,
    weights: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "mobilenetv2",
) -> Model:
    """Return MobileNetV2, as Keras builds it.

    Its images are RGB, x / 127.5 - 1: `preprocess_input`, or `load_image` for a file or picture.

    Args:
        input_shape: (height, width, 3), at least 32 each.
        alpha: factor of the numbers of filters.
        include_top: False leaves out the classifier, for other classes.
        weights: bytes of a file that `nn.io.load_weights` reads (such as Keras'), its address, or
            None for new weights. This site has no trained ones of this network.
        pooling: without the classifier "avg" or "max" gives the features of an image, None the
            maps.
        classes: number of classes.
        classifier_activation: of the classifier; None gives logits.
        name: of the model.

    Raises:
        ShapeError: another `input_shape`.
        ConfigError: an unknown pooling or kind of weights.
        FetchError: the weights cannot be downloaded.
        FormatError: the weights are damaged, or do not fit.
    """

    def make() -> Model:
        inputs = blocks.image_input(input_shape, name)
        x = _features(inputs, alpha)
        return blocks.finished(
            inputs, x, include_top, pooling, classes, classifier_activation, name
        )

    return await filled(make, weights, None)


def divisible(number: float, by: int = 8) -> int:
    """Round to a multiple of `by`, by at most a tenth downwards."""
    rounded = max(by, int(number + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * number else rounded


def _features(x: Any, alpha: float) -> Any:
    if not isinstance(alpha, Real) or not isfinite(alpha):
        raise ConfigError(f"MobileNetV2: expected alpha to be a number, received {alpha!r:.80}")
    first = divisible(32 * alpha)
    x = blocks.convolution(x, first, 3, "Conv1 bn_Conv1", strides=2, padding="same", **_NORM)
    x = blocks.relu6(x, "Conv1_relu")
    number = 0
    for filters, repeats, factor, stride in STAGES:
        for repeat in range(repeats):
            prefix = f"block_{number}_" if number else "expanded_conv_"
            step = stride if repeat == 0 else 1
            x = _block(x, prefix, divisible(int(filters * alpha)), factor, step)
            number += 1
    last = divisible(1280 * alpha) if alpha > 1 else 1280
    x = blocks.convolution(x, last, 1, "Conv_1 Conv_1_bn", **_NORM)
    return blocks.relu6(x, "out_relu")


def _block(x: Any, name: str, filters: int, factor: int, stride: int) -> Any:
    before, channels = x, x.shape[-1]
    if factor > 1:
        names = f"{name}expand {name}expand_BN"
        x = blocks.convolution(x, factor * channels, 1, names, padding="same", **_NORM)
        x = blocks.relu6(x, f"{name}expand_relu")
    if stride == 2:
        x = blocks.padded(x, 3, f"{name}pad")
    padding = "same" if stride == 1 else "valid"
    depthwise = DepthwiseConv2D(3, stride, padding=padding, use_bias=False, name=f"{name}depthwise")
    x = BatchNormalization(name=f"{name}depthwise_BN", **_NORM)(depthwise(x))
    x = blocks.relu6(x, f"{name}depthwise_relu")
    names = f"{name}project {name}project_BN"
    x = blocks.convolution(x, filters, 1, names, padding="same", **_NORM)
    if channels == filters and stride == 1:
        x = Add(name=f"{name}add")([before, x])
    return x
