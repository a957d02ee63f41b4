"""Cross-entropy losses of probabilities or logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import config, kernels
from nn.data.numeric import NUMBERS
from nn.errors import ShapeError
from nn.kernels.binding import Binding
from nn.losses.base import ElementLoss, Loss, as_integers, integer_labels
from nn.types import Array


class SparseCategoricalCrossentropy(Loss):
    """-log p[label], for integer labels (n, ...) and probabilities or logits (n, ..., classes)."""

    fields = ("from_logits", "ignore_class", "axis")
    fused_activation = "softmax"

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(reduction, name, **others)
        self.axis = axis
        self.from_logits = from_logits
        self.ignore_class = ignore_class

    def can_fuse(self, layer: Any) -> bool:
        return self.ignore_class is None and super().can_fuse(layer)

    def prepare(self, y_true: Any, y_pred: Array) -> Array:
        return integer_labels(y_true, y_pred, self.name)

    def call(self, y_true: Array, y_pred: Array) -> Array:
        return self._both(y_true, y_pred)[0]

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        return self._both(y_true, y_pred)[1]

    def lined_step(self, y_true: Any, y_pred: Array, sample_weight: Any) -> tuple[float, Array]:
        labels = self.prepare(y_true, y_pred)
        losses, gradient = self._both(labels, y_pred)
        scale = self.scale(losses.shape, sample_weight, y_pred.dtype)
        gradient *= scale[..., None] if np.ndim(scale) else scale
        return float(np.sum(losses * scale)), gradient

    def _both(self, labels: Array, y_pred: Array) -> tuple[Array, Array]:
        labels, kept = self._kept(labels)
        classes = y_pred.shape[-1]
        flat, index = y_pred.reshape(-1, classes), labels.reshape(-1)
        self._expect_classes(index, classes)
        if self.from_logits:
            gradient: Array = np.empty_like(flat)
            losses, _ = kernels.softmax_cross_entropy(flat, index, gradient=gradient)
        else:
            losses, gradient = _from_probabilities(flat, index)
        losses, gradient = losses.reshape(labels.shape), gradient.reshape(y_pred.shape)
        if kept is not None:
            losses = losses * kept
            gradient = gradient * kept[..., None]
        return losses, gradient

    def _kept(self, labels: Array) -> tuple[Array, Array | None]:
        if self.ignore_class is None:
            return labels, None
        kept = labels != self.ignore_class
        return np.where(kept, labels, 0), kept

    def from_logits_step(
        self,
        y_true: Any,
        logits: Array,
        sample_weight: Any,
        out: Array,
        predictions: Array | None,
        binding: Binding | None = None,
    ) -> float:
        key = None
        if binding is not None and sample_weight is None and type(y_true) is np.ndarray:
            key = y_true.dtype, y_true.shape, self.reduction
            if key == binding.key and binding.holds(logits, None, out, predictions):
                total = kernels.next_softmax_cross_entropy(y_true, binding)
                if total is not None:
                    return total
        labels = np.asarray(y_true)
        same = labels.shape == logits.shape[:-1]
        if not same or labels.dtype.kind not in NUMBERS:
            labels = self.prepare(labels, logits)
        index: Array = labels.reshape(-1)
        if index.dtype.kind not in "iu":
            index = as_integers(index, self.name, logits.shape[-1])
        arrays = logits, out, predictions
        shape = labels.shape
        rows, slopes, seen, weights, scale = self.in_rows(*arrays, shape, sample_weight, binding)
        try:
            _, total = kernels.softmax_cross_entropy(
                rows,
                index,
                sample_weight=weights,
                scale=scale,
                gradient=slopes,
                probabilities=seen,
                binding=binding,
            )
        except ValueError:
            self._expect_classes(index, logits.shape[-1])
            raise
        if binding is not None:
            binding.key = key if same else None
        return total

    def _expect_classes(self, labels: Array, classes: int) -> None:
        """Raise ShapeError if a label is none of the classes."""
        if labels.size and (labels.min() < 0 or labels.max() >= classes):
            raise ShapeError(
                f"{self.name}: expected labels from 0 to {classes - 1}, "
                f"received {int(labels.min())} to {int(labels.max())}"
            )


def _from_probabilities(p: Array, labels: Array) -> tuple[Array, Array]:
    """Return losses and gradients of normalized, clipped probabilities, as Keras on JAX does."""
    epsilon = p.dtype.type(config.epsilon())
    rows = np.arange(len(p))
    total = p.sum(axis=-1)
    share = p[rows, labels] / total
    inside = (share >= epsilon) & (share <= 1 - epsilon)
    losses = -np.log(np.clip(share, epsilon, 1 - epsilon))
    gradient = np.broadcast_to((inside / total)[:, None], p.shape).copy()
    gradient[rows, labels] -= inside / (share * total)
    return losses, gradient


class Smoothed(Loss):
    """Base of the cross-entropies with label smoothing."""

    fields = ("from_logits", "label_smoothing", "axis")
    exact = True

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(reduction, name, **others)
        self.axis = axis
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing


class BinaryCrossentropy(Smoothed, ElementLoss):
    """-mean(y_true * log(p) + (1 - y_true) * log(1 - p)), from probabilities or logits."""

    fused_activation = "sigmoid"

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        true = y_true * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        if self.from_logits:
            value = np.maximum(y_pred, 0) - y_pred * true + np.log1p(np.exp(-np.abs(y_pred)))
            return value, 0.5 * (1 + np.tanh(0.5 * y_pred)) - true
        epsilon = config.epsilon()
        p = np.clip(y_pred, epsilon, 1 - epsilon)
        inside = (y_pred >= epsilon) & (y_pred <= 1 - epsilon)
        value = -(true * np.log(p) + (1 - true) * np.log(1 - p))
        return value, inside * (p - true) / (p * (1 - p))


class CategoricalCrossentropy(Smoothed):
    """-sum(y_true * log(p)), for one-hot labels and probabilities or logits.

    `label_smoothing` is distributed over the classes of `axis`. (Keras 3.15 divides it by the size
    of the last axis, whatever `axis` is.)
    """

    fused_activation = "softmax"

    def prepare(self, y_true: Any, y_pred: Array) -> Array:
        true = self.targets(y_true, y_pred)
        return true * (1 - self.label_smoothing) + self.label_smoothing / y_pred.shape[-1]

    def call(self, y_true: Array, y_pred: Array) -> Array:
        if self.from_logits:
            shifted = y_pred - y_pred.max(axis=-1, keepdims=True)
            log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        else:
            epsilon = config.epsilon()
            share = y_pred / y_pred.sum(axis=-1, keepdims=True)
            log_p = np.log(np.clip(share, epsilon, 1 - epsilon))
        return -(y_true * log_p).sum(axis=-1)

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        if self.from_logits:
            shifted = np.exp(y_pred - y_pred.max(axis=-1, keepdims=True))
            p = shifted / shifted.sum(axis=-1, keepdims=True)
            return np.asarray(p * y_true.sum(axis=-1, keepdims=True) - y_true)
        total = y_pred.sum(axis=-1, keepdims=True)
        share = y_pred / total
        epsilon = config.epsilon()
        by_share = -y_true / np.clip(share, epsilon, 1 - epsilon)
        by_share = by_share * ((share >= epsilon) & (share <= 1 - epsilon))
        return np.asarray((by_share - (by_share * share).sum(axis=-1, keepdims=True)) / total)
