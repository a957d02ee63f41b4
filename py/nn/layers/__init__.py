"""Layers, one module a family, named and defined as in Keras 3 (`keras.layers`).

Where a paper defines one, its class names it.
"""

from __future__ import annotations

from typing import Any

from nn.errors import ConfigError
from nn.layers.base import Layer
from nn.layers.conv1d import Conv1D
from nn.layers.convolution import Conv2D
from nn.layers.core import Dense, Flatten, Input, InputLayer
from nn.layers.elementwise import ELU, Activation, LeakyReLU, ReLU, Softmax
from nn.layers.embedding import Embedding
from nn.layers.gru import GRU
from nn.layers.lstm import LSTM
from nn.layers.masking import Masking
from nn.layers.merging import Add, Concatenate, Multiply
from nn.layers.noise import Dropout, GaussianNoise, SpatialDropout2D
from nn.layers.normalization import BatchNormalization, LayerNormalization
from nn.layers.padding_layers import Cropping2D, ZeroPadding2D
from nn.layers.pooling import (
    AveragePooling2D,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    MaxPooling2D,
)
from nn.layers.separable import DepthwiseConv2D, SeparableConv2D
from nn.layers.shaping import (
    Permute,
    Rescaling,
    Reshape,
    Resizing,
    UpSampling2D,
)
from nn.layers.simple_rnn import SimpleRNN
from nn.layers.transposed import Conv2DTranspose
from nn.types import Config

CLASSES: dict[str, type[Layer]] = {
    c.__name__: c
    for c in (
        InputLayer, Activation, Add, AveragePooling2D, BatchNormalization, Concatenate, Conv1D,
        Conv2D, Conv2DTranspose, Cropping2D, Dense, DepthwiseConv2D, Dropout, ELU, Embedding,
        Flatten, GRU, GaussianNoise, GlobalAveragePooling2D, GlobalMaxPooling2D, LSTM,
        LayerNormalization, LeakyReLU, Masking, MaxPooling2D, Multiply, Permute, ReLU,
        Rescaling, Reshape, Resizing, SeparableConv2D, SimpleRNN, Softmax, SpatialDropout2D,
        UpSampling2D, ZeroPadding2D,
    )
}  # fmt: skip

__all__ = [
    "CLASSES",
    "ELU",
    "GRU",
    "LSTM",
    "Activation",
    "Add",
    "AveragePooling2D",
    "BatchNormalization",
    "Concatenate",
    "Conv1D",
    "Conv2D",
    "Conv2DTranspose",
    "Cropping2D",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "Embedding",
    "Flatten",
    "GaussianNoise",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "Input",
    "InputLayer",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "MaxPooling2D",
    "Multiply",
    "Permute",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Resizing",
    "SeparableConv2D",
    "SimpleRNN",
    "Softmax",
    "SpatialDropout2D",
    "UpSampling2D",
    "ZeroPadding2D",
    "deserialize",
]


def deserialize(settings: Config, custom_objects: dict[str, type[Layer]] | None = None) -> Layer:
    """Return the layer of {"class_name": ..., "config": ...}.

    Raises:
        ConfigError: no class has that name.
    """
    from nn.models.model import Model
    from nn.models.sequential import Sequential

    name = settings["class_name"]
    nested: dict[str, Any] = {"Sequential": Sequential, "Model": Model, "Functional": Model}
    found = (custom_objects or {}).get(name) or CLASSES.get(name) or nested.get(name)
    if found is None:
        raise ConfigError(f"layer: expected one of {sorted(CLASSES)}, received {name!r}")
    layer: Layer = found.from_config(settings["config"])
    return layer
