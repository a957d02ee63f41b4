"""Every layer against Keras 3: output, gradients and layout of weights, in both precisions."""

from __future__ import annotations

from typing import Any

import keras
import nn
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.unit.nn.against_keras.oracle import compare, expect_same_files

pytestmark = pytest.mark.usefixtures("float64")

PADDINGS = st.sampled_from(["valid", "same"])
# Few draws, and the same ones on every machine, for JAX compiles each shape.
drawn = settings(settings.get_profile("oracles"), max_examples=15)


def images(channels: int = 4, height: int = 7, width: int = 6, count: int = 2) -> Any:
    rng = np.random.default_rng(height * 31 + width)
    return rng.normal(size=(count, height, width, channels))


def sequences() -> Any:
    return np.random.default_rng(2).normal(size=(3, 6, 4))


RNG = np.random.default_rng(0)
IMAGE = RNG.normal(size=(3, 9, 8, 4))
ROWS = RNG.normal(size=(4, 6, 5))
FLAT = RNG.normal(size=(5, 7))
VOLUME = RNG.normal(size=(2, 5, 4, 6, 3))

# Also taken by test_gradients and test_central_differences.
CASES: list[tuple[str, dict[str, Any], Any]] = [
    ("Dense", {"units": 6}, FLAT),
    ("Dense", {"units": 6, "use_bias": False, "activation": "tanh"}, FLAT),
    ("Dense", {"units": 3, "activation": "relu"}, ROWS),
    ("Dense", {"units": 5, "activation": "softmax"}, ROWS),
    ("Conv2D", {"filters": 8, "kernel_size": 3, "activation": "relu"}, IMAGE),
    ("Conv2D", {"filters": 5, "kernel_size": (2, 4), "padding": "same"}, IMAGE),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "strides": 2, "padding": "same"}, IMAGE),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "activation": "relu"}, IMAGE),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "groups": 2, "activation": "sigmoid"}, IMAGE),
    ("Conv1D", {"filters": 6, "kernel_size": 3, "padding": "same"}, ROWS),
    ("Conv1D", {"filters": 5, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}, ROWS),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2}, IMAGE),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2, "padding": "same"}, IMAGE),
    ("DepthwiseConv2D", {"kernel_size": 3, "strides": 2, "padding": "same"}, IMAGE),
    ("DepthwiseConv2D", {"kernel_size": 2, "strides": 2, "activation": "tanh"}, IMAGE),
    ("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 2, "activation": "relu"}, ROWS),
    ("DepthwiseConv1D", {"kernel_size": 2, "strides": 2, "padding": "same"}, ROWS),
    ("SeparableConv1D", {"filters": 4, "kernel_size": 3, "depth_multiplier": 2}, ROWS),
    ("SeparableConv1D", {"filters": 3, "kernel_size": 3, "padding": "same", "strides": 2}, ROWS),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2}, ROWS),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 4, "strides": 3, "padding": "same"}, ROWS),
    ("Conv1DTranspose", {"filters": 2, "kernel_size": 3, "dilation_rate": 2}, ROWS),
    ("SeparableConv2D", {"filters": 7, "kernel_size": 3}, IMAGE),
    ("SeparableConv2D", {"filters": 5, "kernel_size": 3, "depth_multiplier": 2}, IMAGE),
    ("SeparableConv2D", {"filters": 3, "kernel_size": 3, "padding": "same", "strides": 2}, IMAGE),
    ("Conv2DTranspose", {"filters": 5, "kernel_size": 3, "strides": 2}, IMAGE),
    ("Conv2DTranspose", {"filters": 5, "kernel_size": 4, "strides": 2, "padding": "same"}, IMAGE),
    ("Conv3D", {"filters": 4, "kernel_size": 2, "activation": "relu"}, VOLUME),
    ("Conv3D", {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}, VOLUME),
    ("Conv3D", {"filters": 2, "kernel_size": 2, "dilation_rate": (2, 1, 2)}, VOLUME),
    ("Conv3D", {"filters": 6, "kernel_size": (1, 2, 3), "groups": 3}, VOLUME),
    ("Conv3D", {"filters": 2, "kernel_size": 2, "data_format": "channels_first"}, VOLUME),
    ("Conv3DTranspose", {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same"}, VOLUME),
    ("Conv3DTranspose", {"filters": 2, "kernel_size": 1, "strides": 2}, VOLUME),
    (
        "Conv3DTranspose",
        {"filters": 2, "kernel_size": 2, "strides": 2, "output_padding": 1},
        VOLUME,
    ),
    ("MaxPooling2D", {"pool_size": 2}, IMAGE),
    ("MaxPooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, IMAGE),
    ("AveragePooling2D", {"pool_size": 2}, IMAGE),
    ("AveragePooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, IMAGE),
    ("GlobalMaxPooling2D", {}, IMAGE),
    ("GlobalMaxPooling2D", {"keepdims": True}, IMAGE),
    ("GlobalAveragePooling2D", {}, IMAGE),
    ("GlobalAveragePooling2D", {"keepdims": True}, IMAGE),
    ("Flatten", {}, IMAGE),
    ("Reshape", {"target_shape": (4, 72)}, IMAGE),
    ("Reshape", {"target_shape": (36, -1)}, IMAGE),
    ("Permute", {"dims": (3, 1, 2)}, IMAGE),
    ("Dropout", {"rate": 0.5}, FLAT),
    ("LayerNormalization", {}, FLAT),
    ("LayerNormalization", {}, IMAGE),
    ("LayerNormalization", {"axis": -1, "epsilon": 1e-2}, IMAGE),
    ("LayerNormalization", {"center": False, "epsilon": 0.01}, IMAGE),
    ("BatchNormalization", {}, IMAGE),
    ("SimpleRNN", {"units": 5}, ROWS),
    ("SimpleRNN", {"units": 5, "return_sequences": True, "go_backwards": True}, ROWS),
    ("SimpleRNN", {"units": 3, "activation": "sigmoid"}, ROWS),
    ("SimpleRNN", {"units": 3, "return_sequences": True, "activation": "relu"}, ROWS),
    ("LSTM", {"units": 5}, ROWS),
    ("LSTM", {"units": 4, "return_sequences": True}, ROWS),
    ("LSTM", {"units": 3, "return_sequences": True, "use_bias": False}, ROWS),
    ("LSTM", {"units": 2, "go_backwards": True}, ROWS),
    ("GRU", {"units": 5}, ROWS),
    ("GRU", {"units": 4, "return_sequences": True}, ROWS),
    ("GRU", {"units": 2, "use_bias": False}, ROWS),
    ("ZeroPadding2D", {"padding": ((1, 2), (0, 3))}, IMAGE),
    ("ZeroPadding2D", {"padding": (1, 2)}, IMAGE),
    ("UpSampling2D", {"size": (2, 3)}, IMAGE),
    ("UpSampling2D", {"size": 2, "interpolation": "bilinear"}, IMAGE),
    ("Rescaling", {"scale": 0.5, "offset": -1.0}, IMAGE),
    ("Rescaling", {"scale": [0.5, 2.0, 3.0, 4.0], "offset": [1.0, -1.0, 0.5, 0.0]}, IMAGE),
    ("Normalization", {"mean": 0.5, "variance": 4.0}, FLAT),
    ("Normalization", {"mean": [1.0, 2, 3, 4], "variance": [4.0, 2, 1, 9]}, IMAGE),
    ("Normalization", {"mean": [1.0, 2, 3, 4], "variance": [4.0, 3, 1, 9], "invert": True}, IMAGE),
    ("ReLU", {"max_value": 1.0, "negative_slope": 0.1}, IMAGE),
    ("ReLU", {"max_value": 1.0, "negative_slope": 0.1, "threshold": 0.2}, IMAGE),
    ("LeakyReLU", {}, IMAGE),
    ("LeakyReLU", {"negative_slope": 0.3}, IMAGE),
    ("ELU", {}, IMAGE),
    ("ELU", {"alpha": 0.7}, IMAGE),
    ("Softmax", {}, FLAT),
    ("Softmax", {}, IMAGE),
    ("PReLU", {}, FLAT),
    ("PReLU", {"shared_axes": [1, 2]}, IMAGE),
    ("MaxPooling1D", {"pool_size": 3, "strides": 2, "padding": "same"}, ROWS),
    ("MaxPooling1D", {"data_format": "channels_first"}, ROWS),
    ("MaxPooling3D", {"pool_size": (2, 1, 3), "strides": 2, "padding": "same"}, VOLUME),
    ("MaxPooling3D", {}, VOLUME),
    ("AveragePooling1D", {"pool_size": 3, "strides": 2, "padding": "same"}, ROWS),
    ("AveragePooling3D", {"pool_size": (2, 1, 3), "strides": 2, "padding": "same"}, VOLUME),
    ("AveragePooling3D", {"pool_size": 2, "data_format": "channels_first"}, VOLUME),
    ("GlobalMaxPooling1D", {"data_format": "channels_first"}, ROWS),
    ("GlobalMaxPooling3D", {"keepdims": True}, VOLUME),
    ("GlobalAveragePooling1D", {"keepdims": True}, ROWS),
    ("GlobalAveragePooling3D", {"data_format": "channels_first"}, VOLUME),
    ("ZeroPadding1D", {"padding": (1, 2)}, ROWS),
    ("ZeroPadding1D", {"data_format": "channels_first"}, ROWS),
    ("ZeroPadding3D", {"padding": ((1, 0), (2, 1), (0, 3))}, VOLUME),
    ("Cropping1D", {"cropping": (2, 1)}, ROWS),
    ("Cropping3D", {"cropping": ((1, 0), (2, 1), (0, 3))}, VOLUME),
    ("Cropping3D", {"data_format": "channels_first", "cropping": 1}, VOLUME),
    ("UpSampling1D", {"size": 3}, ROWS),
    ("UpSampling3D", {"size": (2, 1, 3)}, VOLUME),
    ("UpSampling3D", {"data_format": "channels_first"}, VOLUME),
    ("RepeatVector", {"n": 3}, FLAT),
    ("Identity", {}, FLAT),
    ("ActivityRegularization", {"l2": 0.1}, FLAT),
    ("UnitNormalization", {}, FLAT),
    ("UnitNormalization", {"axis": (1, 2)}, IMAGE),
    ("GroupNormalization", {"groups": 2}, IMAGE),
    ("GroupNormalization", {"groups": -1, "axis": 1, "center": False}, ROWS),
    ("RMSNormalization", {}, FLAT),
    ("RMSNormalization", {"axis": (2, 3), "epsilon": 0.1}, IMAGE),
    ("CenterCrop", {"height": 4, "width": 5}, IMAGE),
    ("CenterCrop", {"height": 10, "width": 5}, IMAGE),
    ("CenterCrop", {"height": 3, "width": 11}, IMAGE),
]
# Their derivatives are compared with differences in test_central_differences.
OTHERS: list[tuple[str, dict[str, Any], Any]] = [
    ("Conv1D", {"filters": 4, "kernel_size": 2, "strides": 2, "groups": 2}, sequences()),
    ("Cropping2D", {"cropping": ((1, 0), (2, 1))}, IMAGE),
    ("Cropping2D", {"cropping": 1}, IMAGE),
    ("Resizing", {"height": 5, "width": 9}, images()),
    ("Resizing", {"height": 5, "width": 12, "interpolation": "bilinear"}, IMAGE),
    ("Resizing", {"height": 5, "width": 12, "interpolation": "nearest"}, IMAGE),
    ("Resizing", {"height": 3, "width": 4, "interpolation": "nearest"}, images()),
]


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Resizing as TensorFlow.js does it",
)
@pytest.mark.parametrize(
    ("name", "config", "x"),
    [*CASES, *OTHERS],
    ids=lambda v: "" if isinstance(v, np.ndarray) else str(v),
)
def test_a_layer_is_that_of_keras(name: str, config: dict[str, Any], x: Any) -> None:
    compare(name, config, x)


@pytest.mark.promise(
    "Earlier work: models in production",
    '"same" convolutions, dropout, poolings',
)
@drawn
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    channels=st.integers(1, 3),
    filters=st.integers(1, 4),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=PADDINGS,
    groups=st.sampled_from([1, 2]),
)
def test_any_convolution_is_that_of_keras(
    height: int, width: int, channels: int, filters: int, kernel: Any, strides: Any, padding: str,
    groups: int,
) -> None:  # fmt: skip
    assume(padding == "same" or (kernel[0] <= height and kernel[1] <= width))
    config = {
        "filters": filters * groups,
        "kernel_size": kernel,
        "strides": strides,
        "padding": padding,
        "groups": groups,
    }
    compare("Conv2D", config, images(channels * groups, height, width))


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
def test_ranges_are_those_of_keras(mode: str) -> None:
    config = {"bin_boundaries": [-1.0, 0.0, 0.0, 0.5], "output_mode": mode}
    compare("Discretization", config, np.array([[-1.0, 0.0, 7.0], [0.5, -3.0, 0.25]]))


@settings(settings.get_profile("oracles"))
@given(
    sizes=st.lists(st.integers(1, 90), min_size=1, max_size=3),
    bins=st.integers(1, 9),
    epsilon=st.sampled_from([0.01, 0.1, 0.3]),
)
def test_ranges_adapt_as_keras_does(sizes: list[int], bins: int, epsilon: float) -> None:
    data = [np.random.default_rng(n).normal(size=(n, 2)).astype(np.float32) for n in sizes]
    ours = nn.Discretization(num_bins=bins, epsilon=epsilon)
    theirs = keras.layers.Discretization(num_bins=bins, epsilon=epsilon)
    for batch in data:
        theirs.update_state(batch)
    theirs.finalize_state()
    ours.adapt(data)
    assert ours.bin_boundaries == pytest.approx(theirs.bin_boundaries, rel=1e-6)
    again = nn.Discretization.from_config(ours.get_config())
    assert again.bin_boundaries == ours.bin_boundaries


@settings(settings.get_profile("oracles"))
@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.integers(1, 3),
    padding=PADDINGS,
)
def test_any_transposed_convolution_is_that_of_keras(
    kernel: Any, strides: int, padding: str
) -> None:
    config = {"filters": 3, "kernel_size": kernel, "strides": strides, "padding": padding}
    compare("Conv2DTranspose", config, images(2, 4, 5))


@pytest.mark.promise(
    "Earlier work: models in production",
    '"same" convolutions, dropout, poolings',
)
@drawn
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    channels=st.integers(1, 5),
    size=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=PADDINGS,
    kind=st.sampled_from(["MaxPooling2D", "AveragePooling2D"]),
)
def test_any_pooling_is_that_of_keras(
    height: int, width: int, channels: int, size: Any, strides: Any, padding: str, kind: str
) -> None:
    assume(padding == "same" or (size[0] <= height and size[1] <= width))
    config = {"pool_size": size, "strides": strides, "padding": padding}
    compare(kind, config, images(channels, height, width))


@drawn
@given(
    count=st.integers(1, 4),
    inputs=st.integers(1, 20),
    units=st.integers(1, 20),
    activation=st.sampled_from(["linear", "relu", "tanh", "sigmoid"]),
)
def test_any_dense_layer_is_that_of_keras(
    count: int, inputs: int, units: int, activation: str
) -> None:
    x = np.random.default_rng(3).normal(size=(count, inputs))
    compare("Dense", {"units": units, "activation": activation}, x)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "config", [{}, {"momentum": 0.8, "epsilon": 0.01}, {"center": False, "scale": False}], ids=str
)
def test_normalizes_batches_as_keras(training: bool, config: dict[str, Any]) -> None:
    compare("BatchNormalization", config, IMAGE, training=training)


@pytest.mark.parametrize(
    "name", sorted({*nn.activations.names()} - {"sparsemax", "keras2_hard_sigmoid"})
)
def test_activates_as_keras(name: str) -> None:
    compare("Activation", {"activation": name}, 3 * sequences())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("relu", {"negative_slope": 0.1, "max_value": 2.0, "threshold": 0.5}),
        ("leaky_relu", {"negative_slope": 0.3}),
        ("elu", {"alpha": 0.5}),
        ("celu", {"alpha": 0.5}),
        ("gelu", {"approximate": True}),
        ("softmax", {"axis": 1}),
        ("log_softmax", {"axis": 1}),
        ("hard_shrink", {"threshold": 0.2}),
        ("soft_shrink", {"threshold": 0.2}),
        ("squareplus", {"b": 2.0}),
        ("glu", {"axis": 1}),
        ("threshold", {"threshold": 0.3, "default_value": -1.0}),
    ],
)
def test_activations_are_functions_with_the_options_of_keras(name: str, options: Any) -> None:
    x = 3 * sequences()
    ours, theirs = getattr(nn.activations, name), getattr(keras.activations, name)
    np.testing.assert_allclose(ours(x, **options), theirs(x, **options), rtol=1e-6, atol=1e-7)
    if name not in nn.activations.FUNCTIONS:
        np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-6, atol=1e-7)
        assert nn.activations.get(ours) is ours
        assert nn.Dense(2, activation=ours).activation is nn.activations.get(name)


def test_sparsemax_is_the_nearest_distribution_which_keras_misses_for_several_places() -> None:
    x = 0.5 * sequences()
    for axis in (-1, 1):
        y = nn.activations.sparsemax(x, axis=axis)
        np.testing.assert_allclose(y.sum(axis=axis), 1)
        shift = np.where(y > 0, x - y, np.nan)
        t = np.nanmax(shift, axis=axis, keepdims=True)
        np.testing.assert_allclose(y, np.maximum(x - t, 0), atol=1e-12)
    nn.check_gradients(nn.Activation("sparsemax"), x)
    steep = 50 * x  # one place each
    np.testing.assert_allclose(nn.activations.sparsemax(steep), keras.activations.sparsemax(steep))


def test_all_activations_of_keras_are_here() -> None:
    known = {name for name in dir(keras.activations) if name.islower() and name[0] != "_"}
    known -= {"get", "serialize", "deserialize"}
    assert known <= {*nn.activations.names(), *nn.activations.FUNCTIONS, "swish", "hard_swish"}


def test_a_thresholded_relu_is_keras_relu_with_that_threshold() -> None:
    ours, theirs = nn.ThresholdedReLU(0.4), keras.layers.ReLU(threshold=0.4)
    np.testing.assert_allclose(ours(IMAGE), theirs(IMAGE), rtol=1e-6)


MERGES = ["Add", "Average", "Maximum", "Minimum", "Multiply", "Concatenate"]
# Shapes of the inputs after the batch axis: equal, with axes to repeat, with axes to add.
SHAPES = [
    [(3, 4), (3, 4), (3, 4)], [(3, 1), (3, 4)], [(1, 1, 4), (5, 2, 4), (5, 1, 1)], [(4,), (3, 4)]
]  # fmt: skip


@pytest.mark.parametrize("name", MERGES)
def test_merges_rows_as_keras(name: str) -> None:
    compare(name, {}, FLAT, RNG.normal(size=FLAT.shape), FLAT.round())


def test_joins_images_as_keras() -> None:
    compare("Concatenate", {"axis": 2}, images(), images() + 1, images() * 2)


@pytest.mark.parametrize("name", MERGES[:-1])
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_merges_inputs_of_several_shapes_as_keras(name: str, shapes: Any) -> None:
    rng = np.random.default_rng(8)
    # Few values, so that some inputs are equal.
    compare(name, {}, *[rng.integers(-2, 3, (2, *shape)) * 1.0 for shape in shapes])


@pytest.mark.parametrize("shapes", [s for s in SHAPES if len(s) == 2], ids=str)
def test_subtracts_as_keras(shapes: Any) -> None:
    compare("Subtract", {}, *[RNG.normal(size=(2, *shape)) for shape in shapes])


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(
    ("axes", "shapes"),
    [(1, [(4,), (4,)]), (-1, [(2, 4), (3, 4)]), ((1, 2), [(3, 2), (4, 3)]),
     ((2, 1), [(5, 3), (3,)]), ((1, 3), [(3, 2, 2), (4, 2, 3)])],
)  # fmt: skip
def test_multiplies_along_an_axis_as_keras(axes: Any, shapes: Any, normalize: bool) -> None:
    inputs = [RNG.normal(size=(3, *shape)) for shape in shapes]
    compare("Dot", {"axes": axes, "normalize": normalize}, *inputs)


@pytest.mark.parametrize("mode", ["multi_hot", "one_hot", "count"])
@pytest.mark.parametrize("shape", [(3, 4), (3, 1), (2, 3)], ids=str)
def test_encodes_categories_as_keras(mode: str, shape: Any) -> None:
    numbers = np.random.default_rng(1).integers(0, 5, shape).astype(np.int32)
    compare("CategoryEncoding", {"num_tokens": 5, "output_mode": mode}, numbers)


def counting(api: Any) -> Any:
    """A model that counts numbers by trained weights."""
    numbers, x = api.Input((4,), dtype="int32"), api.Input((3,))
    weights = api.layers.Dense(4, use_bias=False)(x)
    encoding = api.layers.CategoryEncoding(5, output_mode="count")
    return api.Model([numbers, x], encoding(numbers, count_weights=weights))


def test_counts_by_weights_train_as_in_keras_and_go_through_files(tmp_path: Any) -> None:
    ours, theirs = counting(nn), counting(keras)
    x = [RNG.integers(0, 5, (3, 4)).astype("i4"), RNG.normal(size=(3, 3)).astype("f4")]
    y = RNG.normal(size=(3, 5)).astype("f4")
    for model, api in ((ours, nn), (theirs, keras)):
        model.set_weights([np.linspace(-1, 1, 12, dtype="f4").reshape(3, 4)])
        model.compile(api.optimizers.SGD(0.1), "mse")
        model.train_on_batch(x, y)
    expect_same_files(ours, theirs, x, tmp_path, 1e-5)


def test_weights_of_counts_that_fit_no_numbers_are_refused() -> None:
    numbers = np.zeros((2, 3), "i4")
    for mode, weights in (("count", np.ones((2, 2))), ("one_hot", np.ones((2, 3)))):
        with pytest.raises(nn.errors.ShapeError, match="in the mode 'count' perhaps weights of"):
            nn.layers.CategoryEncoding(5, output_mode=mode)(numbers, count_weights=weights)


@pytest.mark.parametrize(("inputs", "outputs"), [(6, 3), (9, 5)])
def test_looks_up_embeddings_as_keras(inputs: int, outputs: int) -> None:
    indices = np.random.default_rng(1).integers(0, inputs, (3, 4)).astype(np.int32)
    compare("Embedding", {"input_dim": inputs, "output_dim": outputs}, indices)
