"""Every layer gives what Keras 3 gives, forward and backward, with Keras' own arguments."""

import nn
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from nn.context import Context, Run

from tests.unit.nn.keras.oracle import DRAWS, agree, images

RNG = np.random.default_rng(0)
IMAGE = images(RNG, 3, 9, 8, 4)
ROWS = RNG.normal(size=(4, 6, 5)).astype(np.float32)
FLAT = RNG.normal(size=(5, 7)).astype(np.float32)

CASES = [
    ("Dense", {"units": 6}, FLAT),
    ("Dense", {"units": 6, "use_bias": False, "activation": "tanh"}, FLAT),
    ("Dense", {"units": 3, "activation": "relu"}, ROWS),
    ("Conv2D", {"filters": 8, "kernel_size": 3, "activation": "relu"}, IMAGE),
    ("Conv2D", {"filters": 5, "kernel_size": (2, 4), "padding": "same"}, IMAGE),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "strides": 2, "padding": "same"}, IMAGE),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "dilation_rate": 2}, IMAGE),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "groups": 2, "activation": "sigmoid"}, IMAGE),
    ("Conv1D", {"filters": 6, "kernel_size": 3, "padding": "same"}, ROWS),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2}, IMAGE),
    ("DepthwiseConv2D", {"kernel_size": 3, "strides": 2, "padding": "same"}, IMAGE),
    ("SeparableConv2D", {"filters": 7, "kernel_size": 3}, IMAGE),
    ("Conv2DTranspose", {"filters": 5, "kernel_size": 3, "strides": 2}, IMAGE),
    ("Conv2DTranspose", {"filters": 5, "kernel_size": 4, "strides": 2, "padding": "same"}, IMAGE),
    ("MaxPooling2D", {"pool_size": 2}, IMAGE),
    ("MaxPooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, IMAGE),
    ("AveragePooling2D", {"pool_size": 2}, IMAGE),
    ("AveragePooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, IMAGE),
    ("GlobalMaxPooling2D", {}, IMAGE),
    ("GlobalAveragePooling2D", {"keepdims": True}, IMAGE),
    ("Flatten", {}, IMAGE),
    ("Reshape", {"target_shape": (4, 72)}, IMAGE),
    ("Permute", {"dims": (3, 1, 2)}, IMAGE),
    ("Dropout", {"rate": 0.5}, FLAT),
    ("LayerNormalization", {}, FLAT),
    ("LayerNormalization", {"axis": -1, "epsilon": 1e-2}, IMAGE),
    ("BatchNormalization", {}, IMAGE),
    ("SimpleRNN", {"units": 5}, ROWS),
    ("SimpleRNN", {"units": 5, "return_sequences": True, "go_backwards": True}, ROWS),
    ("LSTM", {"units": 5}, ROWS),
    ("LSTM", {"units": 4, "return_sequences": True}, ROWS),
    ("GRU", {"units": 5}, ROWS),
    ("GRU", {"units": 4, "return_sequences": True}, ROWS),
    ("ZeroPadding2D", {"padding": ((1, 2), (0, 3))}, IMAGE),
    ("UpSampling2D", {"size": (2, 3)}, IMAGE),
    ("UpSampling2D", {"size": 2, "interpolation": "bilinear"}, IMAGE),
    ("Rescaling", {"scale": 0.5, "offset": -1.0}, IMAGE),
    ("ReLU", {"max_value": 1.0, "negative_slope": 0.1}, IMAGE),
    ("LeakyReLU", {}, IMAGE),
    ("ELU", {}, IMAGE),
    ("Softmax", {}, FLAT),
]
ACTIVATIONS = ("relu", "leaky_relu", "elu", "selu", "gelu", "silu", "sigmoid", "tanh", "softplus",
               "softmax", "log_softmax", "linear")  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "arguments", "x"), CASES, ids=lambda v: v if type(v) is str else ""
)
def test_layer_equals_keras(keras, kind, arguments, x):
    theirs = getattr(keras.layers, kind)(**arguments)
    agree(kind, getattr(nn, kind)(**arguments), theirs, [x])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_equals_keras(keras, name):
    agree(name, nn.Activation(name), keras.layers.Activation(name), [3 * FLAT])


@pytest.mark.parametrize("kind", ["Add", "Multiply", "Concatenate"])
def test_merging_equals_keras(keras, kind):
    other = RNG.normal(size=FLAT.shape).astype(np.float32)
    agree(kind, getattr(nn, kind)(), getattr(keras.layers, kind)(), [FLAT, other])


def test_embedding_equals_keras(keras):
    indices = RNG.integers(0, 9, (4, 6)).astype(np.int32)
    agree("Embedding", nn.Embedding(9, 5), keras.layers.Embedding(9, 5), [indices])


def test_batch_normalization_equals_keras_while_training(keras):
    agree("BatchNormalization", nn.BatchNormalization(), keras.layers.BatchNormalization(),
          [IMAGE], training=True)  # fmt: skip


def test_resizing_equals_keras(keras):
    for interpolation in ("nearest", "bilinear"):
        options = {"height": 5, "width": 12, "interpolation": interpolation}
        ours, theirs = nn.Resizing(**options), keras.layers.Resizing(**options)
        y = ours.forward(Context(Run(RNG)), IMAGE, training=False)
        np.testing.assert_allclose(y, np.asarray(theirs(IMAGE)), atol=1e-5)


@DRAWS
@given(
    h=st.integers(1, 9), w=st.integers(1, 9), c=st.integers(1, 6), filters=st.integers(1, 9),
    kh=st.integers(1, 4), kw=st.integers(1, 4), sh=st.integers(1, 3), sw=st.integers(1, 3),
    padding=st.sampled_from(["valid", "same"]),
)  # fmt: skip
def test_any_convolution_equals_keras(keras, h, w, c, filters, kh, kw, sh, sw, padding):
    assume(padding == "same" or (kh <= h and kw <= w))
    arguments = {"filters": filters, "kernel_size": (kh, kw), "strides": (sh, sw),
                 "padding": padding}  # fmt: skip
    x = images(np.random.default_rng(1), 2, h, w, c)
    agree(str(arguments), nn.Conv2D(**arguments), keras.layers.Conv2D(**arguments), [x])


@DRAWS
@given(
    h=st.integers(1, 9), w=st.integers(1, 9), c=st.integers(1, 5), size=st.integers(1, 4),
    stride=st.integers(1, 3), padding=st.sampled_from(["valid", "same"]),
    kind=st.sampled_from(["MaxPooling2D", "AveragePooling2D"]),
)  # fmt: skip
def test_any_pooling_equals_keras(keras, h, w, c, size, stride, padding, kind):
    assume(padding == "same" or (size <= h and size <= w))
    arguments = {"pool_size": size, "strides": stride, "padding": padding}
    x = images(np.random.default_rng(2), 2, h, w, c)
    agree(kind, getattr(nn, kind)(**arguments), getattr(keras.layers, kind)(**arguments), [x])


@DRAWS
@given(
    n=st.integers(1, 4), inputs=st.integers(1, 20), units=st.integers(1, 20),
    activation=st.sampled_from(["linear", "relu", "tanh", "sigmoid"]),
)  # fmt: skip
def test_any_dense_equals_keras(keras, n, inputs, units, activation):
    x = np.random.default_rng(3).normal(size=(n, inputs)).astype(np.float32)
    arguments = {"units": units, "activation": activation}
    agree("Dense", nn.Dense(**arguments), keras.layers.Dense(**arguments), [x])
