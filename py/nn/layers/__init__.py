"""Layers, one module a family, named and defined as in Keras 3 (`keras.layers`).

If a paper defines a layer, its docstring cites it. A layer is imported on first use. To add one,
name it in `HOMES` and, for type checkers, in the imports above that table.
"""

from typing import TYPE_CHECKING

from nn import registry
from nn.lazy import lookup
from nn.registry import deserialize as deserialize

if TYPE_CHECKING:
    from nn.layers.arithmetic import Divide, GetItem, Log, Matmul, Power
    from nn.layers.attention import Attention, MultiHeadAttention
    from nn.layers.base import Layer
    from nn.layers.category_encoding import CategoryEncoding
    from nn.layers.cells import RNN, GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells
    from nn.layers.constant import ConstantArray
    from nn.layers.conv_lstm import ConvLSTM1D, ConvLSTM2D
    from nn.layers.conv_lstm_cell import ConvLSTM2DCell
    from nn.layers.convolution import Conv1D, Conv2D
    from nn.layers.core import Dense, Flatten, Input, InputLayer
    from nn.layers.discretization import Discretization
    from nn.layers.dot_product import Dot
    from nn.layers.elementwise import (
        ELU,
        Activation,
        LeakyReLU,
        PReLU,
        ReLU,
        Softmax,
        ThresholdedReLU,
    )
    from nn.layers.embedding import Embedding
    from nn.layers.gaussian import AlphaDropout, GaussianDropout, GaussianNoise
    from nn.layers.gru import GRU
    from nn.layers.hashing import HashedCrossing, Hashing
    from nn.layers.lookup import IntegerLookup, StringLookup
    from nn.layers.lstm import LSTM
    from nn.layers.masking import Masking
    from nn.layers.merging import (
        Add,
        Average,
        Concatenate,
        Maximum,
        Minimum,
        Multiply,
        Subtract,
    )
    from nn.layers.noise import Dropout, SpatialDropout1D, SpatialDropout2D, SpatialDropout3D
    from nn.layers.normalization import (
        BatchNormalization,
        GroupNormalization,
        LayerNormalization,
        RMSNormalization,
    )
    from nn.layers.padding_layers import (
        Cropping1D,
        Cropping2D,
        Cropping3D,
        ZeroPadding1D,
        ZeroPadding2D,
        ZeroPadding3D,
    )
    from nn.layers.pooling import (
        AveragePooling1D,
        AveragePooling2D,
        AveragePooling3D,
        GlobalAveragePooling1D,
        GlobalAveragePooling2D,
        GlobalAveragePooling3D,
        GlobalMaxPooling1D,
        GlobalMaxPooling2D,
        GlobalMaxPooling3D,
        MaxPooling1D,
        MaxPooling2D,
        MaxPooling3D,
    )
    from nn.layers.random_images import (
        RandomBrightness,
        RandomContrast,
        RandomCrop,
        RandomFlip,
        RandomHeight,
        RandomRotation,
        RandomTranslation,
        RandomWidth,
        RandomZoom,
    )
    from nn.layers.rescaling import Normalization, Rescaling
    from nn.layers.separable import (
        DepthwiseConv1D,
        DepthwiseConv2D,
        SeparableConv1D,
        SeparableConv2D,
    )
    from nn.layers.shaping import (
        ActivityRegularization,
        CenterCrop,
        Identity,
        Permute,
        RepeatVector,
        Reshape,
        Resizing,
        UpSampling1D,
        UpSampling2D,
        UpSampling3D,
    )
    from nn.layers.simple_rnn import SimpleRNN
    from nn.layers.text import TextVectorization
    from nn.layers.transposed import Conv1DTranspose, Conv2DTranspose
    from nn.layers.unit_length import UnitNormalization
    from nn.layers.volumes import Conv3D, Conv3DTranspose
    from nn.layers.wrappers import Bidirectional, TimeDistributed

HOMES = {
    "nn.layers.arithmetic": ("Divide", "GetItem", "Log", "Matmul", "Power"),
    "nn.layers.attention": ("Attention", "MultiHeadAttention"),
    "nn.layers.base": ("Layer",),
    "nn.layers.category_encoding": ("CategoryEncoding",),
    "nn.layers.cells": ("GRUCell", "LSTMCell", "RNN", "SimpleRNNCell", "StackedRNNCells"),
    "nn.layers.constant": ("ConstantArray",),
    "nn.layers.conv_lstm": ("ConvLSTM1D", "ConvLSTM2D"),
    "nn.layers.conv_lstm_cell": ("ConvLSTM2DCell",),
    "nn.layers.convolution": ("Conv1D", "Conv2D"),
    "nn.layers.core": ("Dense", "Flatten", "Input", "InputLayer"),
    "nn.layers.discretization": ("Discretization",),
    "nn.layers.dot_product": ("Dot",),
    "nn.layers.elementwise": (
        "ELU", "Activation", "LeakyReLU", "PReLU", "ReLU", "Softmax", "ThresholdedReLU",
    ),
    "nn.layers.embedding": ("Embedding",),
    "nn.layers.gaussian": ("AlphaDropout", "GaussianDropout", "GaussianNoise"),
    "nn.layers.gru": ("GRU",),
    "nn.layers.hashing": ("HashedCrossing", "Hashing"),
    "nn.layers.lookup": ("IntegerLookup", "StringLookup"),
    "nn.layers.lstm": ("LSTM",),
    "nn.layers.masking": ("Masking",),
    "nn.layers.merging": (
        "Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract",
    ),
    "nn.layers.noise": ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
    "nn.layers.normalization": (
        "BatchNormalization", "GroupNormalization", "LayerNormalization",
        "RMSNormalization",
    ),
    "nn.layers.padding_layers": (
        "Cropping1D", "Cropping2D", "Cropping3D", "ZeroPadding1D", "ZeroPadding2D",
        "ZeroPadding3D",
    ),
    "nn.layers.pooling": (
        "AveragePooling1D", "AveragePooling2D", "AveragePooling3D",
        "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D",
        "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D", "MaxPooling1D",
        "MaxPooling2D", "MaxPooling3D",
    ),
    "nn.layers.random_images": (
        "RandomBrightness", "RandomContrast", "RandomCrop", "RandomFlip", "RandomHeight",
        "RandomRotation", "RandomTranslation", "RandomWidth", "RandomZoom",
    ),
    "nn.layers.rescaling": ("Normalization", "Rescaling"),
    "nn.layers.separable": (
        "DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D",
    ),
    "nn.layers.shaping": (
        "ActivityRegularization", "CenterCrop", "Identity", "Permute", "RepeatVector",
        "Reshape", "Resizing", "UpSampling1D", "UpSampling2D", "UpSampling3D",
    ),
    "nn.layers.simple_rnn": ("SimpleRNN",),
    "nn.layers.text": ("TextVectorization",),
    "nn.layers.transposed": ("Conv1DTranspose", "Conv2DTranspose"),
    "nn.layers.unit_length": ("UnitNormalization",),
    "nn.layers.volumes": ("Conv3D", "Conv3DTranspose"),
    "nn.layers.wrappers": ("Bidirectional", "TimeDistributed"),
}  # fmt: skip
"""Module -> names that the package has from it."""

FUNCTIONS = {
    "nn.layers.functional": (
        "add", "average", "concatenate", "dot", "maximum", "minimum", "multiply", "serialize",
        "subtract",
    ),
}  # fmt: skip
"""Module -> functions that only `nn.layers` has from it, not `nn`."""

if TYPE_CHECKING:
    from nn.layers.functional import (
        add,
        average,
        concatenate,
        dot,
        maximum,
        minimum,
        multiply,
        serialize,
        subtract,
    )

CLASSES = registry.layers
"""Class name -> class of every layer that a configuration can name."""

CLASSES.register(HOMES, leave_out=("Input", "Layer"))

if not TYPE_CHECKING:  # a checker would take any name for one of the package
    __all__ = sorted(["deserialize", *(name for names in HOMES.values() for name in names)])
    _find, __dir__ = lookup(__name__, HOMES | FUNCTIONS)

    def __getattr__(name):
        """Return a layer by its name or Keras' other one, as `MaxPool2D` and `Convolution2D`."""
        for short, long in (("AvgPool", "AveragePooling"), ("Pool", "Pooling"), ("olution", "")):
            if name.replace(short, long) in CLASSES:
                name = name.replace(short, long)
        return _find(name)
