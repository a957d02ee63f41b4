"""Options of layers, losses and metrics against Keras 3: channels first, axes, masks, penalties,
constraints, curves."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import jax
import keras
import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.differentiate import differentiate
from nn.errors import ConfigError

from tests.unit.nn.against_keras.oracle import compare, metric

pytestmark = pytest.mark.usefixtures("float64")
RNG = np.random.default_rng(6)
FIRST = RNG.normal(size=(2, 4, 7, 6))


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("Conv2D", {"filters": 6, "kernel_size": 3, "strides": 2, "padding": "same", "groups": 2}),
        ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2, "activation": "tanh"}),
        ("SeparableConv2D", {"filters": 5, "kernel_size": 3, "padding": "same"}),
        ("Conv2DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2, "output_padding": 1}),
        ("MaxPooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}),
        ("AveragePooling2D", {"pool_size": 2}),
        ("GlobalMaxPooling2D", {"keepdims": True}),
        ("GlobalAveragePooling2D", {}),
        ("ZeroPadding2D", {"padding": ((1, 0), (2, 3))}),
        ("Cropping2D", {"cropping": ((1, 0), (0, 1))}),
        ("UpSampling2D", {"size": (2, 3)}),
        ("Resizing", {"height": 5, "width": 9}),
        ("Flatten", {}),
    ],
    ids=str,
)
def test_takes_channels_first_as_keras(name: str, config: dict[str, Any]) -> None:
    compare(name, {"data_format": "channels_first", **config}, FIRST)


def test_convolves_sequences_with_channels_first_as_keras() -> None:
    config = {"filters": 5, "kernel_size": 3, "padding": "same", "data_format": "channels_first"}
    compare("Conv1D", config, RNG.normal(size=(3, 4, 6)))
    with pytest.raises(nn.errors.ConfigError, match="causal"):
        nn.Conv1D(2, 3, padding="causal", data_format="channels_first")


@settings(settings.get_profile("oracles"), max_examples=10)
@given(data=st.data(), kernel=st.integers(1, 4), stride=st.integers(1, 4), padding=st.booleans())
def test_pads_the_output_of_a_transposed_convolution_as_keras(
    data: Any, kernel: int, stride: int, padding: bool
) -> None:
    extra = data.draw(st.one_of(st.none(), st.integers(0, stride - 1)))
    config = {
        "filters": 3, "kernel_size": kernel, "strides": stride, "output_padding": extra,
        "padding": "same" if padding else "valid",
    }  # fmt: skip
    compare("Conv2DTranspose", config, RNG.normal(size=(2, 4, 5, 2)))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("axis", [1, 2, -1])
def test_normalizes_batches_along_any_axis_as_keras(training: bool, axis: int) -> None:
    compare("BatchNormalization", {"axis": axis}, FIRST, training=training)


@pytest.mark.parametrize("axis", [1, [1, 2], [2, 3], [1, 2, 3], -1])
def test_normalizes_samples_along_any_axes_as_keras(axis: Any) -> None:
    compare("LayerNormalization", {"axis": axis}, FIRST)


@pytest.mark.parametrize("axis", [1, 2, -1, [1], [1, 2], [-1, 1], [3, 2, 1]], ids=str)
def test_softmaxes_along_any_axes_as_keras(axis: Any) -> None:
    compare("Softmax", {"axis": axis}, FIRST)


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 1, 5), (1, 4, 1), (4, 1), (5,), ()], ids=str)
@pytest.mark.parametrize("axis", [-1, [1, 2]], ids=str)
def test_softmax_leaves_out_what_a_mask_leaves_out_as_in_keras(axis: Any, shape: Any) -> None:
    x, dy = RNG.normal(size=(2, 3, 4, 5))
    mask = np.asarray(RNG.random(shape) < 0.5)
    mask.flat[:10] = False  # nothing is left of some rows

    def theirs(x: Any) -> Any:
        return keras.layers.Softmax(axis=axis)(x, mask=mask)

    expected, back = jax.vjp(theirs, x)
    found, pull = differentiate(lambda v: nn.Softmax(axis)(v, mask=mask), x)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(pull(dy), back(dy)[0], atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 4, 5), (3, 4), (1, 3, 4, 5), (0,)], ids=str)
def test_softmax_refuses_a_mask_that_is_of_another_shape(shape: Any) -> None:
    with pytest.raises(ConfigError, match=r"softmax: received an input of shape \(3, 4, 5\)"):
        nn.Softmax()(np.zeros((3, 4, 5)), mask=np.ones(shape))


@pytest.mark.parametrize("max_value", [None, 0.5, 6.0])
@pytest.mark.parametrize("slope", [0.0, 0.25])
@pytest.mark.parametrize("threshold", [0.0, 0.5, 5.0])
def test_relu_at_its_very_bounds_is_as_in_keras(max_value: Any, slope: Any, threshold: Any) -> None:
    x = np.array([-7, -1, -0.5, 0, 0.5, 1, 5, 6, 8], "f")
    given = max_value, slope, threshold
    np.testing.assert_array_equal(nn.ReLU(*given)(x[None])[0], keras.layers.ReLU(*given)(x))


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("MaxNorm", {}), ("MaxNorm", {"max_value": 0.5, "axis": [0, 1]}), ("NonNeg", {}),
        ("UnitNorm", {"axis": 1}), ("MinMaxNorm", {"min_value": 0.9, "rate": 0.4}),
    ],
    ids=str,
)  # fmt: skip
def test_constrains_as_keras(name: str, config: dict[str, Any]) -> None:
    w = RNG.normal(size=(4, 3)) * np.array([0.1, 1, 3])
    ours = nn.constraints.CLASSES[name](**config)
    theirs = getattr(keras.constraints, name)(**config)
    np.testing.assert_allclose(ours(w), np.asarray(theirs(w)), rtol=1e-6)
    again = nn.constraints.get(nn.constraints.serialize(ours))
    assert again is not None
    assert np.array_equal(again(w), ours(w))


def walk(model: Any, x: Any, y: Any, steps: int = 4) -> tuple[list[float], list[Any]]:
    """Return the losses of training steps, and the weights after them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        losses = [model.train_on_batch(x, y) for _ in range(steps)]
    return [float(np.ravel(v)[0]) for v in losses], model.get_weights()


def same_walk(build: Any, x: Any, y: Any, **options: Any) -> None:
    """Assert that a model built by `build(library)` trains here as in Keras."""
    ours, theirs = build(nn, nn), build(keras, keras.layers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs.set_weights(ours.get_weights())
        ours.compile(nn.SGD(0.1, momentum=0.9), **options)
        theirs.compile(keras.optimizers.SGD(0.1, momentum=0.9), **options)
    losses, weights = walk(ours, x, y)
    expected, wanted = walk(theirs, x, y)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    for a, b in zip(weights, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_penalizes_outputs_and_constrains_weights_in_training_as_keras() -> None:
    def build(library: Any, layers: Any) -> Any:
        return library.Sequential([
            library.Input((5,)),
            layers.Dense(6, activation="tanh", activity_regularizer="l2",
                         kernel_constraint="unit_norm", bias_constraint="non_neg"),
            layers.Dense(2, activity_regularizer=library.regularizers.L1(0.02),
                         kernel_regularizer="l1"),
        ])  # fmt: skip

    same_walk(build, RNG.normal(size=(8, 5)), RNG.normal(size=(8, 2)), loss="mse")


PENALIZED = list(itertools.product(["LSTM", "GRU"], ["concat", "sum", "mul", "ave"], [False, True]))
# Each kind and merge, of the last step and of all.
FEW = [
    ("LSTM", "concat", False),
    ("GRU", "sum", True),
    ("LSTM", "mul", True),
    ("GRU", "ave", False),
]


@pytest.mark.parametrize(
    ("kind", "merge", "every"),
    [pytest.param(*each, marks=() if each in FEW else pytest.mark.soak) for each in PENALIZED],
)
def test_penalizes_the_outputs_of_both_directions_as_keras(
    kind: str, merge: str, every: bool
) -> None:
    def build(library: Any, layers: Any) -> Any:
        inner = getattr(layers, kind)(
            3, return_sequences=every, activity_regularizer="l2", activation="softsign"
        )
        return library.Sequential([
            library.Input((4, 2)), layers.Bidirectional(inner, merge_mode=merge), layers.Flatten(),
            layers.Dense(1),
        ])  # fmt: skip

    same_walk(build, RNG.normal(size=(5, 4, 2)), RNG.normal(size=(5, 1)), loss="mse")


@pytest.mark.parametrize("loss", ["mse", "binary_crossentropy"])
def test_a_mask_goes_through_to_the_loss_as_in_keras(loss: str) -> None:
    def build(library: Any, layers: Any) -> Any:
        return library.Sequential([
            library.Input((6,)),
            layers.Embedding(7, 4, mask_zero=True),
            layers.BatchNormalization(),
            layers.LSTM(5, return_sequences=True, activation="softsign"),
            layers.GRU(3, return_sequences=True, activation="softsign"),
            layers.Dense(1, activation="sigmoid"),
        ])  # fmt: skip

    x = RNG.integers(0, 7, (4, 6)) * (np.arange(6) < 4)
    same_walk(build, x, RNG.integers(0, 2, (4, 6, 1)).astype(float), loss=loss)


@pytest.mark.parametrize("merge", ["Add", "Multiply", "Concatenate"])
def test_masks_are_merged_as_in_keras(merge: str) -> None:
    def build(library: Any, layers: Any) -> Any:
        a, b = library.Input((5, 3)), library.Input((5, 3))
        masked = [layers.Masking()(a), layers.Masking(mask_value=1.0)(b)]
        h = layers.SimpleRNN(4, activation="softsign")(getattr(layers, merge)()(masked))
        return library.Model([a, b], layers.Dense(1)(h))

    first, second = RNG.normal(size=(2, 4, 5, 3))
    first[:, 3:], second[1:, :2], second[:, 4] = 0, 1, 1
    same_walk(build, [first, second], RNG.normal(size=(4, 1)), loss="mse")


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("CategoricalCrossentropy", {}),
        ("CategoricalCrossentropy", {"from_logits": True}),
        ("BinaryCrossentropy", {}),
        ("CosineSimilarity", {}),
    ],
    ids=str,
)
def test_loses_along_another_axis_as_keras(name: str, config: dict[str, Any]) -> None:
    pred = np.moveaxis(RNG.dirichlet(np.ones(5), size=(3, 4)), -1, 1)
    true = np.moveaxis(np.eye(5)[RNG.integers(0, 5, (3, 4))], -1, 1)
    ours = nn.losses.CLASSES[name](**config, axis=1)
    theirs = getattr(keras.losses, name)(**config, axis=1)
    value, gradient = ours.step(true, pred)
    expected, slope = jax.jit(jax.value_and_grad(lambda p: theirs(true, p)))(pred)
    np.testing.assert_allclose([value, ours(true, pred)], float(expected), rtol=1e-6)
    np.testing.assert_allclose(gradient, slope, rtol=1e-6, atol=1e-8)


METRICS = [
    ("AUC", {"curve": curve, "summation_method": method})
    for curve in ("ROC", "PR", "PRGAIN")
    for method in ("interpolation", "minoring", "majoring")
] + [
    ("AUC", {"thresholds": [0.7, 0.2, 0.4]}),
    ("AUC", {"multi_label": True, "num_labels": 4}),
    ("AUC", {"multi_label": True, "curve": "PR", "label_weights": [1.0, 2.0, 0.5, 1.0]}),
    ("AUC", {"label_weights": [1.0, 2.0, 0.5, 1.0]}),
    ("AUC", {"from_logits": True}),
    ("Precision", {"top_k": 2}),
    ("Precision", {"class_id": 1, "thresholds": 0.3}),
    ("Recall", {"top_k": 3, "class_id": 2}),
    ("Recall", {"thresholds": [0.1, 0.6]}),
    ("BinaryAccuracy", {"threshold": 0.3}),
    ("F1Score", {"average": "macro"}),
    ("TopKCategoricalAccuracy", {"k": 2}),
]


@pytest.mark.parametrize(("name", "config"), METRICS, ids=str)
def test_any_metric_is_that_of_keras_over_batches(name: str, config: dict[str, Any]) -> None:
    start, update, result = metric(name, config, (3, 4))

    @settings(settings.get_profile("oracles"), max_examples=4)
    @given(seed=st.integers(0, 10_000), n=st.sampled_from([3, 8]))  # JAX compiles each shape
    def check(seed: int, n: int) -> None:
        rng = np.random.default_rng(seed)
        ours, state = nn.metrics.CLASSES[name](**config), start
        for _ in range(2):
            pred = rng.dirichlet(np.ones(4), size=n)
            true = np.eye(4)[rng.integers(0, 4, n)]
            if config.get("from_logits"):
                pred = np.log(pred)
            ours.update_state(true, pred)
            state = update(state, true, pred)
        np.testing.assert_allclose(ours.result(), result(state), rtol=1e-5, atol=1e-6)

    check()


def test_counts_a_label_among_ids_that_are_sorted_already() -> None:
    config = {"k": 2, "from_sorted_ids": True}
    ours = nn.metrics.SparseTopKCategoricalAccuracy(**config)
    theirs = keras.metrics.SparseTopKCategoricalAccuracy(**config)
    true, pred = np.array([3, 1, 0]), np.array([[1, 3, 0], [2, 0, 1], [0, 1, 2]])
    ours.update_state(true, pred)
    theirs.update_state(true, pred.astype(float))
    assert ours.result() == pytest.approx(float(theirs.result())) == pytest.approx(2 / 3)
