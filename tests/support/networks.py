"""Networks of `keras.applications` with random weights, whose normalization does something."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

NETWORKS = {
    "MobileNet": (-1, 1),
    "MobileNetV2": (-1, 1),
    "MobileNetV3Small": (0, 255),
    "MobileNetV3Large": (0, 255),
    "EfficientNetB0": (0, 255),
    "ResNet50V2": (-1, 1),
    "DenseNet121": (-1, 1),
    "NASNetMobile": (-1, 1),
}
"""Name in `keras.applications` -> the range of its images."""

TOLERANCE = 1e-4  # of the largest logit


def perturb(model: Any, rng: np.random.Generator) -> None:
    """Draw statistics, scales and shifts for every batch normalization of a Keras model."""
    keras = import_module("keras")
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            size = layer.moving_mean.shape
            layer.moving_mean.assign(rng.normal(0, 0.3, size))
            layer.moving_variance.assign(rng.uniform(0.5, 1.5, size))
            if layer.scale:
                layer.gamma.assign(rng.uniform(0.6, 1.4, size))
            if layer.center:
                layer.beta.assign(rng.normal(0, 0.3, size))
        if isinstance(layer, keras.layers.Normalization):
            layer.adapt_mean.assign(rng.uniform(0.3, 0.6, layer.adapt_mean.shape))
            layer.adapt_variance.assign(rng.uniform(0.05, 0.3, layer.adapt_variance.shape))
            layer.finalize_state()


def made(name: str, seed: int) -> tuple[Any, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return Keras' model, two images and its logits for them."""
    keras = import_module("keras")
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    model = getattr(keras.applications, name)(weights=None, classifier_activation=None)
    perturb(model, rng)
    images = rng.uniform(*NETWORKS[name], (2, 224, 224, 3)).astype(np.float32)
    return model, images, np.asarray(model.predict(images, verbose=0))
