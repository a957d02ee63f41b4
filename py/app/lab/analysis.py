"""Analysis of a trained classifier: confusion matrix, scores, filters, feature maps, weights."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from app.lab.images import pictures
from app.lab.images.mnist import Mnist, labels, pictures_of, plain

if TYPE_CHECKING:
    from app.lab.buckets import Buckets

Labels = np.ndarray[tuple[int, ...], np.dtype[Any]]
Probabilities = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


class Analysis:
    """Served as `lab.analysis`.

    Args:
        mnist: the data sets that the page trains and tests on.
        buckets: hold the last drawing, whose feature maps are shown.
    """

    def __init__(self, mnist: Mnist, buckets: Buckets) -> None:
        self._mnist = mnist
        self._buckets = buckets
        self._read: tuple[Any, Any, Any] | None = None  # test set, its labels, the probabilities

    async def findings(
        self, model: Any, progress: Callable[[float], Any] | None = None
    ) -> dict[str, Any]:
        """Return the confusion matrix, scores of each class and worst mistakes on the test set."""
        data = self._mnist.test
        parts = []
        for start in range(0, len(data), 500):
            images = data.x[start : start + 500]
            parts.append(await model.predict(images.astype(np.float32) * np.float32(data.scale)))
            await asyncio.sleep(0)
            if progress:
                progress(min(1.0, (start + 500) / len(data)))
        truth, probabilities = labels(data), np.concatenate(parts)
        self._read = (data, truth, probabilities)
        matrix = confusion(truth, probabilities.argmax(axis=1), len(self._mnist.names))
        return {
            "confusion": matrix.tolist(),
            "per_class": per_class(matrix),
            "mistakes": [self._mistake(index) for index in worst(truth, probabilities)],
            "wrong": int(matrix.sum() - np.trace(matrix)),
            "total": int(matrix.sum()),
        }

    def _mistake(self, index: int) -> dict[str, Any]:
        assert self._read is not None
        data, truth, probabilities = self._read
        answer = int(probabilities[index].argmax())
        return {
            "rgba": pictures.rgba(plain(pictures_of(data)[index])),
            "truth": int(truth[index]),
            "answer": answer,
            "confidence": float(probabilities[index, answer]),
        }

    def cell(self, truth: int, answer: int, most: int = 30) -> list[dict[str, Any]]:
        """Return the test images of one cell of the last confusion matrix."""
        if self._read is None or self._read[0] is not self._mnist.test:  # other data since
            return []
        _, digits, probabilities = self._read
        found = np.flatnonzero((digits == truth) & (probabilities.argmax(axis=1) == answer))
        return [self._mistake(index) for index in found[:most]]

    def weights(self, model: Any) -> list[dict[str, Any]]:
        """Return a histogram of each layer's weights."""
        rows = []
        for layer in model.layers:
            tensors = layer.get_weights()
            if tensors:
                values = np.concatenate([tensor.reshape(-1) for tensor in tensors])
                rows.append(dict(histogram(values), layer=layer.name, count=int(values.size)))
        return rows

    def profile(self, model: Any, size: int = 128) -> list[dict[str, Any]]:
        """Return {layer, forward_ms, backward_ms, share} of each layer for a batch of images."""
        data = self._mnist.train
        rows: list[dict[str, Any]] = model.profile(
            data.x[:size].astype(np.float32) * np.float32(data.scale)
        )
        return rows


class PerClass(TypedDict):
    """Scores of one class; 0 instead of a division by zero, as in scikit-learn."""

    label: int
    support: int
    precision: float
    recall: float
    f1: float


def confusion(truth: Labels, answers: Labels, classes: int = 10) -> Labels:
    """Return counts (classes, classes): row the true class, column the answer."""
    if truth.shape != answers.shape:
        raise ValueError(f"expected as many answers as labels, got {answers.size} for {truth.size}")
    pairs = truth.astype(np.int64) * classes + answers.astype(np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def per_class(matrix: Labels) -> list[PerClass]:
    """Return precision, recall and F1 of each class of a confusion matrix."""
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
    """Return the indices of the wrong answers, the most confident first."""
    answers = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(answers != truth)
    sureness = probabilities[wrong].max(axis=1)
    return wrong[np.argsort(-sureness, kind="stable")[:most]]


def histogram(values: Probabilities, bins: int = 40) -> dict[str, Any]:
    """Return {low, high, counts, mean, deviation} of a tensor's values."""
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
