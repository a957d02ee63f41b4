"""The confusion matrix and what follows from it."""

import numpy as np
import pytest
from app.lab import analysis
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

LABELS = st.integers(1, 60).flatmap(
    lambda n: st.tuples(*[arrays(np.uint8, n, elements=st.integers(0, 9))] * 2)
)


@given(LABELS)
def test_counts_every_pair_once(pair: tuple[np.ndarray, np.ndarray]) -> None:
    truth, answers = pair
    matrix = analysis.confusion(truth, answers)
    assert matrix.sum() == truth.size
    for true in range(10):
        for answer in range(10):
            assert matrix[true, answer] == np.sum((truth == true) & (answers == answer))


@given(LABELS)
def test_scores_follow_their_definitions(pair: tuple[np.ndarray, np.ndarray]) -> None:
    truth, answers = pair
    for row in analysis.per_class(analysis.confusion(truth, answers)):
        label = row["label"]
        hits = np.sum((truth == label) & (answers == label))
        missed = np.sum((truth == label) & (answers != label))
        wrongly = np.sum((truth != label) & (answers == label))
        assert row["support"] == hits + missed
        assert row["recall"] == pytest.approx(hits / (hits + missed) if hits + missed else 0)
        assert row["precision"] == pytest.approx(hits / (hits + wrongly) if hits + wrongly else 0)
        assert row["f1"] == pytest.approx(2 * hits / max(2 * hits + missed + wrongly, 1))


def test_the_surest_mistake_comes_first() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.99, 0.01]], np.float32)
    truth = np.array([0, 0, 1, 1], np.uint8)
    assert analysis.worst(truth, probabilities).tolist() == [3, 1, 2]
    assert analysis.worst(truth, probabilities, most=1).tolist() == [3]


def test_refuses_answers_that_do_not_match() -> None:
    with pytest.raises(ValueError, match="expected as many answers as labels, got 2 for 3"):
        analysis.confusion(np.zeros(3, np.uint8), np.zeros(2, np.uint8))


def test_a_histogram_leaves_out_what_is_not_finite() -> None:
    found = analysis.histogram(np.array([0, 1, np.nan, np.inf, 1], np.float32), bins=2)
    assert (found["low"], found["high"], found["counts"]) == (0.0, 1.0, [1, 2])
    assert analysis.histogram(np.array([np.nan], np.float32), bins=3)["counts"] == [0, 0, 0]
