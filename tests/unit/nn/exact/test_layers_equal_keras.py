"""Every layer against Keras 3 on JAX: output, gradients, layouts of weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.nn.exact.oracle import compare

pytestmark = pytest.mark.usefixtures("float64")

PADDINGS = st.sampled_from(["valid", "same"])


def images(channels: int = 4, height: int = 7, width: int = 6) -> Any:
    return np.random.default_rng(height * 31 + width).normal(size=(2, height, width, channels))


def sequences() -> Any:
    return np.random.default_rng(2).normal(size=(3, 6, 4))


@pytest.mark.promise(
    "Earlier work: models in production",
    '"same" convolutions, dropout, poolings',
)
@settings(settings.get_profile("oracles"))
@given(
    height=st.integers(5, 8),
    width=st.integers(5, 8),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=PADDINGS,
    groups=st.sampled_from([1, 2]),
)
def test_convolves_as_keras_with_any_stride_padding_and_groups(
    height: int, width: int, kernel: Any, strides: Any, padding: str, groups: int
) -> None:
    config = {
        "filters": 6,
        "kernel_size": kernel,
        "strides": strides,
        "padding": padding,
        "groups": groups,
    }
    compare("Conv2D", config, images(4, height, width))


@settings(settings.get_profile("oracles"))
@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.integers(1, 3),
    padding=PADDINGS,
)
def test_transposes_a_convolution_as_keras(kernel: Any, strides: int, padding: str) -> None:
    config = {"filters": 3, "kernel_size": kernel, "strides": strides, "padding": padding}
    compare("Conv2DTranspose", config, images(2, 4, 5))


@pytest.mark.promise(
    "Earlier work: models in production",
    '"same" convolutions, dropout, poolings',
)
@settings(settings.get_profile("oracles"))
@given(
    size=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=PADDINGS,
    kind=st.sampled_from(["MaxPooling2D", "AveragePooling2D"]),
)
def test_pools_as_keras(size: Any, strides: Any, padding: str, kind: str) -> None:
    compare(kind, {"pool_size": size, "strides": strides, "padding": padding}, images())


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Resizing as TensorFlow.js does it",
)
@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("Conv2D", {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "activation": "relu"}),
        ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2, "padding": "same"}),
        ("DepthwiseConv2D", {"kernel_size": 2, "strides": 2, "activation": "tanh"}),
        ("SeparableConv2D", {"filters": 5, "kernel_size": 3, "depth_multiplier": 2}),
        ("SeparableConv2D", {"filters": 3, "kernel_size": 3, "padding": "same", "strides": 2}),
        ("GlobalMaxPooling2D", {}),
        ("GlobalMaxPooling2D", {"keepdims": True}),
        ("GlobalAveragePooling2D", {}),
        ("GlobalAveragePooling2D", {"keepdims": True}),
        ("Flatten", {}),
        ("Reshape", {"target_shape": (14, -1)}),
        ("Permute", {"dims": (3, 1, 2)}),
        ("LayerNormalization", {}),
        ("LayerNormalization", {"center": False, "epsilon": 0.01}),
        ("ZeroPadding2D", {"padding": ((1, 0), (2, 3))}),
        ("ZeroPadding2D", {"padding": (1, 2)}),
        ("Cropping2D", {"cropping": ((1, 0), (2, 1))}),
        ("Cropping2D", {"cropping": 1}),
        ("UpSampling2D", {"size": (2, 3)}),
        ("UpSampling2D", {"size": 2, "interpolation": "bilinear"}),
        ("Resizing", {"height": 5, "width": 9}),
        ("Resizing", {"height": 3, "width": 4, "interpolation": "nearest"}),
        ("Rescaling", {"scale": 0.5, "offset": -1.0}),
        ("ReLU", {"max_value": 1.0, "negative_slope": 0.1, "threshold": 0.2}),
        ("LeakyReLU", {"negative_slope": 0.3}),
        ("ELU", {"alpha": 0.7}),
        ("Softmax", {}),
    ],
    ids=str,
)
def test_transforms_images_as_keras(name: str, config: dict[str, Any]) -> None:
    compare(name, config, images())


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "config", [{}, {"momentum": 0.8, "epsilon": 0.01}, {"center": False, "scale": False}], ids=str
)
def test_normalizes_batches_as_keras(training: bool, config: dict[str, Any]) -> None:
    compare("BatchNormalization", config, images(), training=training)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("Dense", {"units": 5, "activation": "softmax"}),
        ("Dense", {"units": 5, "use_bias": False}),
        ("Conv1D", {"filters": 5, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}),
        ("Conv1D", {"filters": 4, "kernel_size": 2, "strides": 2, "groups": 2}),
        # Keras' own tanh gives float32 here, at which its loop over steps refuses float64 states.
        ("SimpleRNN", {"units": 3, "activation": "sigmoid"}),
        ("SimpleRNN", {"units": 3, "return_sequences": True, "activation": "relu"}),
        ("LSTM", {"units": 3}),
        ("LSTM", {"units": 3, "return_sequences": True, "use_bias": False}),
        ("LSTM", {"units": 2, "go_backwards": True}),
        ("GRU", {"units": 3}),
        ("GRU", {"units": 2, "return_sequences": True}),
        ("GRU", {"units": 2, "use_bias": False}),
    ],
    ids=str,
)
def test_transforms_sequences_as_keras(name: str, config: dict[str, Any]) -> None:
    compare(name, config, sequences())


@pytest.mark.parametrize(
    "name",
    [
        "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "sigmoid", "tanh", "softplus",
        "softmax",
        "log_softmax", "softsign", "exponential", "hard_sigmoid", "relu6", "linear",
    ],
)  # fmt: skip
def test_activates_as_keras(name: str) -> None:
    compare("Activation", {"activation": name}, 3 * sequences())


@pytest.mark.parametrize(
    ("name", "config"), [("Add", {}), ("Multiply", {}), ("Concatenate", {"axis": 2})], ids=str
)
def test_merges_as_keras(name: str, config: dict[str, Any]) -> None:
    compare(name, config, images(), images() + 1, images() * 2)


def test_looks_up_embeddings_as_keras() -> None:
    indices = np.random.default_rng(1).integers(0, 6, (3, 4))
    compare("Embedding", {"input_dim": 6, "output_dim": 3}, indices, differentiable=False)
