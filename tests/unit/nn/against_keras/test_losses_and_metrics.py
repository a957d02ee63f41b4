"""Losses, their gradients and metrics against Keras 3 on JAX, on the same draws."""

from __future__ import annotations

from typing import Any

import jax
import keras
import nn
import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("float64")
RNG = np.random.default_rng(4)
PROBABILITIES = RNG.dirichlet(np.ones(5), size=6)
LOGITS = RNG.normal(size=(6, 5)) * 3
ONE_HOT = np.eye(5)[RNG.integers(0, 5, 6)]
BITS = RNG.integers(0, 2, (6, 5)).astype(np.float64)
LABELS = RNG.integers(0, 5, 6)
WEIGHTS = RNG.uniform(0.2, 2, 6)
REGIONS, SCORES = RNG.integers(0, 2, (6, 3, 4)).astype(np.float64), RNG.random((6, 3, 4))
TWINS = np.array([0, 1, 0, 2, 2, 3])  # a label of its own: no loss
DIRECTIONS = LOGITS / np.linalg.norm(LOGITS, axis=1, keepdims=True)
# Repeated labels, none, and others.
SPELT = np.array([[1, 2, 3], [2, 2, 0], [0, 0, 0], [3, 3, 0], [4, 0, 0], [1, 1, 2]])
HEARD = np.random.default_rng(9).normal(size=(6, 4, 5)) * 2
WHOLE = RNG.integers(0, 4, 6)
GUESSES = np.array([0, 1, 4, 3, 9, -1])  # two of them are no class

REDUCTIONS = ("sum_over_batch_size", "sum", "mean_with_sample_weight")
CASES = [
    ("MeanSquaredError", {}, LOGITS[::-1], LOGITS),
    ("MeanAbsoluteError", {}, LOGITS[::-1], LOGITS),
    ("MeanAbsolutePercentageError", {}, LOGITS[::-1], LOGITS),
    ("MeanSquaredLogarithmicError", {}, PROBABILITIES[::-1], PROBABILITIES),
    ("Huber", {"delta": 0.7}, LOGITS[::-1], LOGITS),
    ("LogCosh", {}, LOGITS[::-1], LOGITS),
    ("Poisson", {}, PROBABILITIES[::-1], PROBABILITIES),
    ("Hinge", {}, BITS, LOGITS),
    ("SquaredHinge", {}, BITS, LOGITS),
    ("CategoricalHinge", {}, ONE_HOT, LOGITS),
    ("KLDivergence", {}, PROBABILITIES[::-1], PROBABILITIES),
    ("CosineSimilarity", {}, LOGITS[::-1], LOGITS),
    ("BinaryCrossentropy", {}, BITS, PROBABILITIES),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, BITS, LOGITS),
    ("CategoricalCrossentropy", {}, ONE_HOT, PROBABILITIES * 2),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, ONE_HOT, LOGITS),
    ("SparseCategoricalCrossentropy", {}, LABELS, PROBABILITIES * 2),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, LABELS, LOGITS),
    ("BinaryFocalCrossentropy", {}, BITS, PROBABILITIES),
    ("BinaryFocalCrossentropy",
     {"from_logits": True, "apply_class_balancing": True, "gamma": 1.5, "label_smoothing": 0.1},
     BITS, LOGITS),
    ("CategoricalFocalCrossentropy", {}, ONE_HOT, PROBABILITIES * 2),
    ("CategoricalFocalCrossentropy",
     {"from_logits": True, "alpha": 0.5, "gamma": 1.0, "label_smoothing": 0.1}, ONE_HOT, LOGITS),
    ("Dice", {}, BITS, PROBABILITIES),
    ("Dice", {"axis": 1}, BITS, PROBABILITIES),
    ("Dice", {"axis": (1, 2)}, REGIONS, SCORES),
    ("Tversky", {}, BITS, PROBABILITIES),
    ("Tversky", {"alpha": 0.3, "beta": 0.9, "axis": -1}, BITS, PROBABILITIES),
    ("Tversky", {"alpha": 0.3, "axis": (1, 2)}, REGIONS, SCORES),
    ("CategoricalGeneralizedCrossEntropy", {}, LABELS, PROBABILITIES),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.2}, LABELS, PROBABILITIES),
    ("Circle", {}, TWINS, DIRECTIONS),
    ("Circle", {"gamma": 5.0, "margin": 0.1}, TWINS, DIRECTIONS),
    ("Circle", {"remove_diagonal": False}, LABELS, DIRECTIONS),
    ("CTC", {}, SPELT, HEARD),
]  # fmt: skip


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "Frozen and trainable parameters; AdamW and cross-entropy",
)
@pytest.mark.parametrize(
    ("name", "config", "true", "pred"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES]
)
def test_loses_as_keras_and_its_gradient(name: str, config: Any, true: Any, pred: Any) -> None:
    """By every reduction, with and without weights of samples: for Keras one program of JAX's."""
    ways = [(reduction, weights) for reduction in REDUCTIONS for weights in (None, WEIGHTS)]

    @jax.jit
    def theirs(p: Any) -> Any:
        return [jax.value_and_grad(lost)(p, *way) for way in ways]

    def lost(p: Any, reduction: str, weights: Any) -> Any:
        loss = getattr(keras.losses, name)(**config, reduction=reduction)
        return loss(true, p, sample_weight=weights)

    # Keras reads its epsilon as float32, 1e-7 to eight digits; it aligns in float32.
    near = 1e-5 if name == "CTC" else 1e-6
    for (reduction, weights), (expected, slope) in zip(ways, theirs(pred), strict=True):
        ours = nn.losses.CLASSES[name](**config, reduction=reduction)
        value, gradient = ours.step(true, pred, weights)
        np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(gradient, slope, rtol=near, atol=1e-8)
        np.testing.assert_allclose(ours(true, pred, weights), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("name", "config", "true", "pred"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES]
)
def test_survives_its_own_configuration(name: str, config: Any, true: Any, pred: Any) -> None:
    loss = nn.losses.CLASSES[name](**config)
    again = nn.losses.get(nn.losses.serialize(loss))
    assert again(true, pred) == loss(true, pred)


METRICS = [
    ("Accuracy", {}, LABELS, GUESSES),
    ("SparseCategoricalAccuracy", {}, LABELS, PROBABILITIES),
    ("CategoricalAccuracy", {}, ONE_HOT, PROBABILITIES),
    ("BinaryAccuracy", {"threshold": 0.2}, BITS, PROBABILITIES),
    ("TopKCategoricalAccuracy", {"k": 2}, ONE_HOT, PROBABILITIES),
    ("SparseTopKCategoricalAccuracy", {"k": 3}, LABELS, PROBABILITIES),
    ("MeanAbsoluteError", {}, LOGITS[::-1], LOGITS),
    ("MeanSquaredError", {}, LOGITS[::-1], LOGITS),
    ("RootMeanSquaredError", {}, LOGITS[::-1], LOGITS),
    ("MeanAbsolutePercentageError", {}, LOGITS[::-1], LOGITS),
    ("MeanSquaredLogarithmicError", {}, PROBABILITIES[::-1], PROBABILITIES),
    ("LogCoshError", {}, LOGITS[::-1], LOGITS),
    ("CosineSimilarity", {}, LOGITS[::-1], LOGITS),
    ("CosineSimilarity", {"axis": 1}, LOGITS[::-1], LOGITS),
    ("R2Score", {}, LOGITS[::-1], LOGITS),
    ("R2Score", {"class_aggregation": None}, LOGITS[::-1], LOGITS),
    ("R2Score", {"class_aggregation": "variance_weighted_average", "num_regressors": 2},
     LOGITS[::-1], LOGITS),
    ("BinaryCrossentropy", {}, BITS, PROBABILITIES),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, BITS, LOGITS),
    ("CategoricalCrossentropy", {}, ONE_HOT, PROBABILITIES),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, ONE_HOT, LOGITS),
    ("SparseCategoricalCrossentropy", {}, LABELS, PROBABILITIES),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, LABELS, LOGITS),
    ("KLDivergence", {}, PROBABILITIES[::-1], PROBABILITIES),
    ("Poisson", {}, PROBABILITIES[::-1], PROBABILITIES),
    ("Hinge", {}, BITS, LOGITS),
    ("SquaredHinge", {}, BITS, LOGITS),
    ("CategoricalHinge", {}, ONE_HOT, LOGITS),
    ("TruePositives", {}, BITS, PROBABILITIES),
    ("TrueNegatives", {"thresholds": 0.2}, BITS, PROBABILITIES),
    ("FalsePositives", {"thresholds": [0.1, 0.3]}, BITS, PROBABILITIES),
    ("FalseNegatives", {"thresholds": [0.1, 0.3]}, BITS, PROBABILITIES),
    ("FBetaScore", {"beta": 2.0}, ONE_HOT, PROBABILITIES),
    ("FBetaScore", {"beta": 0.5, "average": "weighted", "threshold": 0.2}, ONE_HOT, PROBABILITIES),
    ("Precision", {"thresholds": 0.2}, BITS, PROBABILITIES),
    ("Recall", {"thresholds": [0.1, 0.2, 0.4]}, BITS, PROBABILITIES),
    ("AUC", {}, BITS, PROBABILITIES),
    ("AUC", {"num_thresholds": 20}, BITS, PROBABILITIES),
    ("F1Score", {}, ONE_HOT, PROBABILITIES),
    ("F1Score", {"average": "macro", "threshold": 0.2}, ONE_HOT, PROBABILITIES),
    ("F1Score", {"average": "micro"}, ONE_HOT, PROBABILITIES),
    ("F1Score", {"average": "weighted"}, ONE_HOT, PROBABILITIES),
    ("IoU", {"num_classes": 5, "target_class_ids": [0, 3]}, LABELS, GUESSES),
    ("MeanIoU", {"num_classes": 5}, LABELS, LABELS[::-1]),
    ("MeanIoU", {"num_classes": 5, "ignore_class": 1}, LABELS, GUESSES),
    ("MeanIoU", {"num_classes": 5, "sparse_y_pred": False}, LABELS, PROBABILITIES),
    ("OneHotIoU", {"num_classes": 5, "target_class_ids": [1, 2]}, ONE_HOT, PROBABILITIES),
    ("OneHotMeanIoU", {"num_classes": 5}, ONE_HOT, PROBABILITIES),
    ("OneHotMeanIoU", {"num_classes": 5, "sparse_y_pred": True}, ONE_HOT, GUESSES),
    ("BinaryIoU", {"threshold": 0.2}, BITS[:, 0], PROBABILITIES[:, 0]),
    ("BinaryIoU", {"target_class_ids": [1], "threshold": 0.2}, BITS[:, 0], PROBABILITIES[:, 0]),
    ("SensitivityAtSpecificity", {"specificity": 0.4}, BITS, PROBABILITIES),
    ("SpecificityAtSensitivity", {"sensitivity": 0.4, "num_thresholds": 7}, BITS, PROBABILITIES),
    ("PrecisionAtRecall", {"recall": 0.3, "class_id": 2}, BITS, PROBABILITIES),
    ("RecallAtPrecision", {"precision": 0.6, "num_thresholds": 1}, BITS, PROBABILITIES),
    ("RecallAtPrecision", {"precision": 0.5}, BITS, PROBABILITIES),
    ("PearsonCorrelation", {}, LOGITS[::-1], LOGITS),
    ("PearsonCorrelation", {"axis": 1}, LOGITS[::-1], LOGITS),
    ("ConcordanceCorrelation", {}, LOGITS[::-1], LOGITS),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "config", "true", "pred"), METRICS, ids=[f"{c[0]}-{c[1]}" for c in METRICS]
)
def test_measures_as_keras_over_batches(name: str, config: Any, true: Any, pred: Any) -> None:
    """With and without weights of samples: for Keras one program of JAX's."""
    whole = np.ceil(WEIGHTS * 2).astype(np.int32)  # as Keras counts pixels
    ways = [_batches(true, pred, w) for w in (None, whole if "IoU" in name else WEIGHTS)]
    theirs = getattr(keras.metrics, name)(**config)

    def measured() -> list[Any]:
        return [_after(theirs, batches) for batches in ways]

    eager = "num_regressors" in config  # Keras then asks whether a sum is positive
    expected = measured() if eager else jax.jit(measured)()
    for batches, value in zip(ways, expected, strict=True):
        ours = nn.metrics.CLASSES[name](**config)
        for batch in batches:
            ours.update_state(*batch)
        np.testing.assert_allclose(ours.result(), np.asarray(value), rtol=1e-6, atol=1e-7)
        ours.reset_state()
        assert np.all(np.asarray(ours.result()) == 0)


def _batches(true: Any, pred: Any, weights: Any) -> list[Any]:
    """Return four samples and the two others, with their weights."""
    parts = (slice(0, 4), slice(4, 6))
    return [(true[p], pred[p], None if weights is None else weights[p]) for p in parts]


def _after(metric: Any, batches: list[Any]) -> Any:
    """Return the result of Keras' metric after these batches, from its state at the start."""
    state = [variable.value for variable in metric.variables]
    for true, pred, weights in batches:
        state = metric.stateless_update_state(state, true, pred, sample_weight=weights)
    return metric.stateless_result(state)


def test_every_metric_is_among_them() -> None:
    own = {"ConfusionMatrix"}  # test_counts_confusions
    values = {"Mean", "Sum"}  # test_adds_values_as_keras
    assert {name for name, *_ in METRICS} | own | values == set(nn.metrics.CLASSES)


@pytest.mark.parametrize("name", ["Mean", "Sum"])
def test_adds_values_as_keras(name: str) -> None:
    ours, theirs = getattr(nn.metrics, name)(), getattr(keras.metrics, name)()
    for metric in (ours, theirs):
        metric.update_state(WEIGHTS)
        metric.update_state(WEIGHTS, sample_weight=WEIGHTS)
    assert ours.result() == pytest.approx(float(theirs.result()))


FUNCTIONS = ["mean_squared_error", "binary_crossentropy", "categorical_crossentropy", "huber"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_losses_are_functions_as_in_keras(name: str) -> None:
    ours, theirs = getattr(nn.losses, name), getattr(keras.losses, name)
    np.testing.assert_allclose(ours(ONE_HOT, PROBABILITIES), theirs(ONE_HOT, PROBABILITIES), 1e-6)
    assert nn.losses.get(ours).get_config() == nn.losses.get(name).get_config()


def test_any_sequence_of_labels_aligns_as_in_keras() -> None:
    rng = np.random.default_rng(1)
    count, steps, length, classes = 200, 5, 4, 4
    lengths = rng.integers(0, length + 1, count)
    labels = rng.integers(1, classes, (count, length)) * (np.arange(length) < lengths[:, None])
    logits = rng.normal(size=(count, steps, classes)) * 3
    twice = ((labels[:, 1:] == labels[:, :-1]) & (labels[:, 1:] > 0)).sum(axis=1)
    impossible = lengths + twice > steps
    losses = nn.losses.CTC(None)(labels, logits)
    assert ((losses > 9e4) == impossible).all()  # 1e5 for each, as in Keras
    assert 0 < impossible.sum() < count / 2
    value, gradient = nn.losses.CTC("sum").step(labels[~impossible], logits[~impossible])
    theirs = keras.losses.CTC("sum")
    slope = jax.jit(jax.value_and_grad(lambda p: theirs(labels[~impossible], p)))
    expected = slope(logits[~impossible])
    np.testing.assert_allclose(value, expected[0], rtol=1e-6)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-4, atol=1e-6)


def test_refuses_labels_that_cannot_be_aligned() -> None:
    loss = nn.losses.CTC()
    for labels, says in (([[5]], "labels from 0 to 4"), ([1], r"labels \(n, length\)")):
        with pytest.raises(nn.errors.ShapeError, match=says):
            loss(labels, HEARD[:1])


def test_a_network_learns_to_spell() -> None:
    rng = np.random.default_rng(0)
    letters = rng.integers(1, 4, (32, 2))
    x = np.repeat(np.eye(4)[letters], 3, axis=1).astype(np.float32)
    model = nn.Sequential([nn.Input((6, 4)), nn.LSTM(8, return_sequences=True), nn.Dense(4)])
    model.compile(nn.Adam(0.05), nn.losses.CTC())
    losses = [float(model.train_on_batch(x, letters)) for _ in range(25)]
    assert losses[-1] < losses[0] / 3


def test_counts_confusions() -> None:
    matrix = nn.metrics.ConfusionMatrix(3)
    matrix.update_state(np.array([0, 1, 2, 2]), np.eye(3)[[0, 2, 2, 1]])
    assert matrix.result() == [[1, 0, 0], [0, 0, 1], [0, 1, 1]]


@pytest.mark.parametrize("kind", ["loss", "metric", "optimizer", "activation", "initializer"])
def test_names_what_is_known_where_a_name_is_not(kind: str) -> None:
    module = {"loss": nn.losses, "metric": nn.metrics, "optimizer": nn.optimizers}.get(kind)
    module = module or {"activation": nn.activations, "initializer": nn.initializers}[kind]
    with pytest.raises(nn.errors.ConfigError, match=f"{kind}: expected one of .*received 'nope'"):
        module.get("nope")


def test_logs_call_metrics_as_keras_does() -> None:
    names = [
        "mae", "mse", "mean_absolute_error", "MeanSquaredError", "acc", "bce", "AUC", "MAPE",
        "cosine_similarity", "r2_score", "true_positives",
    ]  # fmt: skip
    x, y = np.ones((2, 4)), np.ones((2, 1))
    ours = nn.Sequential([nn.Input((4,)), nn.Dense(1, activation="sigmoid")])
    dense = keras.layers.Dense(1, activation="sigmoid")
    theirs = keras.Sequential([keras.Input((4,)), dense])
    ours.compile("sgd", "mse", metrics=names)
    theirs.compile("sgd", "mse", metrics=names, run_eagerly=True)
    received = ours.test_on_batch(x, y, return_dict=True)
    assert set(received) == set(theirs.test_on_batch(x, y, return_dict=True))
