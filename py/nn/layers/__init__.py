"""Layers, one module a family, named and defined as in Keras 3 (`keras.layers`).

If a paper defines a layer, its docstring cites it. A layer is imported on first use. To add one,
name it in `HOMES` and, for type checkers, in the imports above that table.
"""

from typing import TYPE_CHECKING

from nn import registry
from nn.lazy import lookup
from nn.registry import deserialize as deserialize

if TYPE_CHECKING:
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
    from nn.layers.shaping import Permute, Rescaling, Reshape, Resizing, UpSampling2D
    from nn.layers.simple_rnn import SimpleRNN
    from nn.layers.transposed import Conv2DTranspose

HOMES = {
    "nn.layers.base": ("Layer",),
    "nn.layers.conv1d": ("Conv1D",),
    "nn.layers.convolution": ("Conv2D",),
    "nn.layers.core": ("Dense", "Flatten", "Input", "InputLayer"),
    "nn.layers.elementwise": ("ELU", "Activation", "LeakyReLU", "ReLU", "Softmax"),
    "nn.layers.embedding": ("Embedding",),
    "nn.layers.gru": ("GRU",),
    "nn.layers.lstm": ("LSTM",),
    "nn.layers.masking": ("Masking",),
    "nn.layers.merging": ("Add", "Concatenate", "Multiply"),
    "nn.layers.noise": ("Dropout", "GaussianNoise", "SpatialDropout2D"),
    "nn.layers.normalization": ("BatchNormalization", "LayerNormalization"),
    "nn.layers.padding_layers": ("Cropping2D", "ZeroPadding2D"),
    "nn.layers.pooling": (
        "AveragePooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "MaxPooling2D"
    ),
    "nn.layers.separable": ("DepthwiseConv2D", "SeparableConv2D"),
    "nn.layers.shaping": ("Permute", "Rescaling", "Reshape", "Resizing", "UpSampling2D"),
    "nn.layers.simple_rnn": ("SimpleRNN",),
    "nn.layers.transposed": ("Conv2DTranspose",),
}  # fmt: skip
"""Module -> names that the package has from it."""

CLASSES = registry.layers
"""Class name -> class of every layer that a configuration can name."""

CLASSES.register(HOMES, leave_out=("Input", "Layer"))

if not TYPE_CHECKING:  # a checker would take any name for one of the package
    __all__ = sorted(["deserialize", *(name for names in HOMES.values() for name in names)])
    __getattr__, __dir__ = lookup(__name__, HOMES)
