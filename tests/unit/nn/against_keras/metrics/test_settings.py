"""What metrics may be made with, and outputs beyond 0 and 1, as in Keras."""

from __future__ import annotations

import math
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
