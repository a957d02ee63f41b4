"""Where a classifier is right and wrong, from its probabilities. NumPy only."""

from typing import Any, TypedDict

import numpy as np

Labels = np.ndarray[tuple[int, ...], np.dtype[Any]]
Probabilities = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


class PerClass(TypedDict):
    """One class's scores, 0 where there is nothing to divide by (as scikit-learn does)."""

    label: int
    support: int
    precision: float
    recall: float
    f1: float


def confusion(truth: Labels, answers: Labels, classes: int = 10) -> Labels:
    """(classes, classes) counts: row the true class, column the answer."""
    if truth.shape != answers.shape:
        raise ValueError(f"expected as many answers as labels, got {answers.size} for {truth.size}")
    pairs = truth.astype(np.int64) * classes + answers.astype(np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def per_class(matrix: Labels) -> list[PerClass]:
    """Precision, recall and F1 of each class of a confusion matrix."""
    rows: list[PerClass] = []
    for label, hits in enumerate(np.diag(matrix)):
        support = int(matrix[label].sum())
        precision = _ratio(hits, matrix[:, label].sum())
        recall = _ratio(hits, support)
        f1 = _ratio(2 * precision * recall, precision + recall)
        rows.append(
            PerClass(label=label, support=support, precision=precision, recall=recall, f1=f1)
        )
    return rows


def worst(truth: Labels, probabilities: Probabilities, most: int = 24) -> Labels:
    """Indices of the wrong answers, the surest first."""
    answers = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(answers != truth)
    sureness = probabilities[wrong].max(axis=1)
    return wrong[np.argsort(-sureness, kind="stable")[:most]]


def histogram(values: Probabilities, bins: int = 40) -> dict[str, Any]:
    """Counts over the range of a tensor's values: {low, high, counts, mean, deviation}."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return {"low": 0.0, "high": 0.0, "counts": [0] * bins, "mean": 0.0, "deviation": 0.0}
    counts, edges = np.histogram(finite, bins=bins)
    return {
        "low": float(edges[0]),
        "high": float(edges[-1]),
        "counts": counts.tolist(),
        "mean": float(finite.mean()),
        "deviation": float(finite.std()),
    }
