"""EfficientNet-Lite0: 4.7 million weights, 0.39 billion multiply-adds for an image of 224 x 224.

EfficientNet B0 without squeeze-and-excitation and with relu6. Sources: Tan and Le 2019,
https://arxiv.org/abs/1905.11946; tensorflow/tpu, models/official/efficientnet/lite.
"""

from __future__ import annotations

from typing import Any

from nn.applications import blocks
from nn.applications.weights import IMAGENET, filled
from nn.layers import Add, BatchNormalization, DepthwiseConv2D
from nn.models.model import Model

NAME = "efficientnet_lite0"
FILE = "efficientnet_lite0.npz"

# Size of the kernel, repeats, filters, factor of expansion, stride of the first.
STAGES = (
    (3, 1, 16, 1, 1),
    (3, 2, 24, 6, 2),
    (5, 2, 40, 6, 2),
    (3, 3, 80, 6, 2),
    (5, 3, 112, 6, 1),
    (5, 4, 192, 6, 2),
    (3, 1, 320, 6, 1),
)
_NORM: dict[str, Any] = {"epsilon": 1e-3, "momentum": 0.99}


async def EfficientNetLite0(
    include_top: bool = True,
    weights: Any = IMAGENET,
    input_shape: Any = (224, 224, 3),
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = NAME,
) -> Model:
    """Return EfficientNet-Lite0.

    Its images are RGB, (x - 127) / 128: `preprocess_input`, or `load_image` for a file or picture.

    Args:
        include_top: False leaves out the classifier, for other classes.
        weights: "imagenet" downloads 4.9 MB (uint8 and float16); or bytes of a file that
            `nn.io.load_weights` reads, its address, or None for new weights.
        input_shape: (height, width, 3), at least 32 each.
        pooling: without the classifier "avg" or "max" gives 1,280 features an image, None the maps.
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
        x = _features(inputs)
        return blocks.finished(
            inputs, x, include_top, pooling, classes, classifier_activation, name
        )

    return await filled(make, weights, FILE)


def _features(x: Any) -> Any:
    x = blocks.convolution(x, 32, 3, "stem_conv stem_bn", strides=2, padding="same", **_NORM)
    x = blocks.relu6(x, "stem_activation")
    for number, (size, repeats, filters, factor, stride) in enumerate(STAGES, 1):
        for letter in "abcd"[:repeats]:
            x = _block(x, f"block{number}{letter}", size, filters, factor, stride)
            stride = 1
    x = blocks.convolution(x, 1280, 1, "top_conv top_bn", **_NORM)
    return blocks.relu6(x, "top_activation")


def _block(x: Any, name: str, size: int, filters: int, factor: int, stride: int) -> Any:
    before, channels = x, x.shape[-1]
    if factor > 1:
        names = f"{name}_expand_conv {name}_expand_bn"
        x = blocks.convolution(x, channels * factor, 1, names, **_NORM)
        x = blocks.relu6(x, f"{name}_expand_activation")
    depthwise = DepthwiseConv2D(size, stride, padding="same", use_bias=False, name=f"{name}_dwconv")
    x = BatchNormalization(name=f"{name}_bn", **_NORM)(depthwise(x))
    x = blocks.relu6(x, f"{name}_activation")
    x = blocks.convolution(x, filters, 1, f"{name}_project_conv {name}_project_bn", **_NORM)
    if stride == 1 and channels == filters:
        x = Add(name=f"{name}_add")([x, before])
    return x
