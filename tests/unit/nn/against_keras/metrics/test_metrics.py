"""Metrics against Keras 3 on JAX, on the same draws."""

from __future__ import annotations

from typing import Any

import jax
import keras
import nn
import numpy as np
import pytest

from tests.unit.nn.against_keras.draws import (
    BITS,
    GUESSES,
    LABELS,
    LOGITS,
    ONE_HOT,
    PROBABILITIES,
    WEIGHTS,
)

pytestmark = pytest.mark.usefixtures("float64")

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


def test_counts_confusions() -> None:
    matrix = nn.metrics.ConfusionMatrix(3)
    matrix.update_state(np.array([0, 1, 2, 2]), np.eye(3)[[0, 2, 2, 1]])
    assert matrix.result() == [[1, 0, 0], [0, 0, 1], [0, 1, 1]]


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
