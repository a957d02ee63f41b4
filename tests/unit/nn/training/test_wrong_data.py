"""Data of the wrong shape, type or label: each is an error that says what was expected."""

from __future__ import annotations

import asyncio
from typing import Any

import nn
import numpy as np
import pytest
from nn.errors import NNError

from tests.support.metrics import metric

ROWS = 6
PREDICTED = np.full((ROWS, 3), 0.25, np.float32)
RAGGED = [[1.0], [2.0, 3.0], [1.0], [2.0], [3.0], [1.0]]
WORDS = [["a", "b", "c"]] * ROWS

EVERYWHERE = {
    "words": WORDS,
    "ragged": RAGGED,
    "objects": np.array([object()] * ROWS),
    "complex": np.ones((ROWS, 3), complex),
    "other samples": np.ones((ROWS - 1, 3)),
    "too wide": np.ones((ROWS, 4)),
    "too deep": np.ones((ROWS, 3, 2)),
    "no axis": np.ones(()),
}
"""What no loss or metric takes beside outputs of (n, 3)."""

SPARSE = {
    "SparseCategoricalCrossentropy", "SparseCategoricalAccuracy", "SparseTopKCategoricalAccuracy",
    "ConfusionMatrix", "CategoricalGeneralizedCrossEntropy", "Circle",
}  # fmt: skip
OF_ONE = {"Mean", "Sum"}
"""Metrics of values, not of labels and outputs."""

LOSSES = sorted(nn.losses.CLASSES)
METRICS = sorted(set(nn.metrics.CLASSES) - OF_ONE)


def wrong_labels(name: str) -> dict[str, Any]:
    if name in SPARSE:
        return EVERYWHERE | {"two of three": np.ones((ROWS, 2))}
    return EVERYWHERE | {"one axis less": np.ones(ROWS), "two of three": np.ones((ROWS, 2))}


LOSS_CASES = [(name, kind) for name in LOSSES for kind in wrong_labels(name)]
METRIC_CASES = [(name, kind) for name in METRICS for kind in wrong_labels(name)]


@pytest.mark.parametrize(("name", "kind"), LOSS_CASES)
def test_a_loss_says_which_labels_it_expected(name: str, kind: str) -> None:
    loss, labels = nn.losses.CLASSES[name](), wrong_labels(name)[kind]
    with pytest.raises(NNError, match=r"expected .*received"):
        loss(labels, PREDICTED)
    with pytest.raises(NNError, match=r"expected .*received"):
        loss.step(labels, PREDICTED)


@pytest.mark.parametrize(("name", "kind"), METRIC_CASES)
def test_a_metric_says_which_labels_it_expected(name: str, kind: str) -> None:
    with pytest.raises(NNError, match=r"expected .*received"):
        metric(name).update_state(wrong_labels(name)[kind], PREDICTED)


OF_THREE = {"one for each of three": np.ones((ROWS, 3)), "of two": np.ones((ROWS, 2)),
            "other samples": np.ones((ROWS - 1, 1)), "too deep": np.ones((ROWS, 1, 2))}  # fmt: skip
"""What no loss or metric takes beside outputs of (n, 1)."""


@pytest.mark.parametrize("kind", OF_THREE)
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_of_one_output_says_which_labels_it_expected(name: str, kind: str) -> None:
    loss = nn.losses.CLASSES[name]()
    for takes in (loss, loss.step):
        with pytest.raises(NNError, match=r"expected .*received"):
            takes(OF_THREE[kind], PREDICTED[:, :1])


@pytest.mark.parametrize("kind", OF_THREE)
@pytest.mark.parametrize("name", METRICS)
def test_a_metric_of_one_output_says_which_labels_it_expected(name: str, kind: str) -> None:
    with pytest.raises(NNError, match=r"expected .*received"):
        metric(name).update_state(OF_THREE[kind], PREDICTED[:, :1])


@pytest.mark.parametrize("labels", [[3], [-1], [np.nan], [np.inf], [1e12], [2**40]])
@pytest.mark.parametrize(
    "name",
    ["SparseCategoricalCrossentropy", "CategoricalGeneralizedCrossEntropy", "ConfusionMatrix"],
)
def test_a_label_that_is_no_class_is_refused(name: str, labels: Any) -> None:
    is_loss = name in nn.losses.CLASSES
    takes = nn.losses.CLASSES[name]().step if is_loss else metric(name).update_state
    with pytest.raises(NNError, match=r"expected labels from 0 to 2, received"):
        takes(np.array(labels), PREDICTED[:1])


def model(outputs: int = 1) -> nn.Model:
    x = nn.Input((4,), name="x")
    ends = [nn.Dense(3, name=f"out{i}")(x) for i in range(outputs)]
    made = nn.Model(x, ends if outputs > 1 else ends[0])
    made.compile("sgd", "mse", metrics=["mae"])
    return made


X, Y = np.ones((ROWS, 4)), np.ones((ROWS, 3))

WRONG_CALLS: dict[str, dict[str, Any]] = {
    "x of words": {"x": [["a"] * 4] * ROWS},
    "x ragged": {"x": RAGGED},
    "x too wide": {"x": np.ones((ROWS, 5))},
    "x by another name": {"x": {"z": X}},
    "y of words": {"y": WORDS},
    "y ragged": {"y": RAGGED},
    "y by another name": {"y": {"out": Y}},
    "y with a name too many": {"y": {"out0": Y, "out9": Y}},
    "y with samples missing": {"y": Y[1:]},
    "y too narrow": {"y": Y[:, :2]},
    "y one axis less": {"y": Y[:, 0]},
    "y missing": {"y": None},
    "y a number": {"y": 1.0},
    "weights of words": {"sample_weight": ["a"] * ROWS},
    "weights too few": {"sample_weight": np.ones(ROWS - 1)},
    "weights too wide": {"sample_weight": np.ones((ROWS, 7))},
    "weights by another name": {"sample_weight": {"zz": np.ones(ROWS)}},
    "weights of classes as a list": {"class_weight": [1.0, 2.0]},
    "weights of classes by name": {"class_weight": {"cat": 1.0}},
    "weights of classes without numbers": {"class_weight": {0: None}},
    "weights of half a class": {"class_weight": {0.5: 1.0}},
    "batch_size 2.5": {"batch_size": 2.5},
    "batch_size 0": {"batch_size": 0},
    "batch_size '8'": {"batch_size": "8"},
    "batch_size True": {"batch_size": True},
    "epochs 1.5": {"epochs": 1.5},
    "epochs -1": {"epochs": -1},
    "initial_epoch 0.5": {"initial_epoch": 0.5},
    "steps_per_epoch 0": {"steps_per_epoch": 0},
    "steps_per_epoch 1.5": {"steps_per_epoch": 1.5},
    "validation_freq 0": {"validation_freq": 0},
    "validation_batch_size 0.5": {"validation_batch_size": 0.5},
    "validation_data of one": {"validation_data": (X,)},
    "prefetch 0.5": {"prefetch": 0.5},
}


@pytest.mark.parametrize("kind", WRONG_CALLS)
def test_fit_says_what_it_expected(kind: str) -> None:
    with pytest.raises(NNError, match=r"expected .*received"):
        asyncio.run(model().fit(**{"x": X, "y": Y} | WRONG_CALLS[kind]))


@pytest.mark.parametrize("kind", [k for k in WRONG_CALLS if k.startswith(("x", "y"))])
def test_one_batch_says_what_it_expected(kind: str) -> None:
    with pytest.raises(NNError, match=r"expected .*received"):
        model().train_on_batch(**{"x": X, "y": Y} | WRONG_CALLS[kind])


@pytest.mark.parametrize("batch_size", [2.5, 0, "8"])
def test_predict_and_evaluate_say_what_they_expected(batch_size: Any) -> None:
    with pytest.raises(NNError, match=r"expected .*received"):
        asyncio.run(model().predict(X, batch_size))
    with pytest.raises(NNError, match=r"expected .*received"):
        asyncio.run(model().evaluate(X, Y, batch_size))


def test_an_argument_that_is_none_of_fit_is_named() -> None:
    with pytest.raises(TypeError, match=r"fit: expected one of its arguments.*received 'epoch'"):
        asyncio.run(model().fit(X, Y, epoch=3))


def test_several_targets_are_counted() -> None:
    with pytest.raises(NNError, match=r"expected targets .* of 2 outputs, received 1"):
        model(2).train_on_batch(X, Y)
    with pytest.raises(NNError, match=r"expected targets .* of 2 outputs, received 3"):
        model(2).train_on_batch(X, [Y, Y, Y])


@pytest.mark.parametrize("dtype", ["mixed_float16", "float99", object()])
def test_a_type_that_is_none_is_named(dtype: Any) -> None:
    with pytest.raises(nn.errors.ConfigError, match=r"dtype: expected a type .*received"):
        nn.Dense(3, dtype=dtype)
