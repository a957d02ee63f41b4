"""What metrics may be made with, and outputs beyond 0 and 1, as in Keras."""

from __future__ import annotations

import math
from inspect import signature
from typing import Any

import keras
import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

VALUES: list[Any] = [
    None, -1, 0, 1, 2, 1.5, 0.5, -0.5, math.nan, math.inf, "x", [], [2.0], [-0.5], [0.5],
    [0.3, "a"], [None], {}, [0.2, 0.7],
]  # fmt: skip
RATES = ("specificity", "sensitivity", "recall", "precision")
KINDS = dict(
    zip(
        (
            "SensitivityAtSpecificity",
            "SpecificityAtSensitivity",
            "PrecisionAtRecall",
            "RecallAtPrecision",
        ),
        RATES,
        strict=True,
    )
)
NEEDED: dict[str, dict[str, Any]] = {
    "IoU": {"num_classes": 3, "target_class_ids": [0]},
    "OneHotIoU": {"num_classes": 3, "target_class_ids": [0]},
    "MeanIoU": {"num_classes": 3},
    "OneHotMeanIoU": {"num_classes": 3},
    "MeanRelativeError": {"normalizer": [1.0, 2.0]},
    "ConfusionMatrix": {"num_classes": 2},
    **{kind: {rate: 0.5} for kind, rate in KINDS.items()},
}
# A whole number is a number here where Keras wants a float.
WIDER = {("F1Score", "threshold", "1"), ("FBetaScore", "threshold", "1")}
WIDER |= {("FBetaScore", "beta", n) for n in ("1", "2", "inf")}
FIELDS = [(name, field) for name, kind in nn.metrics.CLASSES.items() for field in kind.fields]


@pytest.mark.parametrize(("name", "field"), FIELDS, ids="-".join)
def test_a_setting_that_keras_refuses_is_refused_by_name(name: str, field: str) -> None:
    for value in VALUES:
        options = {**NEEDED.get(name, {}), field: value}
        said = refusal(name, options)
        if said:
            assert name in said or field in said
        elif hasattr(keras.metrics, name) and (name, field, repr(value)) not in WIDER:
            getattr(keras.metrics, name)(**options)  # accepts it too


def refusal(name: str, options: Any) -> str:
    try:
        nn.metrics.CLASSES[name](**options)
    except nn.errors.ConfigError as error:
        return str(error)
    return ""


COUNTS: list[tuple[str, dict[str, Any]]] = [
    ("AUC", {}),
    ("AUC", {"curve": "PR"}),
    ("AUC", {"num_thresholds": 5}),
    ("AUC", {"thresholds": [0.3, 0.8]}),
    ("AUC", {"thresholds": [0.25, 0.5, 0.75]}),
    ("Precision", {}),
    ("Recall", {"thresholds": [0.0, 0.25, 0.5, 0.75, 1.0]}),
    ("Recall", {"thresholds": [0.0, 0.7, 1.0]}),
    ("TruePositives", {"thresholds": [0.0, 0.5, 1.0]}),
    ("FalseNegatives", {"thresholds": [0.0, 1.0]}),
    *((kind, {rate: 0.4}) for kind, rate in KINDS.items()),
]


@pytest.mark.parametrize(("name", "options"), COUNTS, ids=str)
@settings(max_examples=20)
@given(data=st.data())
def test_outputs_beyond_0_and_1_count_as_in_keras(name: str, options: Any, data: Any) -> None:
    # Multiples of 1 / 64 fall on thresholds in both or in none.
    drawn = st.integers(-128, 192).map(lambda n: n / 64)
    size = data.draw(st.sampled_from([4, 11]))  # JAX compiles each shape
    listed = st.lists(drawn, min_size=size, max_size=size)
    outputs = np.array(data.draw(listed), np.float32)[:, None]
    labels = (np.arange(len(outputs)) % 2).astype(np.float32)[:, None]
    ours, theirs = nn.metrics.CLASSES[name](**options), getattr(keras.metrics, name)(**options)
    ours.update_state(labels, outputs)
    theirs.update_state(labels, outputs)
    np.testing.assert_allclose(ours.result(), np.asarray(theirs.result()), atol=1e-5)


THEIRS = [name for name in nn.metrics.CLASSES if hasattr(keras.metrics, name)]


@pytest.mark.parametrize("name", THEIRS)
def test_a_batch_is_given_by_the_names_that_keras_has(name: str) -> None:
    ours, theirs = nn.metrics.CLASSES[name], getattr(keras.metrics, name)
    names = [*signature(theirs.update_state).parameters]
    assert [*signature(ours.update_state).parameters][: len(names)] == names


@pytest.mark.parametrize("name", ["Mean", "Sum"])
@pytest.mark.parametrize(
    ("given", "options"),
    [(([1.0, 2.0],), {}), ((), {"values": 3}), (([1.0, 2.0], [1, 0]), {}),
     (([[1.0], [5.0]],), {"sample_weight": [3, 1]})],
    ids=str,
)  # fmt: skip
def test_a_mean_and_a_sum_are_called_on_values(name: str, given: Any, options: Any) -> None:
    ours, theirs = nn.metrics.CLASSES[name](), getattr(keras.metrics, name)()
    for _ in range(2):
        assert ours(*given, **options) == pytest.approx(float(theirs(*given, **options)))


@pytest.mark.parametrize("name", ["Precision", "Recall", *KINDS])
def test_a_class_is_counted_of_outputs_that_have_classes_and_refused_of_others(name: str) -> None:
    drawn = np.random.default_rng(0).uniform(size=(6, 3)).astype(np.float32)
    needed = NEEDED.get(name, {})
    for shape in ((), (6,), (6, 3)):
        outputs = np.resize(drawn, shape)
        for number in (0, 2):
            made = []
            for library, refused in ((keras, (IndexError, ValueError)), (nn, nn.errors.ShapeError)):
                metric = getattr(library.metrics, name)(**needed, class_id=number)
                try:
                    made.append(float(metric(np.float32(outputs > 0.4), outputs)))
                except refused:
                    made.append(math.nan)
            assert made[0] == pytest.approx(made[1], nan_ok=True), (shape, number)


LABELS = np.array([[0], [2], [1], [2]])
OUTPUTS = np.random.default_rng(1).uniform(size=(4, 3)).astype(np.float32)
ONE_HOT = np.eye(3, dtype=np.float32)[LABELS[:, 0]]
FUNCTIONS: list[tuple[str, Any, tuple[Any, ...]]] = [
    ("binary_accuracy", ONE_HOT, ()), ("binary_accuracy", ONE_HOT, (0.2,)),
    ("categorical_accuracy", ONE_HOT, ()), ("sparse_categorical_accuracy", LABELS, ()),
    ("top_k_categorical_accuracy", ONE_HOT, (2,)),
    ("sparse_top_k_categorical_accuracy", LABELS, (1,)),
    ("pearson_correlation", ONE_HOT, ()), ("pearson_correlation", ONE_HOT, (0,)),
    ("concordance_correlation", ONE_HOT, (-1,)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "labels", "further"), FUNCTIONS, ids=str)
def test_a_function_gives_a_metric_of_each_sample(name: str, labels: Any, further: Any) -> None:
    expected = np.asarray(getattr(keras.metrics, name)(labels, OUTPUTS, *further))
    made = getattr(nn.metrics, name)(labels, OUTPUTS, *further)
    np.testing.assert_allclose(made, expected.reshape(made.shape), atol=1e-5)
    assert made.size == expected.size
    metric = nn.metrics.get(getattr(nn.metrics, name))
    assert metric.name == name
    if not further:
        assert metric(labels, OUTPUTS) == pytest.approx(float(expected.mean()), abs=1e-5)


def test_thresholds_take_the_place_of_their_number() -> None:
    settings = keras.metrics.AUC(thresholds=[0.5]).get_config() | {"num_thresholds": None}
    assert nn.metrics.AUC(**{k: v for k, v in settings.items() if k != "dtype"}).num_thresholds == 3
    with pytest.raises(nn.errors.NNError, match="num_thresholds"):
        nn.metrics.AUC(None)
