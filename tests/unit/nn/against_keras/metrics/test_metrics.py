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
    ("SparseCategoricalCrossentropy", {"ignore_class": 1}, LABELS, PROBABILITIES),
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
    ("F1Score", {}, ONE_HOT, PROBABILITIES * 0),
    ("FBetaScore", {"beta": 2.0}, PROBABILITIES[::-1], PROBABILITIES),
    ("F1Score", {"average": "weighted", "threshold": 0.2}, PROBABILITIES[::-1], PROBABILITIES),
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


SEQUENCES = ((2, 3, 4), (5, 1, 4), (3, 7, 4))
"""Shapes of batches (samples, steps, features): each has other steps, the last more samples."""
ELEMENTWISE = "Accuracy", "BinaryAccuracy", "RootMeanSquaredError"
"""Means of values of elements, which take a weight for each."""
STEPWISE = [
    *ELEMENTWISE, "CategoricalAccuracy", "CategoricalCrossentropy", "CosineSimilarity",
    "MeanAbsoluteError", "MeanSquaredError", "Poisson", "TopKCategoricalAccuracy",
]  # fmt: skip


@pytest.mark.parametrize("name", STEPWISE)
@pytest.mark.parametrize("weighs", ["nothing", "samples", "columns", "steps", "elements"])
def test_samples_count_alike_over_batches_of_several_lengths_as_in_keras(
    name: str, weighs: str
) -> None:
    if weighs == "elements" and name not in ELEMENTWISE:
        pytest.skip("its values are of steps")
    axes = {"nothing": None, "samples": 1, "columns": 1, "steps": 2, "elements": 3}[weighs]
    random = np.random.default_rng(7)
    ours, theirs = nn.metrics.CLASSES[name](), getattr(keras.metrics, name)()
    for shape in SEQUENCES:
        true = np.eye(4)[random.integers(0, 4, shape[:2])]
        pred = random.random(shape)
        pred = np.round(pred) if name == "Accuracy" else pred
        weight = None if axes is None else random.uniform(0.2, 2, shape[:axes])
        weight = weight[:, None] if weighs == "columns" else weight
        for metric in (ours, theirs):
            metric.update_state(true, pred, sample_weight=weight)
    assert ours.result() == pytest.approx(float(theirs.result()), rel=1e-6)


@pytest.mark.parametrize("weighs", [False, True])
def test_r2_takes_a_weight_for_each_element_as_keras_does(weighs: bool) -> None:
    weight = np.random.default_rng(5).uniform(0.2, 2, LOGITS.shape) if weighs else np.array([2.0])
    ours, theirs = nn.metrics.R2Score(), keras.metrics.R2Score()
    for metric in (ours, theirs):
        metric.update_state(LOGITS[::-1], LOGITS, sample_weight=weight)
    assert ours.result() == pytest.approx(float(theirs.result()), rel=1e-6)


@pytest.mark.parametrize("label", [-1, -9, 3, 255])
def test_a_label_that_is_no_class_is_never_among_the_largest(label: int) -> None:
    metric = nn.metrics.SparseTopKCategoricalAccuracy(k=3)
    assert metric(np.array([label, 2]), np.array([[0.1, 0.2, 0.7]] * 2)) == 0.5


def test_an_output_of_nan_is_never_among_the_largest() -> None:
    nan = np.array([[np.nan, 0.2, 0.1], [np.nan, 0.3, 0.5], [np.nan] * 3])
    labels = np.array([1, 0, 2])
    assert nn.metrics.SparseTopKCategoricalAccuracy(k=1)(labels, nan) == pytest.approx(1 / 3)
    assert nn.metrics.TopKCategoricalAccuracy(k=1)(np.eye(3)[labels], nan) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("metric", "shape"),
    [(nn.metrics.F1Score(), (2, 3, 2)), (nn.metrics.F1Score(), (4,)),
     (nn.metrics.AUC(label_weights=[1, 2]), (4, 3)),
     (nn.metrics.AUC(multi_label=True, label_weights=[1, 2]), (4, 3))],
)  # fmt: skip
def test_outputs_of_a_shape_that_a_metric_does_not_know_are_refused(
    metric: Any, shape: Any
) -> None:
    with pytest.raises(nn.errors.ShapeError, match="expected"):
        metric.update_state(np.zeros(shape), np.zeros(shape))


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


TWICE = [
    {"metrics": ["mse", "mse", "mse"]},
    {"metrics": ["mse"], "weighted_metrics": ["mse"]},
    {"metrics": ["mse", "mae"], "weighted_metrics": ["mae", "mse", "mse", "mse"]},
    {"metrics": ["Precision", "Recall", "Precision"], "weighted_metrics": ["Recall"]},
    {"weighted_metrics": ["mse", "mse"]},
]


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("given", TWICE, ids=lambda given: "-".join(map(str, given.values())))
def test_metrics_of_one_name_are_all_in_the_logs_as_in_keras(outputs: int, given: Any) -> None:
    x, weight = np.ones((4, 3)), np.arange(4.0)
    y = [np.array([[0.0], [1], [1], [0]])] * outputs
    found = []
    for library, layers in ((nn, nn), (keras, keras.layers)):
        entry = library.Input((3,))
        ends = [layers.Dense(1, "sigmoid", name=f"end{i}")(entry) for i in range(outputs)]
        model = library.Model(entry, ends if outputs > 1 else ends[0])
        model.set_weights([np.full(w.shape, 0.1) for w in model.get_weights()])
        named = {key: [names] * outputs if outputs > 1 else names for key, names in given.items()}
        more = {"run_eagerly": True} if library is keras else {}
        model.compile("sgd", "mse", **named, **more)
        weights = [weight] * outputs
        found.append(
            model.test_on_batch(
                x,
                y if outputs > 1 else y[0],
                sample_weight=weights if outputs > 1 else weight,
                return_dict=True,
            )
        )
    ours, theirs = found
    assert ours == pytest.approx({name: float(value) for name, value in theirs.items()}, rel=1e-5)


def test_a_metric_does_not_take_the_place_of_the_loss() -> None:
    model = nn.Sequential([nn.Input((2,)), nn.Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", "mse", metrics=[nn.metrics.MeanAbsoluteError(name="loss")])
    logs = model.test_on_batch(np.ones((2, 2)), np.full((2, 1), 3.0), return_dict=True)
    assert logs == {"loss": 9.0, "loss_1": 3.0}
