"""Networks drawn from every layer of the registry.

`OPTIONS` and `SPECIAL` say what each layer is called on, with choices of its options. What comes
before it is given the axes that it needs, so any layers can follow one another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import nn
import numpy as np
from nn.io.errors import UnsupportedError
from nn.layers.base import walk

L: Any = nn.layers
# Axes of what a layer is called on, the batch's left out.
SHAPES = {
    "vector": (12,),
    "steps": (6, 4),
    "image": (7, 6, 4),
    "film": (3, 5, 4, 2),
    "volume": (4, 5, 4, 2),
}
MOST = 400  # numbers of a sample; more go through a dense layer
SEED = 11
SEVERAL = 4  # layers of a network
FORMATS = ("npz", "tfjs", "keras", "onnx")
CLOSE = 1e-4  # of the largest value: kernels and NumPy add in another order
OUTSIDE = {"StringLookup", "TextVectorization"}
"""Layers of texts, which no network of numbers holds: they stand before it."""

Options = dict[str, list[Any]]
ACTIVATIONS = [None, "relu", "tanh", "sigmoid", "gelu"]
CONV: Options = {"kernel_size": [2, 3], "padding": ["same", "valid"], "activation": ACTIVATIONS}
FILTERS: Options = {"filters": [2, 4], **CONV}
RATE: Options = {"rate": [0.3]}
UNITS: Options = {"units": [3, 4], "return_sequences": [True, False]}
BINS = [-0.5, 0.0, 0.5]
POOL: Options = {"pool_size": [2], "padding": ["same", "valid"]}
KEEP: Options = {"keepdims": [True, False]}
FACTOR: Options = {"factor": [0.2]}
OPTIONS: dict[str, dict[str, Options]] = {
    "vector": {
        "ActivityRegularization": {"l2": [0.1]},
        "Dense": {"units": [5, 8], "activation": ACTIVATIONS},
        "Discretization": {"bin_boundaries": [BINS], "output_mode": ["int", "count"]},
        "Dropout": RATE, "AlphaDropout": RATE, "GaussianDropout": RATE, "ELU": {"alpha": [0.7]},
        "GaussianNoise": {"stddev": [0.1]}, "Identity": {}, "LayerNormalization": {},
        "LeakyReLU": {"negative_slope": [0.1, 0.3]}, "Power": {"exponent": [2.0, 3.0]},
        "RepeatVector": {"n": [2, 3]}, "Softmax": {}, "ThresholdedReLU": {"theta": [0.2]},
        "Normalization": {"mean": [0.1], "variance": [0.5, 2.0]}, "UnitNormalization": {},
    },
    "steps": {
        "AveragePooling1D": POOL, "MaxPooling1D": POOL, "Conv1D": FILTERS,
        "Conv1DTranspose": FILTERS, "Cropping1D": {"cropping": [1, (2, 1)]},
        "DepthwiseConv1D": CONV, "SeparableConv1D": FILTERS, "GRU": UNITS, "LSTM": UNITS,
        "SimpleRNN": UNITS, "GetItem": {"index": [[[1, 4, 2]], [-1]]},
        "GlobalAveragePooling1D": KEEP, "GlobalMaxPooling1D": KEEP, "Masking": {},
        "RMSNormalization": {}, "SpatialDropout1D": RATE, "UpSampling1D": {"size": [2]},
        "ZeroPadding1D": {"padding": [1, (2, 1)]}, "Permute": {"dims": [(2, 1)]},
    },
    "image": {
        "Activation": {"activation": ["relu6", "hard_silu", "softplus", "mish"]},
        "AveragePooling2D": POOL, "MaxPooling2D": POOL, "BatchNormalization": {},
        "CenterCrop": {"height": [4], "width": [3, 5]}, "Conv2D": FILTERS,
        "ConvLSTM1D": {"filters": [2], "kernel_size": [2], "return_sequences": [True, False]},
        "Conv2DTranspose": FILTERS, "Cropping2D": {"cropping": [1]}, "DepthwiseConv2D": CONV,
        "SeparableConv2D": FILTERS, "Flatten": {}, "GlobalAveragePooling2D": KEEP,
        "GlobalMaxPooling2D": KEEP, "GroupNormalization": {"groups": [1, 2]},
        "PReLU": {"shared_axes": [None, [1, 2]]}, "RandomBrightness": FACTOR,
        "RandomContrast": FACTOR, "RandomCrop": {"height": [4], "width": [3]},
        "RandomFlip": {"mode": ["horizontal", "vertical"]}, "RandomRotation": FACTOR,
        "RandomTranslation": {"height_factor": [0.2], "width_factor": [0.2]},
        "RandomZoom": {"height_factor": [0.2]}, "ReLU": {"max_value": [None, 6.0]},
        "Rescaling": {"scale": [0.5], "offset": [0.0, 1.0]}, "Reshape": {"target_shape": [(-1, 4)]},
        "Resizing": {"height": [5], "width": [8], "interpolation": ["bilinear", "nearest"]},
        "SpatialDropout2D": RATE, "UpSampling2D": {"size": [2]}, "ZeroPadding2D": {"padding": [1]},
    },
    "film": {"ConvLSTM2D": {"filters": [2], "kernel_size": [2], "padding": ["same", "valid"]}},
    "volume": {
        "AveragePooling3D": POOL, "MaxPooling3D": POOL, "Conv3D": FILTERS,
        "Conv3DTranspose": FILTERS, "Cropping3D": {"cropping": [1]}, "SpatialDropout3D": RATE,
        "GlobalAveragePooling3D": KEEP, "GlobalMaxPooling3D": KEEP,
        "UpSampling3D": {"size": [(1, 2, 1)]}, "ZeroPadding3D": {"padding": [(1, 0, 1)]},
    },
}  # fmt: skip
"""Shape -> layer -> option -> choices."""

Make = Callable[[Random, Any], Any]


def _numbers(x: Any) -> Any:
    """Return whole numbers from 0 to 3."""
    return L.Discretization(BINS)(x)


def _sized(kind: str) -> Make:
    return lambda random, x: L.Resizing(7, 6)(getattr(L, kind)(0.2)(x))


def _merged(kind: str) -> Make:
    return lambda random, x: getattr(L, kind)()([x, L.Activation(random.choice(ACTIVATIONS))(x)])


def _cell_of_images(random: Random, x: Any) -> Any:
    states = [L.Conv2D(3, 1)(x) for _ in "hc"]
    return L.ConvLSTM2DCell(3, 2, padding="same")([x, *states])[random.choice([0, 2])]


def _stacked(random: Random, x: Any) -> Any:
    cells = [L.LSTMCell(3), L.GRUCell(4), L.SimpleRNNCell(3)]
    return L.RNN(cells, return_sequences=random.choice([True, False]))(x)


def _around(kind: str, *inner: Callable[[], Any]) -> Make:
    return lambda random, x: getattr(L, kind)(random.choice(inner)())(x)


def _beside_an_array(random: Random, x: Any) -> Any:
    array = np.linspace(-1, 1, math.prod(x.shape[1:])).reshape(1, *x.shape[1:])
    join = random.choice([L.Add, L.Concatenate, L.Multiply])
    return join()([x, array])


def _scored(random: Random, x: Any) -> Any:
    """Return the products of each step with each, apart for several heads or not."""
    x = random.choice([x, L.Reshape((1, *x.shape[1:]))(x)])
    return L.Matmul()([x, L.Permute((2, 1) if len(x.shape) == 3 else (1, 3, 2))(x)])


SPECIAL: dict[str, tuple[str, Make]] = {
    "Attention": ("steps", lambda random, x: L.Attention()([x, x])),
    "Bidirectional": ("steps", _around("Bidirectional", lambda: L.LSTM(2), lambda: L.GRU(3))),
    "CategoryEncoding": ("vector", lambda random, x: L.CategoryEncoding(4)(_numbers(x))),
    "ConstantArray": ("steps", _beside_an_array),
    "ConvLSTM2DCell": ("image", _cell_of_images),
    "Divide": ("vector", lambda random, x: L.Divide()([x, L.Rescaling(1, 2.0)(_bounded(x))])),
    "Dot": ("steps", lambda random, x: L.Dot(random.choice([1, 2]))([x, _bounded(x)])),
    "Embedding": ("vector", lambda random, x: L.Embedding(4, 3)(_numbers(x))),
    "HashedCrossing": (
        "vector",
        lambda random, x: L.HashedCrossing(5)([_numbers(L.Dense(1)(x)) for _ in range(2)]),
    ),
    "Hashing": ("vector", lambda random, x: L.Hashing(5)(_numbers(x))),
    "IntegerLookup": ("vector", lambda random, x: L.IntegerLookup(vocabulary=[2, 0])(_numbers(x))),
    "Log": ("vector", lambda random, x: L.Log()(_bounded(x))),
    "Matmul": ("steps", _scored),
    "MultiHeadAttention": ("steps", lambda random, x: L.MultiHeadAttention(2, 3)(x, x)),
    "RNN": ("steps", _stacked),
    "TimeDistributed": (
        "image",
        _around("TimeDistributed", lambda: L.Dense(3), lambda: L.LSTM(2)),
    ),
    **{kind: ("image", _sized(kind)) for kind in ("RandomHeight", "RandomWidth")},
    **{
        kind: ("vector", _merged(kind))
        for kind in ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract")
    },
}
"""Layer -> the shape that it is called on, and what calls it."""

KINDS = sorted([*SPECIAL, *(kind for kinds in OPTIONS.values() for kind in kinds)])


def _bounded(x: Any) -> Any:
    return L.Activation("sigmoid")(x)


def fitted(x: Any, shape: tuple[int, ...]) -> Any:
    """Return x, or as much of it as a dense layer keeps, with the axes of a shape at least."""
    have = x.shape[1:]
    enough = len(have) == len(shape) and all(a >= b for a, b in zip(have, shape, strict=True))
    if enough and math.prod(have) <= MOST:
        return x
    flat = nn.Flatten()(x) if len(have) > 1 else x
    dense = nn.Dense(math.prod(shape), activation="tanh")(flat)
    return nn.Reshape(shape)(dense) if len(shape) > 1 else dense


def after(x: Any, kind: str, random: Random) -> Any:
    """Return what a layer of a kind, with drawn options, makes of x."""
    shape, x = shape_of(kind), fitted(x, SHAPES[shape_of(kind)])
    if kind in SPECIAL:
        return SPECIAL[kind][1](random, x)
    options = {name: random.choice(those) for name, those in OPTIONS[shape][kind].items()}
    return getattr(L, kind)(**options)(x)


def shape_of(kind: str) -> str:
    """Return what a layer of a kind is called on."""
    if kind in SPECIAL:
        return SPECIAL[kind][0]
    [shape] = [shape for shape, kinds in OPTIONS.items() if kind in kinds]
    return shape


def network(kinds: list[str], seed: int = SEED) -> nn.Model:
    """Return a network of these layers, one after the other, and a dense one."""
    nn.set_random_seed(seed)
    random = Random(seed)
    first = x = nn.Input(SHAPES[random.choice(list(SHAPES))])
    for kind in kinds:
        x = after(x, kind, random)
    return nn.Model(first, nn.Dense(3)(nn.Flatten()(x) if len(x.shape) > 2 else x))


def groups(seed: int = SEED) -> Iterator[list[str]]:
    """Yield all kinds in drawn order, as many at a time as a network holds."""
    kinds = list(KINDS)
    Random(seed).shuffle(kinds)
    for start in range(0, len(kinds), SEVERAL):
        yield kinds[start : start + SEVERAL]


def held(model: nn.Model) -> set[str]:
    """Return the classes of a network's layers, those inside others too."""
    return {type(layer).__name__ for layer in walk(model.layers)}


# Files.


def written(kinds: list[str], format: str, seed: int = SEED) -> tuple[nn.Model, bytes]:
    """Return a network of these layers without those that the format refuses, and its file.

    Raises:
        AssertionError: a refusal names no layer.
    """
    left = list(kinds)
    while True:
        model = network(left, seed)
        try:
            return model, nn.io.save(model, format)
        except UnsupportedError as error:
            left.remove(_refused(model, left, str(error)))


def _refused(model: nn.Model, kinds: list[str], message: str) -> str:
    """Return the kind of the layer that a message names."""
    named = [layer for layer in model.layers if layer.name in message]
    assert named, f"no layer is named: {message}"
    layer = max(named, key=lambda found: len(found.name))
    found = [kind for kind in kinds if kind == type(layer).__name__]
    return found[0] if found else _brought(layer, kinds)


def _brought(layer: nn.Layer, kinds: list[str]) -> str:
    """Return the kind that brings a layer which is none of them along."""
    for kind in kinds:
        if type(layer).__name__ in held(network([kind])):
            return kind
    raise AssertionError(f"none of {kinds} has {layer!r}")


def batch(model: nn.Model, size: int = 3, seed: int = 0) -> Any:
    """Return drawn samples for a network."""
    random = np.random.default_rng(seed)
    return random.standard_normal((size, *model.input_shape[1:])).astype(np.float32)


def expect_close(made: Any, expected: Any) -> None:
    """Check that two predictions differ by rounding alone."""
    np.testing.assert_allclose(made, expected, rtol=CLOSE, atol=CLOSE * np.abs(expected).max())
